"""Spoken digits: 8 kHz clips of the Free Spoken Digit Dataset, padded to one length."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.data.dataset import split_indices
from probgen.data.files import Arrays, DataFile
from probgen.data.summary import Summarized

__all__ = ["SpokenDigits", "load_spoken_digits"]

_EMBEDDED = DataFile(
    "speech.npz",
    "e5bf329c914c9cd9a6574b25383fd145e6b0b0dcdfc80173aa200936267f215b",
    "It ships with probgen: reinstall the package.",
    embedded=True,
)
_FULL = DataFile(
    "fsdd_2speakers_8khz.npz",
    "49f1759c7ab08cfe3a3c4cea91aed940cddb2c3d57ff64445ebf94ea6c91e666",
    "Get the recordings of two speakers from https://github.com/Jakobovski/free-spoken-digit-dataset and save them as arrays "
    "audio, lengths, digit, speaker, index in $PROBGEN_DATA/fsdd_2speakers_8khz.npz, or load the embedded clips.",
)


@dataclass(frozen=True, repr=False)
class SpokenDigits(Summarized):
    """Clips of spoken digits.

    Attributes:
        audio: Samples, int16, zero-padded at the end, ``[clips, longest]``, at 8 000 per second.
        lengths: Number of samples of each clip before padding, ``[clips]``.
        digit: What is said, 0 to 9, ``[clips]``.
        speaker: Who speaks, an index into ``speakers``, ``[clips]``.
        speakers: Names.
        sample_rate: Samples per second.

    Example:
        >>> from probgen.data import load_spoken_digits
        >>> clips = load_spoken_digits()
        >>> len(clips.digit), clips.speakers
        (20, ('jackson', 'theo'))
    """

    audio: Tensor
    lengths: Tensor
    digit: Tensor
    speaker: Tensor
    speakers: tuple[str, ...]
    sample_rate: int = 8000

    def __len__(self) -> int:
        return len(self.digit)

    @property
    def mask(self) -> Tensor:
        """True where ``audio`` is speech and not padding: ``[clips, longest]``."""
        return torch.arange(self.audio.shape[1], device=self.lengths.device) < self.lengths[:, None]

    def take(self, indices: Tensor) -> SpokenDigits:
        """The clips with these indices."""
        return SpokenDigits(
            self.audio[indices],
            self.lengths[indices],
            self.digit[indices],
            self.speaker[indices],
            self.speakers,
            self.sample_rate,
        )

    def splits(self) -> tuple[SpokenDigits, SpokenDigits, SpokenDigits]:
        """Train, validation and test: 80, 10 and 10 % of the clips, always the same ones."""
        tenth = len(self) // 10
        first, second, third = (self.take(part) for part in split_indices(len(self), [len(self) - 2 * tenth, tenth]))
        return first, second, third


def load_spoken_digits(*, full: bool = False) -> SpokenDigits:
    """Spoken digits of two speakers: 20 embedded clips (16 / 2 / 2), or 1 000 from ``PROBGEN_DATA`` with ``full=True``.

    Origin: Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset. License: CC BY-SA 4.0.

    Args:
        full: Whether to read the 1 000 clips.

    Raises:
        DataNotFoundError: ``full`` was asked for and the file is not here.
        ChecksumError: it is another file.

    Example:
        >>> from probgen.data import load_spoken_digits
        >>> train, validation, test = load_spoken_digits().splits()
        >>> len(train), len(validation), len(test)
        (16, 2, 2)
    """
    arrays = (_FULL if full else _EMBEDDED).arrays()
    names = tuple(sorted({str(name) for name in arrays["speaker"]}))
    speaker = torch.tensor([names.index(str(name)) for name in arrays["speaker"]])
    lengths = torch.from_numpy(arrays["lengths"]).long()
    return SpokenDigits(_padded(arrays), lengths, torch.from_numpy(arrays["digit"]).long(), speaker, names)


def _padded(arrays: Arrays) -> Tensor:
    pieces = torch.from_numpy(arrays["audio"]).split([int(length) for length in arrays["lengths"]])
    return torch.nn.utils.rnn.pad_sequence(list(pieces), batch_first=True)

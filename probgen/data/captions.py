"""Captions of labeled images and the vocabulary that turns them into token ids.

The captions are composed from real labels: nothing is guessed about an image that its label does not say.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["DIGIT_WORDS", "CaptionVocabulary", "digit_captions"]

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""The English names of the digits."""

_TEMPLATES = ("{}", "a {}", "the digit {}", "a handwritten {}", "an image of a {}", "{} number")
_CLASSES = (("an even", 0), ("an odd", 1))


class CaptionVocabulary:
    """The words of some captions, numbered from 1; 0 is padding, so an empty text is the null context of ``TextConditioning``.

    Words are separated by spaces; case does not matter.

    Args:
        captions: All texts that should be readable.
        length: Tokens in a text; the longest caption's by default.

    Raises:
        ValueError: no captions, or one that is longer than ``length``.

    Example:
        >>> from probgen.data import CaptionVocabulary
        >>> vocabulary = CaptionVocabulary(["a four", "the digit seven"])
        >>> len(vocabulary), vocabulary.length, vocabulary.encode(["a seven", ""]).tolist()
        (6, 3, [[1, 4, 0], [0, 0, 0]])
        >>> vocabulary.decode(vocabulary.encode(["the digit four"]))
        ['the digit four']
    """

    def __init__(self, captions: Sequence[str], length: int | None = None) -> None:
        texts = [caption.lower().split() for caption in captions]
        if not texts:
            raise ValueError("`captions` must hold at least one text; got none.")
        longest = max(len(words) for words in texts)
        if length is not None and longest > length:
            raise ValueError(f"`length` must be at least that of the longest caption, {longest}; got {length}.")
        self.length = longest if length is None else length
        self.words = ("", *sorted({word for words in texts for word in words}))
        self._ids = {word: index for index, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, captions: Sequence[str]) -> Tensor:
        """Token ids ``[N, length]``, int64, padded with 0.

        Args:
            captions: N texts.

        Raises:
            ValueError: an unknown word, or a text that is too long.
        """
        rows = []
        for caption in captions:
            words = caption.lower().split()
            unknown = [word for word in words if word not in self._ids]
            if unknown or len(words) > self.length:
                raise ValueError(
                    f"`captions` may use {self.length} words of the vocabulary {self.words[1:]}; got {caption!r}"
                    f"{f' with unknown {unknown}' if unknown else ''}."
                )
            rows.append([self._ids[word] for word in words] + [0] * (self.length - len(words)))
        return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), self.length)

    def decode(self, tokens: Tensor) -> list[str]:
        """The texts of token ids ``[N, length]``.

        Args:
            tokens: Token ids.
        """
        return [" ".join(self.words[index] for index in row if index) for row in tokens.tolist()]

    def __repr__(self) -> str:
        return f"CaptionVocabulary({len(self)} words, length {self.length})"


def digit_captions(labels: Tensor, generator: torch.Generator | None = None) -> list[str]:
    """A caption for every label: a digit's name in one of several phrases, or only whether it is even or odd (one in five).

    Args:
        labels: Digits 0 to 9, shape ``[N]``.
        generator: Which phrase.

    Raises:
        ValueError: a label is no digit.

    Example:
        >>> import torch
        >>> from probgen.data import digit_captions
        >>> captions = digit_captions(torch.tensor([7, 7, 7]), torch.Generator().manual_seed(0))
        >>> all("seven" in caption or "odd" in caption for caption in captions)
        True
    """
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) <= 9:
        raise ValueError(f"`labels` must be digits 0 to 9; got values from {int(labels.min())} to {int(labels.max())}.")
    phrase = torch.randint(5 * len(_TEMPLATES), labels.shape, generator=generator).tolist()
    texts = []
    for label, choice in zip(labels.tolist(), phrase, strict=True):
        if choice < len(_TEMPLATES):  # one in five says less
            texts.append(f"{_CLASSES[label % 2][0]} number")
        else:
            texts.append(_TEMPLATES[choice % len(_TEMPLATES)].format(DIGIT_WORDS[label]))
    return texts

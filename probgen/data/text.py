"""Characters: tiny Shakespeare as integers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.data.files import DataFile
from probgen.data.summary import Summarized

__all__ = ["Text", "load_shakespeare"]

_EMBEDDED = DataFile(
    "shakespeare.txt",
    "bc5e13b6b458bc23e7b51d8fd1531ce0a2ec98c4de7edea1b2f73ffa70adda6e",
    "It ships with probgen: reinstall the package.",
    embedded=True,
)
_FULL = DataFile(
    "tinyshakespeare.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    "Get data/tinyshakespeare/input.txt from https://github.com/karpathy/char-rnn as $PROBGEN_DATA/tinyshakespeare.txt.",
)


@dataclass(frozen=True, repr=False)
class Text(Summarized):
    """A text as integers over its own alphabet.

    Attributes:
        symbols: The alphabet, sorted; code k stands for ``symbols[k]``.
        train: Codes of the first 90 %, ``[n]``.
        validation: The next 5 %.
        test: The last 5 %.

    Example:
        >>> from probgen.data import load_shakespeare
        >>> text = load_shakespeare()
        >>> text.decode(text.train[:14]), len(text.symbols)
        ('First Citizen:', 61)
    """

    symbols: str
    train: Tensor
    validation: Tensor
    test: Tensor

    def encode(self, text: str) -> Tensor:
        """Codes of ``text``, int64 ``[n]``.

        Raises:
            ValueError: a character is not in the alphabet.
        """
        unknown = sorted(set(text) - set(self.symbols))
        if unknown:
            raise ValueError(f"`text` must use the {len(self.symbols)} symbols of the alphabet; got {unknown}.")
        return _encode(text, self.symbols)

    def decode(self, codes: Tensor) -> str:
        """The string that ``codes`` ``[n]`` stand for."""
        return "".join(self.symbols[code] for code in codes.tolist())


def load_shakespeare(*, full: bool = False) -> Text:
    """Plays of Shakespeare: 99 991 embedded characters, or 1 115 394 from ``PROBGEN_DATA`` with ``full=True``.

    Public domain; collected by A. Karpathy, https://github.com/karpathy/char-rnn. The splits are contiguous: first 90 %, next
    5 %, last 5 %.

    Args:
        full: Whether to read the whole text.

    Raises:
        DataNotFoundError: ``full`` was asked for and the file is not here.
        ChecksumError: it is another file.

    Example:
        >>> from probgen.data import load_shakespeare
        >>> text = load_shakespeare()
        >>> len(text.train), len(text.validation), len(text.test)
        (89991, 4999, 5001)
    """
    content = (_FULL if full else _EMBEDDED).read().decode("ascii")
    symbols = "".join(sorted(set(content)))
    codes = _encode(content, symbols)
    n = len(codes)
    train, validation, test = codes.split([n * 9 // 10, n // 20, n - n * 9 // 10 - n // 20])
    return Text(symbols, train, validation, test)


def _encode(text: str, symbols: str) -> Tensor:
    code = {symbol: k for k, symbol in enumerate(symbols)}
    return torch.tensor([code[character] for character in text], dtype=torch.long)

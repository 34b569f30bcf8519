r"""Codes of integers over an arithmetic coder: tables, uniform numbers, indices, and cells of a lattice under a normal law.

Each code is a pair, ``write_...`` and ``read_...``, that must be given the same parameters. Costs are :math:`-\log_2` of:

* table: a probability rounded to a multiple of :math:`2^{-24}` and never zero;
* index :math:`n \ge 1`: its octave :math:`b = \lfloor\log_2 n\rfloor` is geometric with a given mean, its place in the octave
  uniform, a Zipf law in steps of an octave;
* cell k: the normal mass of :math:`[(k + u - \tfrac12) s, (k + u + \tfrac12) s)`; far cells are spelled out.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from probgen.diffusion.codec_arithmetic import ArithmeticDecoder, ArithmeticEncoder, CodecError

__all__ = [
    "frequencies",
    "read_cell",
    "read_index",
    "read_table",
    "read_uniform",
    "write_cell",
    "write_index",
    "write_table",
    "write_uniform",
]

_TABLE_TOTAL = 1 << 24
_OCTAVES = 40
_REACH = 1 << 10  # cells on either side of the mean that have a share of their own
_CELL_TOTAL = 1 << 30


def frequencies(probs: Sequence[float]) -> list[int]:
    r"""Cumulative integer shares of a table of probabilities; every entry gets at least one part in :math:`2^{24}`.

    Args:
        probs: Probabilities, or weights, of the symbols.

    Example:
        >>> from probgen.diffusion.codec_symbols import frequencies
        >>> [round(c / 2**24, 6) for c in frequencies([0.5, 0.0, 0.5])]
        [0.0, 0.5, 0.5, 1.0]
    """
    free = _TABLE_TOTAL - len(probs)
    total, mass, cumulative = math.fsum(probs), 0.0, [0]
    for index, p in enumerate(probs):
        mass += p
        cumulative.append(index + 1 + int(min(mass / total, 1.0) * free))
    cumulative[-1] = _TABLE_TOTAL
    return cumulative


def write_table(encoder: ArithmeticEncoder, symbol: int, cumulative: Sequence[int]) -> None:
    """Write a symbol of a table.

    Args:
        encoder: Where to.
        symbol: The symbol, from 0.
        cumulative: The table, made by ``frequencies``.

    Example:
        >>> from probgen.diffusion import ArithmeticDecoder, ArithmeticEncoder
        >>> from probgen.diffusion.codec_symbols import frequencies, read_table, write_table
        >>> encoder = ArithmeticEncoder()
        >>> write_table(encoder, 1, frequencies([0.5, 0.5]))
        >>> read_table(ArithmeticDecoder(encoder.finish()), frequencies([0.5, 0.5])), encoder.information
        (1, 1.0)
    """
    encoder.write(cumulative[symbol], cumulative[symbol + 1], cumulative[-1])


def read_table(decoder: ArithmeticDecoder, cumulative: Sequence[int]) -> int:
    """Read a symbol of a table.

    Args:
        decoder: Where from.
        cumulative: The table, made by ``frequencies``.

    Example:
        >>> from probgen.diffusion import ArithmeticDecoder
        >>> from probgen.diffusion.codec_symbols import frequencies, read_table
        >>> read_table(ArithmeticDecoder(bytes([128])), frequencies([0.5, 0.5]))  # the fraction one half
        1
    """
    found = 0

    def find(target: int) -> tuple[int, int]:
        nonlocal found
        found = bisect_right(cumulative, target) - 1
        return cumulative[found], cumulative[found + 1]

    decoder.read(cumulative[-1], find)
    return found


def write_uniform(encoder: ArithmeticEncoder, value: int, bits: int) -> None:
    r"""Write an integer below :math:`2^{\mathrm{bits}}`, most significant part first.

    Args:
        encoder: Where to.
        value: The integer.
        bits: How many bits it has.

    Example:
        >>> from probgen.diffusion import ArithmeticDecoder, ArithmeticEncoder
        >>> from probgen.diffusion.codec_symbols import read_uniform, write_uniform
        >>> encoder = ArithmeticEncoder()
        >>> write_uniform(encoder, 1000, 10)
        >>> read_uniform(ArithmeticDecoder(encoder.finish()), 10), encoder.information
        (1000, 10.0)
    """
    while bits > 0:
        part = min(bits, 16)
        bits -= part
        piece = (value >> bits) & ((1 << part) - 1)
        encoder.write(piece, piece + 1, 1 << part)


def read_uniform(decoder: ArithmeticDecoder, bits: int) -> int:
    """Read what ``write_uniform`` wrote.

    Args:
        decoder: Where from.
        bits: How many bits the integer has.

    Example:
        >>> from probgen.diffusion import ArithmeticDecoder
        >>> from probgen.diffusion.codec_symbols import read_uniform
        >>> read_uniform(ArithmeticDecoder(bytes([0b01100000])), 3)
        3
    """
    value = 0
    while bits > 0:
        part = min(bits, 16)
        bits -= part
        value = (value << part) | decoder.read(1 << part, lambda target: (target, target + 1))[0]
    return value


def _octaves(mean: float) -> list[int]:
    ratio = mean / (1 + mean)
    return frequencies([ratio**b for b in range(_OCTAVES)])


def write_index(encoder: ArithmeticEncoder, index: int, mean_octave: float) -> None:
    """Write an index from 1.

    Args:
        encoder: Where to.
        index: The index.
        mean_octave: About what its binary logarithm is expected to be.

    Raises:
        ValueError: an index below 1, or of more than 40 bits.

    Example:
        >>> from probgen.diffusion import ArithmeticDecoder, ArithmeticEncoder
        >>> from probgen.diffusion.codec_symbols import read_index, write_index
        >>> encoder = ArithmeticEncoder()
        >>> write_index(encoder, 5, mean_octave=1.0)
        >>> read_index(ArithmeticDecoder(encoder.finish()), 1.0), round(encoder.information, 3)
        (5, 5.0)
    """
    octave = index.bit_length() - 1
    if not 0 <= octave < _OCTAVES:
        raise ValueError(f"`index` must lie in 1 .. 2**{_OCTAVES} - 1; got {index}.")
    write_table(encoder, octave, _octaves(mean_octave))
    write_uniform(encoder, index - (1 << octave), octave)


def read_index(decoder: ArithmeticDecoder, mean_octave: float) -> int:
    """Read what ``write_index`` wrote.

    Args:
        decoder: Where from.
        mean_octave: As in writing.

    Example:
        >>> from probgen.diffusion import ArithmeticDecoder
        >>> from probgen.diffusion.codec_symbols import read_index
        >>> read_index(ArithmeticDecoder(bytes(1)), mean_octave=1.0)
        1
    """
    octave = read_table(decoder, _octaves(mean_octave))
    return (1 << octave) + read_uniform(decoder, octave)


class _Cells:
    """Integer shares of the cells around the mean of a normal law, and of "elsewhere" at the end."""

    def __init__(self, offset: float, step: float, mean: float, scale: float) -> None:
        self.first = round(mean / step - offset) - _REACH
        self.count = 2 * _REACH + 1
        self._offset, self._step, self._mean, self._scale = offset, step, mean, scale

    def start(self, j: int) -> int:
        """Where the share of cell ``first + j`` begins."""
        if j <= 0:
            return 0
        if j >= self.count:
            return _CELL_TOTAL - 1 if j == self.count else _CELL_TOTAL
        edge = (self.first + j + self._offset - 0.5) * self._step
        mass = 0.5 * math.erfc((self._mean - edge) / (self._scale * math.sqrt(2)))
        return j + int(mass * (_CELL_TOTAL - self.count - 1))

    def find(self, target: int) -> int:
        """The j whose share holds ``target``."""
        low, high = 0, self.count
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.start(middle) <= target else (low, middle - 1)
        return low


def write_cell(encoder: ArithmeticEncoder, k: int, offset: float, step: float, mean: float, scale: float) -> None:
    r"""Write the cell k of the lattice :math:`(k + u) s` under :math:`\mathcal N(\mathrm{mean}, \mathrm{scale}^2)`.

    Args:
        encoder: Where to.
        k: The cell.
        offset: The dither u.
        step: The width s of a cell.
        mean: Mean of the normal law.
        scale: Its standard deviation.

    Example:
        >>> from probgen.diffusion import ArithmeticDecoder, ArithmeticEncoder
        >>> from probgen.diffusion.codec_symbols import read_cell, write_cell
        >>> encoder = ArithmeticEncoder()
        >>> write_cell(encoder, -3, 0.25, 0.5, 0.0, 1.0)
        >>> read_cell(ArithmeticDecoder(encoder.finish()), 0.25, 0.5, 0.0, 1.0)
        -3
    """
    cells = _Cells(offset, step, mean, scale)
    j = k - cells.first
    if 0 <= j < cells.count:
        encoder.write(cells.start(j), cells.start(j + 1), _CELL_TOTAL)
        return
    encoder.write(_CELL_TOTAL - 1, _CELL_TOTAL, _CELL_TOTAL)
    write_uniform(encoder, int(k < cells.first), 1)
    write_index(encoder, 1 + abs(k - cells.first), 16.0)


def read_cell(decoder: ArithmeticDecoder, offset: float, step: float, mean: float, scale: float) -> int:
    """Read what ``write_cell`` wrote.

    Args:
        decoder: Where from.
        offset: As in writing.
        step: As in writing.
        mean: As in writing.
        scale: As in writing.

    Raises:
        CodecError: the message is damaged.

    Example:
        >>> from probgen.diffusion import ArithmeticDecoder
        >>> from probgen.diffusion.codec_symbols import read_cell
        >>> read_cell(ArithmeticDecoder(bytes([128])), 0.0, 1.0, 7.0, 1.0)  # the middle of the law
        7
    """
    cells = _Cells(offset, step, mean, scale)
    found = 0

    def find(target: int) -> tuple[int, int]:
        nonlocal found
        found = cells.find(target)
        return cells.start(found), cells.start(found + 1)

    decoder.read(_CELL_TOTAL, find)
    if found < cells.count:
        return cells.first + found
    if found > cells.count:
        raise CodecError("the message is damaged: a cell that does not exist.")
    sign = -1 if read_uniform(decoder, 1) else 1
    return cells.first + sign * (read_index(decoder, 16.0) - 1)

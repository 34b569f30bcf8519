r"""Arithmetic coding: a sequence of symbols as one binary fraction.

A symbol of which sender and receiver know the probability :math:`p = (b - a)/T` in integers narrows the interval in which the
fraction lies by p, and so costs :math:`-\log_2 p` bits; the whole message costs the sum and at most two bits more. Everything
is integer arithmetic, hence exact, and the receiver stops where the symbols end.
"""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["ArithmeticDecoder", "ArithmeticEncoder", "CodecError"]

_BITS = 48
_TOP, _HALF, _QUARTER = 1 << _BITS, 1 << (_BITS - 1), 1 << (_BITS - 2)
LARGEST_TOTAL = 1 << 32


class CodecError(ValueError):
    """Bytes that cannot be decoded: of another model, damaged, or no file of ours.

    Example:
        >>> from probgen.diffusion import CodecError
        >>> issubclass(CodecError, ValueError)
        True
    """


class ArithmeticEncoder:
    r"""Writes symbols as they come, each given as the part [start, end) of a range of integers.

    Attributes:
        information: What has been written, :math:`\sum -\log_2 p`, in bits.

    References:
        Witten, Neal, Cleary (1987). Arithmetic coding for data compression. https://doi.org/10.1145/214762.214771

    Example:
        >>> from probgen.diffusion import ArithmeticDecoder, ArithmeticEncoder
        >>> encoder = ArithmeticEncoder()
        >>> for symbol in (2, 0, 2):
        ...     encoder.write(symbol, symbol + 1, 3)
        >>> data = encoder.finish()
        >>> decoder = ArithmeticDecoder(data)
        >>> len(data), [decoder.read(3, lambda target: (target, target + 1))[0] for _ in range(3)]
        (1, [2, 0, 2])
    """

    def __init__(self) -> None:
        self.information = 0.0
        self._low, self._high, self._pending = 0, _TOP - 1, 0
        self._bits: list[int] = []

    def write(self, start: int, end: int, total: int) -> None:
        """Write the symbol whose share of the range ``total`` is [start, end).

        Raises:
            ValueError: an empty share, one that does not fit, or too large a range.
        """
        if not 0 <= start < end <= total <= LARGEST_TOTAL:
            raise ValueError(f"`start` < `end` must lie in 0 .. total <= 2**32; got {start}, {end}, {total}.")
        self.information -= math.log2((end - start) / total)
        span = self._high - self._low + 1
        self._high = self._low + span * end // total - 1
        self._low = self._low + span * start // total
        while True:
            if self._high < _HALF:
                self._emit(0)
            elif self._low >= _HALF:
                self._emit(1)
                self._low, self._high = self._low - _HALF, self._high - _HALF
            elif self._low >= _QUARTER and self._high < 3 * _QUARTER:
                self._pending += 1
                self._low, self._high = self._low - _QUARTER, self._high - _QUARTER
            else:
                return
            self._low, self._high = 2 * self._low, 2 * self._high + 1

    def finish(self) -> bytes:
        """End the message; nothing may be written afterwards."""
        self._pending += 1
        self._emit(0 if self._low < _QUARTER else 1)
        bits = self._bits + [0] * (-len(self._bits) % 8)
        return bytes(sum(bit << (7 - place) for place, bit in enumerate(bits[i : i + 8])) for i in range(0, len(bits), 8))

    def _emit(self, bit: int) -> None:
        self._bits.append(bit)
        self._bits.extend([1 - bit] * self._pending)
        self._pending = 0


class ArithmeticDecoder:
    """Reads symbols that an ``ArithmeticEncoder`` wrote, with the same probabilities in the same order.

    Args:
        data: The message.

    Example:
        >>> from probgen.diffusion import ArithmeticDecoder
        >>> ArithmeticDecoder(b"").read(2, lambda target: (target, target + 1))  # bits after the end read as zeros
        (0, 1)
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0
        self._low, self._high, self._value = 0, _TOP - 1, 0
        for _ in range(_BITS):
            self._value = 2 * self._value + self._next()

    def read(self, total: int, find: Callable[[int], tuple[int, int]]) -> tuple[int, int]:
        """Read a symbol's share [start, end) of the range ``total``.

        Args:
            total: As in writing.
            find: From a number below ``total`` to the share that holds it.

        Raises:
            CodecError: the message is not one that could have been written.
        """
        span = self._high - self._low + 1
        target = ((self._value - self._low + 1) * total - 1) // span
        start, end = find(target)
        if not start <= target < end:
            raise CodecError("the message is damaged: no symbol fits.")
        self._high = self._low + span * end // total - 1
        self._low = self._low + span * start // total
        while True:
            if self._high < _HALF:
                shift = 0
            elif self._low >= _HALF:
                shift = _HALF
            elif self._low >= _QUARTER and self._high < 3 * _QUARTER:
                shift = _QUARTER
            else:
                return start, end
            self._low, self._high = 2 * (self._low - shift), 2 * (self._high - shift) + 1
            self._value = 2 * (self._value - shift) + self._next()

    def _next(self) -> int:
        byte, place = divmod(self._place, 8)
        self._place += 1
        if byte < len(self._data):
            return self._data[byte] >> (7 - place) & 1
        if byte > len(self._data) + 16:
            raise CodecError("the message ends too early.")
        return 0

r"""Levels on a line: integers :math:`0, \dots, L - 1` and the equidistant numbers that stand for them.

Level :math:`k` stands at the *bin center* :math:`c_k = a + k w`, with :math:`c_0 = a` ("low"), :math:`c_{L-1} = b` ("high") and
*bin width* :math:`w = (b - a) / (L - 1)`. Its bin is :math:`[c_k - w/2,\, c_k + w/2)`, and the two outer bins may be taken as
open. Eight-bit images on [-1, 1], as diffusion models see them, have :math:`L = 256` and :math:`w = 2/255`; the cells
:math:`[k/L, (k + 1)/L)` that fill the unit interval, as flows see them, have :math:`w = 1/L` (``from_cells``).

A density :math:`p` in these units costs :math:`-\log_2(p(x)\, w^D) / D` bits per dimension for integers, so the number to add
to the bits per dimension of the density is :math:`-\log_2 w`: it is 8 for bytes in the unit cube and 7 for bytes whose cells
fill [-1, 1], but 6.994 for bytes whose centers span it. Here it has a name and no digit to remember.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

__all__ = ["BinCenters", "Quantization", "require_quantization"]


@dataclass(frozen=True)
class Quantization:
    """Equidistant levels from ``low`` to ``high``.

    Attributes:
        levels: Number of levels L, at least 2.
        low: Center of the first bin, in the units of the data.
        high: Center of the last bin.

    Raises:
        ValueError: fewer than two levels, or ``low`` is not below ``high``, or one of them is not finite.

    Example:
        >>> import torch
        >>> from probgen.distributions import Quantization
        >>> bytes_ = Quantization(256, -1.0, 1.0)
        >>> bytes_.encode(torch.tensor([-1.0, 0.005, 5.0])), bytes_.decode(torch.tensor([0, 51, 255]))
        (tensor([  0, 128, 255]), tensor([-1.0000, -0.6000,  1.0000]))
        >>> round(bytes_.density_bits, 3), bytes_.uniform_bits
        (6.994, 8.0)
    """

    levels: int
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise ValueError(f"`levels` must be at least 2; got {self.levels}.")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"`low` must be below `high`, both finite; got {self.low} and {self.high}.")

    @classmethod
    def from_cells(cls, levels: int, low: float = 0.0, high: float = 1.0) -> Self:
        """The levels whose bins, all of one width, fill the interval from ``low`` to ``high``.

        Args:
            levels: Number of levels, at least 2.
            low: Left edge of the first bin.
            high: Right edge of the last bin.
        """
        if levels < 2:
            raise ValueError(f"`levels` must be at least 2; got {levels}.")
        half = 0.5 * (high - low) / levels
        return cls(levels, low + half, high - half)

    # --------------------------------------------------------------------------------------------------------------- constants

    @property
    def width(self) -> float:
        """Width w of a bin, in the units of the data."""
        return (self.high - self.low) / (self.levels - 1)

    @property
    def lowest_edge(self) -> float:
        """Left edge of the first bin."""
        return self.low - 0.5 * self.width

    @property
    def density_bits(self) -> float:
        r""":math:`-\log_2 w`: add it to the bits per dimension of a density in these units to get those of integers."""
        return -math.log2(self.width)

    @property
    def uniform_bits(self) -> float:
        r""":math:`\log_2 L`: bits per dimension of the uniform law over the levels."""
        return math.log2(self.levels)

    # -------------------------------------------------------------------------------------------------------------------- maps

    def encode(self, x: Tensor) -> Tensor:
        """The level whose bin holds ``x`` (integers); values beyond the ends go to the ends.

        Args:
            x: Values without NaN, any shape.
        """
        return self.level(x).long()

    def level(self, x: Tensor) -> Tensor:
        """As ``encode``, as floating-point numbers in which a NaN stays one."""
        values = x if x.is_floating_point() else x.to(torch.get_default_dtype())
        return ((values - self.lowest_edge) / self.width).floor().clamp(0, self.levels - 1)

    def decode(self, k: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """The centers of the bins of levels ``k``.

        Args:
            k: Levels, any shape, integers or floating-point numbers.
            dtype: Of the centers; None keeps that of floating-point levels and takes torch's default for integers.
        """
        wanted = dtype or (k.dtype if k.is_floating_point() else torch.get_default_dtype())
        return self.low + k.to(wanted) * self.width

    def snap(self, x: Tensor) -> Tensor:
        """The nearest bin center, in the dtype of ``x``."""
        return self.decode(self.level(x))

    def centers(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Tensor:
        """All bin centers, ``[levels]``, ascending."""
        return self.decode(torch.arange(self.levels, device=device), dtype)

    def dequantize(self, k: Tensor, *, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        r"""A uniform draw from the bin of each level, so that ``encode`` always gives the level back.

        To survive rounding the draw keeps a few units of roundoff away from the edges (6e-5 of a bin for bytes in float32).

        Args:
            k: Integer levels, any shape.
            generator: Source of the noise.
            dtype: Of the result; None for torch's default.
        """
        dtype = dtype or torch.get_default_dtype()
        eps, reach = torch.finfo(dtype).eps, max(abs(self.lowest_edge), abs(self.high + 0.5 * self.width))
        margin = 2 * eps * reach / self.width
        if margin > 0.1:
            most = int(0.05 / eps * self.levels * self.width / reach)
            raise ValueError(f"`levels` must be at most {most} in {dtype} on this interval; got {self.levels}.")
        noise = torch.rand(k.shape, generator=generator, dtype=dtype, device=k.device).clamp(margin, 1 - margin)
        return self.lowest_edge + (k.to(dtype) + noise) * self.width

    # ------------------------------------------------------------------------------------------------------------------ checks

    def require_centers(self, value: Tensor, owner: str) -> None:
        """Check that all of ``value`` are bin centers; call it only where values may be read.

        Args:
            value: Any shape.
            owner: Whose values they are, for the message.

        Raises:
            ValueError: some are none.
        """
        valid = BinCenters(self).check(value.detach())
        if bool(valid.all()):
            return
        wrong = value.detach()[~valid].flatten()[0]
        nearest = "" if bool(wrong.isnan()) else f" (the nearest is {self.snap(wrong).item():g})"
        raise ValueError(
            f"`value` of {owner} must be bin centers, {self.levels} levels from {self.low:g} to {self.high:g} "
            f"in steps of {self.width:g}; got {wrong.item():g}{nearest}, and {int((~valid).sum())} of {valid.numel()} are "
            "none. Integers become centers by `quantization.decode`, other numbers by `quantization.snap`."
        )


def require_quantization(quantization: Quantization) -> Quantization:
    """The quantization, if it is one.

    Args:
        quantization: What was given as such.

    Raises:
        TypeError: it is none.

    Example:
        >>> from probgen.distributions import Quantization
        >>> from probgen.distributions.quantization import require_quantization
        >>> require_quantization(Quantization(2, 0.0, 1.0)).levels
        2
    """
    if not isinstance(quantization, Quantization):
        raise TypeError(f"`quantization` must be a Quantization; got {type(quantization).__name__}.")
    return quantization


class BinCenters(Constraint):
    """The bin centers of a quantization, up to rounding: a thousandth of a bin, or the rounding of the dtype if that is more.

    Args:
        quantization: The levels.

    Example:
        >>> import torch
        >>> from probgen.distributions import Quantization
        >>> from probgen.distributions.quantization import BinCenters
        >>> BinCenters(Quantization(3, -1.0, 1.0)).check(torch.tensor([-1.0, 0.5, 1.0, 2.0]))
        tensor([ True, False,  True, False])
    """

    is_discrete = True
    event_dim = 0

    def __init__(self, quantization: Quantization) -> None:
        self.quantization = quantization

    def check(self, value: Tensor) -> Tensor:
        """Whether each value is a bin center (a NaN is none)."""
        found = self.quantization
        given = value if value.is_floating_point() else value.to(torch.get_default_dtype())
        rounding = 4 * torch.finfo(given.dtype).eps * max(abs(found.low), abs(found.high))
        x = given.float() if torch.finfo(given.dtype).bits < 32 else given
        tolerance = min(max(1e-3 * found.width, rounding), 0.25 * found.width)
        return (x - found.snap(x)).abs() <= tolerance

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BinCenters) and self.quantization == other.quantization

    def __hash__(self) -> int:
        return hash((BinCenters, self.quantization))

    def __repr__(self) -> str:
        found = self.quantization
        return f"BinCenters({found.levels} levels from {found.low:g} to {found.high:g})"

r"""Monotone Bernstein polynomials with linear tails.

On :math:`[-B, B]`, with :math:`t = (x + B) / 2B` and heights :math:`h_k > 0` that sum to one,

.. math::

    f'(x) = \sum_{k=0}^{n-1} n h_k \binom{n-1}{k} t^k (1 - t)^{n-1-k}, \qquad f(-B) = -B, \quad f(B) = B.

All terms of the slope are positive, so :math:`f` increases; it is a polynomial of degree :math:`n`. Outside, it continues
along straight lines with the slopes :math:`n h_0` and :math:`n h_{n-1}` that it has at the ends, so it is continuously
differentiable on the whole line. Equal heights give the identity; the value is computed as the difference from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.parameters import Parameter
from probgen.distributions.numerics.roots import invert_increasing

__all__ = ["Bernstein"]

_SMALLEST_SLOPE = 1e-2
_EVALUATIONS = 18  # parameters N(0, 4): all of 60 000 points reached machine accuracy with 14


class Bernstein(Elementwise):
    r"""A monotone Bernstein polynomial on :math:`[-B, B]`, continued by straight lines; maps the real line onto itself.

    The forward map is closed; the inverse is iterative inside the interval. Learned slopes stay within :math:`[0.01, n]`.

    Args:
        degree: The degree :math:`n`, from 1 to 64.
        bound: The bound :math:`B > 0`.
        shape: Batch shape of the learned parameter.
        heights: Increments :math:`h` of the control points, shape ``[*shape, degree]``, summing to one; None to learn them.

    Raises:
        ValueError: ``degree`` or ``bound`` is out of range, or ``heights`` is not on the simplex.

    References:
        Ramasinghe, Fernando, Khan, Barnes (2021). Robust normalizing flows using Bernstein-type polynomials.
        https://arxiv.org/abs/2102.03509

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Bernstein
        >>> f = Bernstein(degree=2, bound=1.0, heights=torch.tensor([0.25, 0.75]))
        >>> f(torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]))
        tensor([-2.0000, -1.0000, -0.2500,  1.0000,  4.0000])
    """

    exact_inverse = False
    fast_direction = "forward"

    def __init__(
        self, degree: int = 16, bound: float = 5.0, *, shape: Sequence[int] = (), heights: Tensor | None = None
    ) -> None:
        if not 1 <= degree <= 64:
            raise ValueError(f"`degree` must be between 1 and 64; got {degree}.")
        if not 0 < bound < math.inf:
            raise ValueError(f"`bound` must be positive and finite; got {bound}.")
        self.degree = degree
        self.bound = float(bound)
        super().__init__(shape, heights=heights)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``heights`` (simplex)."""
        return (Parameter("heights", constraints.simplex, _heights, (self.degree,)),)

    def extra_repr(self) -> str:
        """Degree and bound."""
        return f"degree={self.degree}, bound={self.bound}"

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return _bernstein(x, values[0], self.bound)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        heights = values[0]
        y = y.expand(torch.broadcast_shapes(y.shape, heights.shape[:-1]))
        bounds = _bounds(y, heights, self.bound)
        x, log_slope = invert_increasing(
            lambda x: _bernstein(x, heights, self.bound), y, bounds=bounds, evaluations=_EVALUATIONS
        )
        return x, -log_slope


def _bernstein(x: Tensor, heights: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    r""":math:`f(x)` and :math:`\log f'(x)`, shape ``[*batch]``."""
    degree = heights.shape[-1]
    t = ((x.clamp(-bound, bound) + bound) / (2.0 * bound))[..., None]
    # control points minus those of the identity, so what is rounded is only the difference from it
    uniform = torch.arange(1, degree + 1, dtype=x.dtype, device=x.device) / degree
    excess = (_basis(t, degree)[..., 1:] * (heights.cumsum(-1) - uniform)).sum(-1)
    slope = degree * (_basis(t, degree - 1) * heights).sum(-1)
    left = torch.where(x < -bound, x + bound, 0.0) * heights[..., 0]
    right = torch.where(x > bound, x - bound, 0.0) * heights[..., -1]
    return x.clamp(-bound, bound) + 2.0 * bound * excess + degree * (left + right), slope.log()


def _basis(t: Tensor, degree: int) -> Tensor:
    """The ``degree + 1`` Bernstein polynomials at ``t`` ``[*batch, 1]``."""
    binomial = torch.tensor([float(math.comb(degree, k)) for k in range(degree + 1)], dtype=t.dtype, device=t.device)
    return binomial * _powers(t, degree + 1) * _powers(1.0 - t, degree + 1).flip(-1)


def _powers(t: Tensor, count: int) -> Tensor:
    """The powers 0, 1, ..., ``count - 1`` of ``t`` ``[*batch, 1]``: products only, so every derivative is finite at zero."""
    powers, factor = torch.ones_like(t), t
    while powers.shape[-1] < count:
        powers = torch.cat([powers, powers * factor], -1)
        factor = factor * factor
    return powers[..., :count]


def _bounds(y: Tensor, heights: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """The roots themselves in the tails, the interval inside."""
    degree = heights.shape[-1]
    below = (y + bound).clamp(max=0.0) / (degree * heights[..., 0])
    above = (y - bound).clamp(min=0.0) / (degree * heights[..., -1])
    inside = (y.abs() <= bound).to(y.dtype) * (2.0 * bound)
    lower = torch.where(y > bound, bound + above, below - bound)
    return lower, lower + inside


def _heights(raw: Tensor) -> Tensor:
    return (1.0 - _SMALLEST_SLOPE) * raw.softmax(-1) + _SMALLEST_SLOPE / raw.shape[-1]

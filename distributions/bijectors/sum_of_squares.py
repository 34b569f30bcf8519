r"""Sum-of-squares polynomials: the integral of a positive polynomial.

A polynomial that is nowhere negative is a sum of squares, so every increasing polynomial is of the form

.. math::

    f(x) = \mathrm{loc} + \int_0^x q(t)\, dt, \qquad q(t) = \delta + \sum_k \Big(\sum_{l=0}^{r} a_{kl}\, t^l\Big)^2,

with a floor :math:`\delta > 0` on the slope that bounds the condition of the inverse. The integrand has degree :math:`2r`, so
Gauss–Legendre quadrature with :math:`r + 1` nodes is exact: :math:`f(x) = \mathrm{loc} + x \sum_j w_j\, q(x t_j)`. All its
terms are positive; the expanded polynomial, whose coefficients cancel, is never formed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.parameters import Parameter, real_parameter
from probgen.distributions.numerics.roots import invert_increasing
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["SumOfSquares"]

_SMALLEST_SLOPE = 1e-2
_LARGEST_COEFFICIENT = 10.0
_TILT = 0.05
_EVALUATIONS = 24  # parameters N(0, 16): all of 60 000 points reached machine accuracy with 24


class SumOfSquares(Elementwise):
    r""":math:`y = \mathrm{loc} + \int_0^x (\delta + \sum_k p_k(t)^2)\, dt`; an increasing polynomial of degree :math:`2r + 1`.

    Domain and codomain: the real line, with :math:`\delta = 0.01`. The forward map is closed; the inverse is iterative. It
    grows like :math:`x^{2r+1}`: stack it with bounded maps between. Zero unconstrained parameters are close to the identity
    near the origin; the components start with small, distinct tilts, because equal ones would receive equal gradients.

    Args:
        squares: Number of squares, at least 1 (two represent every positive polynomial).
        degree: Degree :math:`r` of each :math:`p_k`, at least 1.
        shape: Batch shape of the learned parameters.
        coefficients: The :math:`a_{kl}`, shape ``[*shape, squares, degree + 1]``, constant term first; None to learn them.
        loc: Translation; None to learn it.

    Raises:
        ValueError: ``squares`` or ``degree`` is less than 1.

    References:
        Jaini, Selby, Yu (2019). Sum-of-squares polynomial flow. https://arxiv.org/abs/1905.02325

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import SumOfSquares
        >>> f = SumOfSquares(squares=1, degree=1, coefficients=torch.tensor([[0.0, 3.0]]), loc=1.0)  # 1 + 0.01 x + 3 x^3
        >>> f(torch.tensor([0.0, 1.0, 10.0])), f.inverse(torch.tensor(4.01))
        (tensor([1.0000e+00, 4.0100e+00, 3.0011e+03]), tensor(1.))
    """

    exact_inverse = False
    fast_direction = "forward"

    def __init__(
        self,
        squares: int = 2,
        degree: int = 2,
        *,
        shape: Sequence[int] = (),
        coefficients: Tensor | None = None,
        loc: Tensor | float | None = None,
    ) -> None:
        for name, value in (("squares", squares), ("degree", degree)):
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1; got {value}.")
        self.squares, self.degree = squares, degree
        self._rule = _gauss_legendre(degree + 1)
        super().__init__(shape, coefficients=coefficients, loc=loc)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``coefficients`` and ``loc``."""
        shape = (self.squares, self.degree + 1)
        return (Parameter("coefficients", constraints.real, _coefficients, shape), real_parameter("loc"))

    def extra_repr(self) -> str:
        """Number of squares and their degree."""
        return f"squares={self.squares}, degree={self.degree}"

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        coefficients, loc = values
        integral, log_slope = _integral(x, coefficients, self._rule)
        return loc + integral, log_slope

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        coefficients, loc = values
        target = y - loc
        target = target.expand(torch.broadcast_shapes(target.shape, coefficients.shape[:-2]))
        farthest = target / _SMALLEST_SLOPE
        bounds = (farthest.clamp(max=0.0), farthest.clamp(min=0.0))
        x, log_slope = invert_increasing(
            lambda x: _integral(x, coefficients, self._rule), target, bounds=bounds, evaluations=_EVALUATIONS
        )
        return x, -log_slope


def _integral(x: Tensor, coefficients: Tensor, rule: tuple[tuple[float, float], ...]) -> tuple[Tensor, Tensor]:
    r""":math:`\int_0^x q` and :math:`\log q(x)`, shape ``[*batch]``; ``rule`` holds nodes and weights."""
    mean = torch.zeros_like(x)
    for node, weight in rule:
        mean = mean + weight * _slope(node * x, coefficients)
    return x * mean, _slope(x, coefficients).log()


def _slope(t: Tensor, coefficients: Tensor) -> Tensor:
    """The integrand at ``t`` ``[*batch]``, each square by Horner's rule."""
    t = t[..., None]
    total = coefficients[..., -1] + torch.zeros_like(t)
    for power in range(coefficients.shape[-1] - 2, -1, -1):
        total = coefficients[..., power] + t * total
    return _SMALLEST_SLOPE + total.square().sum(-1)


def _gauss_legendre(count: int) -> tuple[tuple[float, float], ...]:
    """Nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return tuple((0.5 * (1.0 + float(node)), 0.5 * float(weight)) for node, weight in zip(nodes, weights, strict=True))


def _coefficients(raw: Tensor) -> Tensor:
    """Bounded coefficients, scaled like a Taylor series; zero gives a slope of about one."""
    squares, count = raw.shape[-2:]
    factorials = torch.tensor([float(math.factorial(power)) for power in range(count)], dtype=raw.dtype, device=raw.device)
    level = math.sqrt((1.0 - _SMALLEST_SLOPE) / squares)
    tilts = [_TILT * (2.0 * k / (squares - 1.0) - 1.0) if squares > 1 else 0.0 for k in range(squares)]
    start = torch.tensor([[level, tilt, *([0.0] * (count - 2))] for tilt in tilts], dtype=raw.dtype, device=raw.device)
    return start + soft_clip(raw, _LARGEST_COEFFICIENT) / factorials

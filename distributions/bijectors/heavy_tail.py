r"""A normal law becomes one with power tails: both tail indices are parameters.

Let :math:`e = \operatorname{erf}(z / \sqrt 2)`, so that :math:`1 - e^2 = 4\,\Phi(z)\,\Phi(-z)`. The map equates

.. math::

    1 - e^2 = \Big(1 + \frac{4 \lambda}{\pi} y^2\Big)^{-1 / 2\lambda}, \qquad \operatorname{sign} y = \operatorname{sign} z,

with :math:`\lambda` of the side on which :math:`z` lies. With :math:`L = -\log(1 - e^2)`, both directions are closed forms:

.. math::

    y = \sqrt{\tfrac{\pi}{2}}\, \operatorname{sign}(z) \sqrt{\frac{e^{2 \lambda L} - 1}{2 \lambda}}, \qquad
    \log \frac{dy}{dz} = \log \frac{\sqrt{\pi/2}\; e}{y} - \frac{z^2}{2} + (1 + 2 \lambda) L .

It is smooth on each side and twice continuously differentiable at zero, where its slope is one. For :math:`z \sim N(0, 1)`,
:math:`P(y > t) \sim c\, t^{-1/\lambda}`: the tail index is :math:`\nu = 1 / \lambda`, that of a Student law. For
:math:`\lambda = 1/2` the law *is* Student's with :math:`\nu = 2`, of scale :math:`\sqrt{\pi}/2`; as :math:`\lambda \to 0`,
:math:`1 - e^2 = e^{-2 y^2 / \pi}` is Pólya's approximation of the normal law, so the map comes close to the identity
(within 0.06 for :math:`|z| \le 2`).

A map with power tails has no finite slope. Here it continues linearly from :math:`z_0 = \sqrt{64 / \lambda}` on, that is from
:math:`|y| > 10^{13}`: no input overflows, and no draw gets there. The derivation stands in
``docs/derivations/flow-manifolds.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.nn import functional

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.parameters import Parameter
from probgen.distributions.numerics.normal_tail import log_scaled_upper_tail, upper_quantile
from probgen.distributions.numerics.stable import log1mexp, soft_clip

__all__ = ["HeavyTail"]

_REACH = 32.0
_SLOPE = math.sqrt(math.pi / 2)
_IDENTITY, _FACTOR = 0.1, 20.0


class HeavyTail(Elementwise):
    r"""Give each tail a power law, :math:`P(y > t) \sim t^{-1/\lambda_+}` and :math:`P(y < -t) \sim t^{-1/\lambda_-}`.

    Domain and codomain: the real line. Put it behind a flow with a normal base, in front of an affine map: then every marginal
    has the tail index that it learned, which no flow of Lipschitz maps can give it.

    Args:
        left: :math:`\lambda_- = 1/\nu_-`, between 0.001 and 10; None to learn it (then between 1/200 and 2, started at 1/10).
        right: :math:`\lambda_+ = 1/\nu_+`, as ``left``.
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: a given value is outside its range.

    References:
        Jaini, Kobyzev, Yu, Brubaker (2020). Tails of Lipschitz triangular flows. https://arxiv.org/abs/1907.04481
        Hickling, Prangle (2024). Flexible tails for normalizing flows. https://arxiv.org/abs/2406.16971

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import HeavyTail
        >>> f = HeavyTail(left=0.1, right=0.5)
        >>> y = f(torch.tensor([-5.0, 0.0, 5.0]))
        >>> y, f.inverse(y)
        (tensor([ -10.6425,    0.0000, 1170.4492]), tensor([-5.,  0.,  5.]))
    """

    def __init__(
        self, left: Tensor | float | None = None, right: Tensor | float | None = None, *, shape: Sequence[int] = ()
    ) -> None:
        super().__init__(shape, left=left, right=right)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``left`` and ``right``, the reciprocals of the tail indices."""
        return (_tail("left"), _tail("right"))

    @property
    def tail_index(self) -> tuple[Tensor, Tensor]:
        r"""The indices :math:`\nu_- = 1/\lambda_-` and :math:`\nu_+ = 1/\lambda_+` of the two tails under a normal base."""
        left, right = self._own_values()
        return 1 / left, 1 / right

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        left, right = values
        weight = torch.where(x < 0, left, right)
        size = torch.where(x < 0, -x, x)
        central = size < 1
        y, log_slope = _central_forward(torch.where(central, x, 0.5), weight)
        limit = _limit(weight)
        inner = torch.where(size > limit, limit, torch.where(central, 2.0, size))
        outer, outer_slope = _outer_forward(inner, weight)
        outer = outer + outer_slope.exp() * (torch.where(central, inner, size) - inner)
        y = torch.where(central, y, torch.where(x < 0, -outer, outer))
        return y, torch.where(central, log_slope, outer_slope)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        left, right = values
        weight = torch.where(y < 0, left, right)
        size = torch.where(y < 0, -y, y)
        central = size < 1
        x, log_slope = _central_inverse(torch.where(central, y, 0.5), weight)
        limit = _limit(weight)
        edge, edge_slope = _outer_forward(limit, weight)
        beyond = size > edge
        # not `minimum`: its forward-mode derivative subtracts and adds that of `edge`, a number of size 1e13
        outer, outer_slope = _outer_inverse(torch.where(beyond, edge, torch.where(central, 2.0, size)), weight)
        outer = torch.where(beyond, limit + (size - edge) * torch.exp(-edge_slope), outer)
        outer_slope = torch.where(beyond, -edge_slope, outer_slope)
        x = torch.where(central, x, torch.where(y < 0, -outer, outer))
        return x, torch.where(central, log_slope, outer_slope)


def _tail(name: str) -> Parameter:
    bound = math.log(_FACTOR)
    return Parameter(name, constraints.interval(1e-3, 10.0), lambda raw: _IDENTITY * torch.exp(soft_clip(raw, bound)))


def _limit(weight: Tensor) -> Tensor:
    """Where the map becomes linear."""
    return (2 * _REACH / weight).sqrt()


def _central_forward(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The map for ``|x| < 1``, odd term by odd term: nothing is singular at zero."""
    e = torch.erf(x * math.sqrt(0.5))
    ratio = _log_ratio(e.square())
    level = e.square() * ratio
    ratio = ratio * _exp_ratio(2 * weight * level)
    return _SLOPE * e * ratio.sqrt(), (1 + 2 * weight) * level - 0.5 * (x.square() + ratio.log())


def _central_inverse(y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    square = (y / _SLOPE).square()
    ratio = _log_ratio(-2 * weight * square)
    level = square * ratio
    ratio = ratio * _exp_ratio(-level)
    x = math.sqrt(2.0) * torch.erfinv(y / _SLOPE * ratio.sqrt())
    return x, 0.5 * (x.square() - ratio.log()) - (1 + 2 * weight) * level


def _outer_forward(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The map for ``1 <= x <= limit``, from logarithms of probabilities."""
    excess = _excess(x)
    level = excess + 0.5 * x.square()
    exponent = weight * level
    y = _SLOPE * exponent.exp() * (-torch.expm1(-2 * exponent) / (2 * weight)).sqrt()
    return y, _outer_log_slope(excess, level, weight)


def _outer_inverse(y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    level = -functional.logsigmoid(-(2 * weight).log() - 2 * (y / _SLOPE).log()) / (2 * weight)  # softplus drops e^-20
    x = upper_quantile(level + math.log(2.0) + torch.log1p((-torch.expm1(-level)).sqrt()))
    return x, -_outer_log_slope(_excess(x), level, weight)


def _excess(x: Tensor) -> Tensor:
    """``L - x^2 / 2``, which stays small where both are in the thousands."""
    scaled = log_scaled_upper_tail(x)
    return -scaled - torch.log1p(-torch.exp(scaled - 0.5 * x.square())) - math.log(4.0)


def _outer_log_slope(excess: Tensor, level: Tensor, weight: Tensor) -> Tensor:
    difference = log1mexp(level) - (-torch.expm1(-2 * weight * level) / (2 * weight)).log()
    return excess + weight * level + 0.5 * difference


def _log_ratio(q: Tensor) -> Tensor:
    """``-log(1 - q) / q``, one at zero."""
    small = q.abs() < 1e-3
    safe = torch.where(small, 0.5, q)
    series = 1 + q * (1 / 2 + q * (1 / 3 + q * (1 / 4 + q / 5)))
    return torch.where(small, series, -torch.log1p(-safe) / safe)


def _exp_ratio(a: Tensor) -> Tensor:
    """``(exp(a) - 1) / a``, one at zero."""
    small = a.abs() < 1e-3
    safe = torch.where(small, 0.5, a)
    series = 1 + a * (1 / 2 + a * (1 / 6 + a * (1 / 24 + a / 120)))
    return torch.where(small, series, torch.expm1(safe) / safe)

r"""Unconstrained monotone networks: the integral of a positive network.

.. math::

    y = \mathrm{loc} + \mathrm{scale} \int_0^x g(t; c)\, dt, \qquad g > \delta > 0,

with any network in :math:`g`; nothing about its weights is constrained. The integral of a network is not known, and a
quadrature of it is another map: its derivative is not :math:`g`, and where the network is rough it may fall. So what is
integrated is an interpolant, whose integral is known and cannot fall. On each cell between fixed knots,

.. math::

    \hat g(t) = \delta + p(t)^2, \qquad p(t_k) = \sqrt{g(t_k; c) - \delta} \text{ at the Gauss–Lobatto nodes } t_k,

with a polynomial p; the integral is exact (``_squared_polynomials.py``) and its derivative is :math:`\hat g(x)`. Value and
log-determinant are those of one increasing map for *every* network, whether the interpolation has converged or not. Outside
:math:`[-B, B]` the integrand is what it is at the end, so the tails are straight lines. With 16 cells of 6 nodes on
:math:`[-5, 5]` and weights drawn at random :math:`\log \hat g` and :math:`\log g` differ by less than :math:`10^{-6}`, with 8
nodes :math:`10^{-7}` (``tests/distributions/bijectors/monotone/test_integral_network.py``); a network that has learned narrow
modes is rougher, and the map is then the interpolant's. On held-out data of such modes more nodes gained nothing.

**Cost.** The network is evaluated at the nodes between 0 and the end on the side of x, and nowhere else: neither the derivative
nor the inverse needs more. The inverse looks up the cell of the root; its root finder only evaluates polynomials.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions.bijectors.monotone._shared_network import NetworkElement, signal_parameters
from probgen.distributions.bijectors.monotone._squared_polynomials import SquaredPolynomials
from probgen.distributions.bijectors.parameters import Parameter
from probgen.distributions.numerics.linear import full_precision
from probgen.distributions.numerics.roots import invert_increasing

__all__ = ["IntegralNetwork"]

_FLOOR = 1e-2
_LARGEST_EXPONENT = 10.0
_EVALUATIONS = 16


class IntegralNetwork(NetworkElement):
    r"""The integral of a positive network, :math:`y = \mathrm{loc} + \mathrm{scale} \int_0^x g(t; c)\, dt`.

    Domain and codomain: the real line; :math:`0.01 < g`. A piecewise polynomial that agrees with :math:`g` at the nodes is
    integrated without error; the inverse is iterative. The weights belong to the network and are learned with it; a
    conditioner emits the signal :math:`c`, ``loc`` and ``scale``.

    Args:
        hidden: Widths of the hidden layers of :math:`g`, at least one.
        signal: Numbers that tell the network about a coordinate, at least 1.
        bound: The network acts on :math:`[-B, B]`; beyond, the map is linear. Standardize the data.
        cells: Cells on :math:`[-B, B]`, an even number.
        nodes: Where in a cell the network is evaluated, both ends among them, at least 2.
        shape: Batch shape of the learned signal, location and scale.

    Raises:
        ValueError: a size is out of range.

    References:
        Wehenkel, Louppe (2019). Unconstrained monotonic neural networks. https://arxiv.org/abs/1908.05164

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import IntegralNetwork
        >>> f = IntegralNetwork(hidden=(8,), signal=4, shape=(3,))
        >>> x = torch.tensor([-1e3, 0.5, 30.0])
        >>> torch.allclose(f.inverse(f(x)), x, rtol=1e-5), f.num_free
        (True, 6)
    """

    exact_inverse = False
    fast_direction = "forward"

    def __init__(
        self,
        hidden: Sequence[int] = (16, 16),
        signal: int = 8,
        *,
        bound: float = 5.0,
        cells: int = 16,
        nodes: int = 6,
        shape: Sequence[int] = (),
    ) -> None:
        if not hidden or min(hidden) < 1 or signal < 1:
            raise ValueError(f"`hidden` and `signal` must be positive; got {tuple(hidden)} and {signal}.")
        if cells < 2 or cells % 2 or nodes < 2 or not bound > 0:
            raise ValueError(
                f"`cells` must be even and positive, `nodes` at least 2 and `bound` positive; got {cells}, {nodes} and {bound}."
            )
        self.signal_size, self.bound, self.cells, self.nodes = signal, float(bound), cells, nodes
        self._rule = SquaredPolynomials(nodes)
        super().__init__(shape)
        self.network = _PositiveFunction(tuple(hidden), signal)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``signal``, ``loc`` and ``scale`` (positive)."""
        return signal_parameters(self.signal_size)

    def extra_repr(self) -> str:
        """Where and how it is integrated."""
        return f"bound={self.bound}, cells={self.cells}, nodes={self.nodes}"

    def integrand(self, x: Tensor, signal: Tensor) -> Tensor:
        r"""The integrand :math:`g(x; c)`, ``[*batch]``, as the network gives it: the slope where the interpolation is exact.

        Args:
            x: Where, ``[*batch]``.
            signal: The signal :math:`c`, ``[*batch, signal]``.
        """
        offset = self._function.offset(signal)
        value: Tensor = self._function(x.clamp(-self.bound, self.bound)[..., None], offset[..., None, :])
        return _FLOOR + value.squeeze(-1)

    @property
    def _function(self) -> _PositiveFunction:
        return cast(_PositiveFunction, self.network)

    @property
    def _cells_of_a_side(self) -> int:
        return self.cells // 2

    @property
    def _width(self) -> float:
        return self.bound / self._cells_of_a_side

    def _value_and_log_slope(self, x: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
        side = _side(x)
        distance = x * side
        roots, heights = self._table(side, signal)
        cell = (distance.detach() / self._width).nan_to_num().clamp(0, self._cells_of_a_side - 1).long()
        value, log_slope = self._integral(distance, cell, _picked(cell, roots, heights, self.nodes))
        return side * value, log_slope

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        signal, loc, scale = values
        with full_precision(y):
            value = (y - loc) / scale
            side = _side(value)
            target = (value * side).expand(torch.broadcast_shapes(value.shape, signal.shape[:-1]))
            roots, heights = self._table(side, signal)
            cell = (heights[..., 1:-1].detach() <= target.detach()[..., None]).sum(-1)
            picked = _picked(cell, roots, heights, self.nodes)
            beyond = (target - heights[..., -1]).clamp(min=0.0) / picked.tail
            low = torch.where(beyond > 0, self.bound + beyond, self._width * cell.to(target.dtype))
            distance, log_slope = invert_increasing(
                lambda distance: self._integral(distance, cell, picked),
                target,
                bounds=(low, torch.where(beyond > 0, low, low + self._width)),
                evaluations=_EVALUATIONS,
            )
        return side * distance, -(scale.log() + log_slope)

    def _table(self, side: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
        """On one side of zero: :math:`p` at all nodes ``[*batch, nodes in all]`` and the integral up to each knot."""
        offset = self._function.offset(signal)[..., None, :]
        shape = torch.broadcast_shapes(side.shape, signal.shape[:-1])
        points = self._points(offset)
        if 2 * signal.shape[:-1].numel() < shape.numel():  # both sides for each signal, instead of one for each point
            left, right = self._function(-points, offset), self._function(points, offset)
            squares = torch.where(side[..., None] < 0, left, right)
        else:
            squares = self._function(side[..., None] * points, offset)
        roots = squares.sqrt()
        knots = roots[..., :: self.nodes - 1, None]
        cells = torch.cat([roots[..., :-1].unflatten(-1, (-1, self.nodes - 1)), knots[..., 1:, :]], -1)
        areas = self._width * (_FLOOR + self._rule.areas(cells))
        return roots, torch.cat([torch.zeros_like(areas[..., :1]), areas.cumsum(-1)], -1)

    def _points(self, like: Tensor) -> Tensor:
        """The nodes of all cells from 0 to the bound; knots once."""
        starts = torch.arange(self._cells_of_a_side, dtype=like.dtype, device=like.device)[:, None]
        inner = (starts + like.new_tensor(self._rule.nodes[:-1])).reshape(-1)
        return torch.cat([self._width * inner, like.new_tensor([self.bound])])

    def _integral(self, distance: Tensor, cell: Tensor, picked: _Cell) -> tuple[Tensor, Tensor]:
        """The integral from 0 to a point of a cell, or beyond the bound, and the logarithm of its slope, ``[*batch]``."""
        inside = distance.clamp(max=self.bound)
        reach = inside - self._width * cell.to(inside.dtype)
        area, square = self._rule.integral_and_value(picked.roots, reach / self._width)
        value = picked.base + self._width * area + _FLOOR * reach + (distance - inside) * picked.tail
        return value, torch.where(distance > self.bound, picked.tail, _FLOOR + square).log()


class _Cell(NamedTuple):
    """One cell for each point: p at its nodes ``[*batch, nodes]``, the integral up to it, the slope beyond the bound."""

    roots: Tensor
    base: Tensor
    tail: Tensor


def _side(x: Tensor) -> Tensor:
    """On which side of zero: 1 or -1."""
    return torch.where(x < 0, -1.0, 1.0).to(x.dtype)


def _picked(cell: Tensor, roots: Tensor, heights: Tensor, nodes: int) -> _Cell:
    """The cells with these numbers, ``[*batch]``."""
    batch = torch.broadcast_shapes(cell.shape, heights.shape[:-1])
    first = cell.expand(batch)[..., None]
    base = heights.expand(*batch, -1).gather(-1, first).squeeze(-1)
    index = first * (nodes - 1) + torch.arange(nodes, device=cell.device)
    return _Cell(roots.expand(*batch, -1).gather(-1, index), base, _FLOOR + roots[..., -1].square())


class _PositiveFunction(nn.Module):
    r"""A positive network :math:`g(t; c) - \delta`; what the signal does is computed once."""

    def __init__(self, hidden: tuple[int, ...], signal: int) -> None:
        super().__init__()
        self.first = nn.Linear(1 + signal, hidden[0])
        self.layers = nn.ModuleList(nn.Linear(n, m) for n, m in itertools.pairwise((*hidden, 1)))
        self.level = math.log(math.expm1(1.0 - _FLOOR))

    def offset(self, signal: Tensor) -> Tensor:
        """What the signal adds to the first layer, ``[*batch, hidden[0]]``."""
        weight = self.first.weight
        signal = signal.to(torch.promote_types(signal.dtype, weight.dtype))
        return F.linear(signal, weight[:, 1:].to(signal.dtype), self.first.bias.to(signal.dtype))

    def forward(self, t: Tensor, offset: Tensor) -> Tensor:
        """The values at ``t`` ``[*batch, n]``, with ``offset`` ``[*batch, 1, hidden[0]]``."""
        h = torch.tanh(t[..., None] * self.first.weight[:, 0].to(offset.dtype) + offset)
        *between, last = cast(list[nn.Linear], list(self.layers))
        for layer in between:
            h = torch.tanh(_wide(layer, h))
        exponent = _LARGEST_EXPONENT * torch.tanh(_wide(last, h).squeeze(-1) / _LARGEST_EXPONENT)
        return F.softplus(exponent + self.level)


def _wide(layer: nn.Linear, h: Tensor) -> Tensor:
    """The layer in the dtype of what it sees, which may be wider than that of its parameters."""
    return F.linear(h, layer.weight.to(h.dtype), layer.bias.to(h.dtype))

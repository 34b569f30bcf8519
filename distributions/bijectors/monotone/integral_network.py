r"""Unconstrained monotone networks: the integral of a positive network.

.. math::

    y = \mathrm{loc} + \mathrm{scale} \int_0^x g(t; c)\, dt, \qquad g > \delta > 0,

with any network in :math:`g`; nothing about its weights is constrained. The integral is a sum over cells of width
:math:`\Delta` between fixed knots :math:`t_k` on :math:`[-B, B]`, each by Gauss–Legendre quadrature with :math:`n` nodes; the
last one ends at :math:`x`:

.. math:: q(r) = r \sum_j w_j\, g(t_k + r u_j), \qquad r = x - t_k \in [0, \Delta].

Outside :math:`[-B, B]` the integrand is what it is at the end, so the tails are straight lines.

**What the log-derivative is.** Of the true integral it would be :math:`\log g(x)`. But the map that is computed is the
quadrature, and its derivative is

.. math:: q'(r) = \sum_j w_j \big(g(t_k + r u_j) + r u_j\, g'(t_k + r u_j)\big),

which is what ``forward_and_log_det`` returns: value and log-determinant are consistent to rounding for *every* network,
whether the quadrature has converged or not. Derivatives of :math:`g` go forward through the network with its values. The gap
between the two is the quadrature's error; with 16 cells of 8 nodes on :math:`[-5, 5]` and the weights of a trained network it
is below :math:`10^{-7}`, rounding in float32 (``tests/distributions/bijectors/monotone/test_integral_network.py``). Where a
network is so rough that :math:`q' \le 0`, the log-determinant is NaN, not a number.

**Inverse.** The values at the knots are computed once and say in which cell the root lies; each step of the root finder then
costs one cell, not the integral.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions.bijectors.monotone._shared_network import NetworkElement, signal_parameters
from probgen.distributions.bijectors.parameters import Parameter
from probgen.distributions.numerics.linear import full_precision
from probgen.distributions.numerics.roots import invert_increasing

__all__ = ["IntegralNetwork"]

_FLOOR = 1e-2
_LARGEST_EXPONENT = 10.0
_EVALUATIONS = 16


class IntegralNetwork(NetworkElement):
    r"""The integral of a positive network, :math:`y = \mathrm{loc} + \mathrm{scale} \int_0^x g(t; c)\, dt`.

    Domain and codomain: the real line; :math:`0.01 < g`. The forward map is a quadrature, whose exact derivative is the
    log-determinant; the inverse is iterative. The weights belong to the network and are learned with it; a conditioner emits
    the signal :math:`c`, ``loc`` and ``scale``.

    Args:
        hidden: Widths of the hidden layers of :math:`g`, at least one.
        signal: Numbers that tell the network about a coordinate, at least 1.
        bound: The network acts on :math:`[-B, B]`; beyond, the map is linear. Standardize the data.
        cells: Cells on :math:`[-B, B]`, an even number.
        nodes: Nodes of the quadrature in a cell, at least 2.
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
        nodes: int = 8,
        shape: Sequence[int] = (),
    ) -> None:
        if not hidden or min(hidden) < 1 or signal < 1:
            raise ValueError(f"`hidden` and `signal` must be positive; got {tuple(hidden)} and {signal}.")
        if cells < 2 or cells % 2 or nodes < 2 or not bound > 0:
            raise ValueError(
                f"`cells` must be even and positive, `nodes` at least 2 and `bound` positive; got {cells}, {nodes} and {bound}."
            )
        self.signal_size, self.bound, self.cells = signal, float(bound), cells
        rule = np.polynomial.legendre.leggauss(nodes)
        self._nodes = tuple(0.5 * (1.0 + float(node)) for node in rule[0])
        self._weights = tuple(0.5 * float(weight) for weight in rule[1])
        super().__init__(shape)
        self.network = _PositiveFunction(tuple(hidden), signal)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``signal``, ``loc`` and ``scale`` (positive)."""
        return signal_parameters(self.signal_size)

    def extra_repr(self) -> str:
        """Where and how it is integrated."""
        return f"bound={self.bound}, cells={self.cells}, nodes={len(self._nodes)}"

    def integrand(self, x: Tensor, signal: Tensor) -> Tensor:
        r"""The integrand :math:`g(x; c)`, ``[*batch]``: the slope of the true integral.

        Args:
            x: Where, ``[*batch]``.
            signal: The signal :math:`c`, ``[*batch, signal]``.
        """
        offset = self._function.offset(signal)
        value: Tensor = self._function(x.clamp(-self.bound, self.bound)[..., None], offset[..., None, :])[0]
        return value.squeeze(-1)

    @property
    def _function(self) -> _PositiveFunction:
        return cast(_PositiveFunction, self.network)

    def _value_and_log_slope(self, x: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
        offset = self._function.offset(signal)
        return self._integral(x, offset, *self._table(offset))

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        signal, loc, scale = values
        with full_precision(y):
            offset = self._function.offset(signal)
            heights, ends = self._table(offset)
            target = (y - loc) / scale
            target = target.expand(torch.broadcast_shapes(target.shape, signal.shape[:-1]))
            x, log_slope = invert_increasing(
                lambda x: self._integral(x, offset, heights, ends),
                target,
                bounds=self._bracket(target, heights, ends),
                evaluations=_EVALUATIONS,
            )
        return x, -(scale.log() + log_slope)

    def _table(self, offset: Tensor) -> tuple[Tensor, Tensor]:
        """The integral at the knots ``[*batch, cells + 1]``, and the integrand at both ends ``[*batch, 2]``."""
        width = 2.0 * self.bound / self.cells
        nodes, weights = offset.new_tensor(self._nodes), offset.new_tensor(self._weights)
        starts = width * (torch.arange(self.cells, dtype=offset.dtype, device=offset.device) - self.cells // 2)
        points = torch.cat([(starts[:, None] + width * nodes).reshape(-1), offset.new_tensor([-self.bound, self.bound])])
        slopes = self._function(points, offset[..., None, :])[0]
        areas = (slopes[..., :-2].unflatten(-1, (self.cells, len(nodes))) * (width * weights)).sum(-1)
        half = self.cells // 2
        below = -areas[..., :half].flip(-1).cumsum(-1).flip(-1)
        zero = torch.zeros_like(areas[..., :1])
        return torch.cat([below, zero, areas[..., half:].cumsum(-1)], -1), slopes[..., -2:]

    def _integral(self, x: Tensor, offset: Tensor, heights: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
        """The quadrature and the logarithm of its derivative, ``[*batch]``."""
        width, half = 2.0 * self.bound / self.cells, self.cells // 2
        inside = x.clamp(-self.bound, self.bound)
        cell = (inside.detach() / width).floor().clamp(-half, half - 1).nan_to_num()
        start = width * cell
        nodes, weights = x.new_tensor(self._nodes), x.new_tensor(self._weights)
        length = inside - start
        reach = length[..., None] * nodes
        values, slopes = self._function(start[..., None] + reach, offset[..., None, :])
        batch = torch.broadcast_shapes(x.shape, heights.shape[:-1])
        index = (cell + half).long().expand(batch).unsqueeze(-1)
        base = heights.expand(*batch, -1).gather(-1, index).squeeze(-1)
        mean, slope = (values * weights).sum(-1), ((values + reach * slopes) * weights).sum(-1)
        low, high = ends.unbind(-1)
        tail = torch.where(x > 0, high, low)
        value = base + length * mean + (x - inside) * tail
        return value, torch.where(x.abs() > self.bound, tail, slope).log()

    def _bracket(self, target: Tensor, heights: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
        """The two knots around the root; in the tails, the root itself."""
        width = 2.0 * self.bound / self.cells
        count = (heights.detach() <= target.detach()[..., None]).sum(-1)
        left = (count.clamp(1, self.cells) - 1).to(target.dtype) * width - self.bound
        below = (target - heights[..., 0]).clamp(max=0.0) / ends[..., 0]
        above = (target - heights[..., -1]).clamp(min=0.0) / ends[..., 1]
        return torch.where(count > self.cells, self.bound + above, left + below), torch.where(
            count > self.cells, self.bound + above, torch.where(count < 1, -self.bound + below, left + width)
        )


class _PositiveFunction(nn.Module):
    r"""A positive network :math:`g(t; c)` and its derivative in :math:`t`; what the signal does is computed once."""

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

    def forward(self, t: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
        """The values and derivatives at ``t`` ``[*batch, n]``, with ``offset`` ``[*batch, 1, hidden[0]]``."""
        weight = self.first.weight[:, 0].to(offset.dtype)
        h = torch.tanh(t[..., None] * weight + offset)
        slope = (1.0 - h * h) * weight
        *between, last = cast(list[nn.Linear], list(self.layers))
        for layer in between:
            h = torch.tanh(_wide(layer, h))
            slope = (1.0 - h * h) * F.linear(slope, layer.weight.to(h.dtype))
        bent = torch.tanh(_wide(last, h).squeeze(-1) / _LARGEST_EXPONENT)
        exponent = _LARGEST_EXPONENT * bent + self.level
        steepness = torch.sigmoid(exponent) * (1.0 - bent * bent)
        return _FLOOR + F.softplus(exponent), steepness * F.linear(slope, last.weight.to(h.dtype)).squeeze(-1)


def _wide(layer: nn.Linear, h: Tensor) -> Tensor:
    """The layer in the dtype of what it sees, which may be wider than that of its parameters."""
    return F.linear(h, layer.weight.to(h.dtype), layer.bias.to(h.dtype))

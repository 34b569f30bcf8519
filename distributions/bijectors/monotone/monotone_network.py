r"""Networks with positive weights and increasing activations are increasing functions.

With the input :math:`x` and a signal :math:`c` (which may enter with weights of any sign),

.. math::

    h^{(1)} = \varphi(a(c)\, x + V_1 c + b_1), \qquad h^{(l+1)} = \varphi(W_l h^{(l)} + V_l c + b_l), \qquad
    f = (1 - \delta)\, w^\top h^{(L)} + \delta x,

:math:`a, W, w > 0`. Rows of :math:`W` are a gain times weights that sum to one. Half of the units are convex, :math:`\varphi(z)
= 2 \log(1 + e^z) - 2 \log 2`, half concave, :math:`-\varphi(-z)`: the first are unbounded above, the second below, so the map
is onto the line also without its floor :math:`\delta`, and equal pairs of units average to the identity.

The slope is carried along, :math:`h' = \varphi'(z) \odot W h'`: sums and products of positive numbers, exact to rounding.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions.bijectors.monotone._shared_network import NetworkElement, signal_parameters
from probgen.distributions.bijectors.parameters import Parameter, bounded_softmax
from probgen.distributions.numerics.linear import full_precision
from probgen.distributions.numerics.roots import invert_increasing
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["MonotoneNetwork"]

_FLOOR = 1e-2
_LARGEST_LOG = math.log(30.0)
_EVALUATIONS = 26


class MonotoneNetwork(NetworkElement):
    r"""An increasing network, :math:`y = \mathrm{loc} + \mathrm{scale}\,f(x; c)`: weights on the way of :math:`x` are positive.

    Domain and codomain: the real line; slopes of :math:`f` stay above 0.01. The forward map is closed, the inverse iterative.
    The weights belong to the network and are learned with it; a conditioner emits the signal :math:`c`, ``loc`` and ``scale``.

    Args:
        hidden: Widths of the hidden layers, at least one; each at least 2.
        signal: Numbers that tell the network about a coordinate, at least 1.
        shape: Batch shape of the learned signal, location and scale.
        generator: Source of randomness for the weights.

    Raises:
        ValueError: ``hidden`` is empty or has a width below 2, or ``signal`` is less than 1.

    References:
        Huang, Krueger, Lacoste, Courville (2018). Neural autoregressive flows. https://arxiv.org/abs/1804.00779
        Sill (1997). Monotonic networks. https://proceedings.neurips.cc/paper/1997/hash/83adc9225e4deb67d7ce42d58fe5157c-Abstract.html

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import MonotoneNetwork
        >>> f = MonotoneNetwork(hidden=(8, 8), signal=4, shape=(3,))
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
        shape: Sequence[int] = (),
        generator: torch.Generator | None = None,
    ) -> None:
        if not hidden or min(hidden) < 2 or signal < 1:
            raise ValueError(f"`hidden` needs widths of at least 2 and `signal` at least 1; got {tuple(hidden)} and {signal}.")
        self.signal_size = signal
        super().__init__(shape)
        self.network = _PositiveNetwork(tuple(hidden), signal, generator)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``signal``, ``loc`` and ``scale`` (positive)."""
        return signal_parameters(self.signal_size)

    def _value_and_log_slope(self, x: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
        value, log_slope = self._network(x, self._network.offsets(signal))
        return value, log_slope

    @property
    def _network(self) -> _PositiveNetwork:
        return cast(_PositiveNetwork, self.network)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        signal, loc, scale = values
        with full_precision(y):
            offsets = self._network.offsets(signal)
            target = (y - loc) / scale
            target = target.expand(torch.broadcast_shapes(target.shape, signal.shape[:-1]))
            farthest = (target - self._network(torch.zeros_like(target), offsets)[0]) / _FLOOR
            x, log_slope = invert_increasing(
                lambda x: self._network(x, offsets),
                target,
                bounds=(farthest.clamp(max=0.0), farthest.clamp(min=0.0)),
                evaluations=_EVALUATIONS,
            )
        return x, -(scale.log() + log_slope)


_Offsets = list[Tensor]


class _PositiveNetwork(nn.Module):
    """The network; what depends on the signal alone is computed once (``offsets``)."""

    def __init__(self, hidden: tuple[int, ...], signal: int, generator: torch.Generator | None) -> None:
        super().__init__()

        def normal(*shape: int, scale: float = 1.0) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(shape, generator=generator))

        widths = (*hidden, 1)
        self.slope_of_signal = normal(hidden[0], signal, scale=0.5 / math.sqrt(signal))
        self.biases = nn.ParameterList(normal(width) for width in hidden)
        self.shifts = nn.ParameterList(normal(width, signal, scale=1.0 / math.sqrt(signal)) for width in hidden)
        self.gains = nn.ParameterList(nn.Parameter(torch.zeros(width)) for width in widths)
        self.logits = nn.ParameterList(normal(m, n) for n, m in itertools.pairwise(widths))

    def offsets(self, signal: Tensor) -> _Offsets:
        """The slopes of the first layer, then the offset of every layer, ``[*batch, width]``."""
        signal = signal.to(torch.promote_types(signal.dtype, self.slope_of_signal.dtype))
        slopes = torch.exp(soft_clip(signal @ self.slope_of_signal.mT + self.gains[0], _LARGEST_LOG))
        return [slopes, *(signal @ shift.mT + bias for shift, bias in zip(self.shifts, self.biases, strict=True))]

    def forward(self, x: Tensor, offsets: _Offsets) -> tuple[Tensor, Tensor]:
        """The value and the log-slope, ``[*batch]``."""
        slopes, first, *others = offsets
        *weights, last = [weight.mT for weight in self._weights()]
        value, slope = _activated(slopes * x[..., None] + first, slopes)
        for offset, weight in zip(others, weights, strict=True):
            value, slope = _activated(value @ weight + offset, slope @ weight)
        value, slope = (value @ last).squeeze(-1), (slope @ last).squeeze(-1)
        return (1.0 - _FLOOR) * value + _FLOOR * x, torch.log((1.0 - _FLOOR) * slope + _FLOOR)

    def _weights(self) -> list[Tensor]:
        pairs = zip(list(self.gains)[1:], self.logits, strict=True)
        return [torch.exp(soft_clip(gain, _LARGEST_LOG)).unsqueeze(-1) * bounded_softmax(logits) for gain, logits in pairs]


def _activated(z: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Convex and concave units, and their slopes, from the arguments and theirs."""
    half = z.shape[-1] // 2
    sign = torch.ones_like(z[..., :1]).expand(z.shape)
    sign = torch.cat([sign[..., :half], -sign[..., half:]], -1)
    turned = sign * z
    return sign * (2.0 * F.softplus(turned, threshold=40.0) - 2.0 * math.log(2.0)), 2.0 * torch.sigmoid(turned) * slope

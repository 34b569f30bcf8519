"""Elementwise maps that own a network: its weights are shared by all coordinates, and a short signal tells them apart.

A conditioner that emitted every weight of a network for every coordinate would be large; it emits a *signal*, an extra input.
"""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.distributions import constraints

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.parameters import Parameter, positive_parameter, real_parameter
from probgen.distributions.numerics.linear import full_precision
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["NetworkElement", "signal_parameters"]

_LARGEST_SIGNAL = 10.0


class NetworkElement(Elementwise):
    """An elementwise map with a network of its own, ``self.network`` (abstract).

    Every coupling, autoregressive or conditional map that takes the element gets a copy of the network, so that layers made
    from one element do not share weights; networks run in full precision under autocast.
    """

    network: nn.Module

    def as_element(self) -> Elementwise:
        """A copy without own free parameters and with its own copy of the network."""
        element = super().as_element()
        element._modules = {name: copy.deepcopy(module) for name, module in self._modules.items()}
        return element

    def _value_and_log_slope(self, x: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError(f"{type(self).__name__} does not define `_value_and_log_slope`.")

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        signal, loc, scale = values
        with full_precision(x):
            value, log_slope = self._value_and_log_slope(x, signal)
        return loc + scale * value, scale.log() + log_slope


def signal_parameters(signal: int) -> tuple[Parameter, ...]:
    """``signal`` (bounded), ``loc`` and ``scale`` (positive).

    Args:
        signal: How many numbers the network is told about a coordinate.

    Example:
        >>> from probgen.distributions.bijectors.monotone._shared_network import signal_parameters
        >>> [parameter.name for parameter in signal_parameters(8)]
        ['signal', 'loc', 'scale']
    """
    bounded = Parameter("signal", constraints.real, lambda raw: soft_clip(raw, _LARGEST_SIGNAL), (signal,))
    return (bounded, real_parameter("loc"), positive_parameter("scale"))

r"""Pixels on levels: a mixture of discretized logistics, with colors that depend on each other.

The network sees the levels as if they spanned [-1, 1], as for the other discretized elements: with m the middle and h half of
the range, a component has locations :math:`\mu_c = m + h\,\theta_c` and scales :math:`h\,e^{s_c}`; the coefficients of earlier
colors are :math:`\tanh` of what the network says.
"""

from __future__ import annotations

from typing import cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.discretized import DiscretizedLogistic
from probgen.distributions.discretized_mixture import DiscretizedLogisticMixture, component_of, draw_colors
from probgen.distributions.elements.discretized import half_range, middle
from probgen.distributions.elements.element import Element
from probgen.distributions.elements.location_scale import leveled_log_scale
from probgen.distributions.events import checked
from probgen.distributions.numerics.categories import draw_categories
from probgen.distributions.quantization import Quantization, require_quantization

__all__ = ["DiscretizedLogisticMixtureElement"]


class DiscretizedLogisticMixtureElement(Element):
    r"""A pixel on levels with a mixture of logistic laws: the likelihood of PixelCNN++.

    Of every component the network gives a logit, C locations, C log-scales and :math:`C (C - 1) / 2` coefficients, in this
    order, each for all components: 3 K numbers for gray pixels, 10 K for three colors.

    Args:
        quantization: The levels of a color.
        components: Number K of components.
        channels: Number C of colors, the shape of an element being ``(C,)``; None for scalar coordinates, of shape ``()``.

    Raises:
        TypeError: ``quantization`` is no ``Quantization``.
        ValueError: ``components`` or ``channels`` is not positive.

    References:
        Salimans, Karpathy, Chen, Kingma (2017). PixelCNN++. https://arxiv.org/abs/1701.05517

    Example:
        >>> import torch
        >>> from probgen.distributions import Quantization
        >>> from probgen.distributions.elements import DiscretizedLogisticMixtureElement
        >>> element = DiscretizedLogisticMixtureElement(Quantization(256, -1.0, 1.0), components=10, channels=3)
        >>> element.num_parameters, element.event_shape, element(torch.zeros(8, 8, 100)).mean.shape
        (100, (3,), torch.Size([8, 8, 3]))
    """

    def __init__(self, quantization: Quantization, components: int = 10, channels: int | None = 3) -> None:
        super().__init__()
        count = 1 if channels is None else channels
        if min(components, count) < 1:
            raise ValueError(f"`components` and `channels` must be positive; got {components} and {channels}.")
        self.quantization = require_quantization(quantization)
        self.components, self.channels = components, channels
        self.sizes = (1, count, count, count * (count - 1) // 2)
        self.num_parameters = components * sum(self.sizes)
        self.event_shape = () if channels is None else (channels,)

    def _law(self, parameters: Tensor) -> TorchDistribution:
        logits, *parts = self._parts(parameters)
        logits, (location, scale, coefficients) = logits.squeeze(-1), self._on_levels(*parts)
        validate = checked(logits, location, scale)
        if self.channels is None:
            colors = DiscretizedLogistic(location.squeeze(-1), scale.squeeze(-1), self.quantization, validate_args=validate)
            chosen = dist.Categorical(logits=logits, validate_args=validate)
            return cast(TorchDistribution, dist.MixtureSameFamily(chosen, colors, validate_args=validate))
        return DiscretizedLogisticMixture(
            logits, location, scale, self.quantization, coefficients=coefficients, validate_args=validate
        )

    def _draw(self, parameters: Tensor) -> Tensor:
        logits, *parts = self._parts(parameters)
        index = draw_categories(logits.squeeze(-1))
        colors = draw_colors(*self._on_levels(*(component_of(part, index) for part in parts)), self.quantization)
        return colors.squeeze(-1) if self.channels is None else colors

    def _parts(self, parameters: Tensor) -> list[Tensor]:
        """Logits, locations, log-scales and coefficients as the network gives them, ``[*batch, K, size]``."""
        parts = parameters.split([self.components * size for size in self.sizes], -1)
        return [part.unflatten(-1, (self.components, size)) for part, size in zip(parts, self.sizes, strict=True)]

    def _on_levels(self, location: Tensor, log_scale: Tensor, raw: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Locations, scales and coefficients in the units of the data."""
        half = half_range(self.quantization)
        coefficients = torch.tanh(raw) if raw.shape[-1] else None
        return middle(self.quantization) + half * location, half * leveled_log_scale(log_scale).exp(), coefficients

    def extra_repr(self) -> str:
        """The levels, components and channels."""
        return f"{self.quantization}, components={self.components}, channels={self.channels}"

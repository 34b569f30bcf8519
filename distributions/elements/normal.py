r"""Real coordinates: :math:`x \sim \mathcal N(\mu, \sigma^2)` with a fixed, a shared or a predicted standard deviation."""

from __future__ import annotations

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.elements.location_scale import LocationScaleElement
from probgen.distributions.events import checked

__all__ = ["NormalElement"]


class NormalElement(LocationScaleElement):
    r"""A normal coordinate, :math:`\mathcal N(\mu, \sigma^2)`.

    Three ways to the standard deviation :math:`\sigma`:

    * ``"predicted"``: the network gives :math:`(\mu, \log \sigma)`, two numbers a coordinate;
    * ``"shared"``: the network gives :math:`\mu`; one :math:`\log \sigma` for all coordinates is learned, from
      :math:`\sigma = 1`;
    * a number: the network gives :math:`\mu`, :math:`\sigma` is fixed.

    A learned :math:`\log \sigma` is exact up to 13 in size and levels off beyond, so that the law can always be scored: see
    :func:`~probgen.distributions.elements.location_scale.leveled_log_scale`.

    Args:
        scale: Which of these.

    Raises:
        ValueError: the scale is a word of another kind, or not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions.elements import NormalElement
        >>> NormalElement()(torch.tensor([1.0, 0.0])), NormalElement(0.5)(torch.tensor([1.0]))
        (Normal(loc: 1.0, scale: 1.0), Normal(loc: 1.0, scale: 0.5))
    """

    def _law(self, parameters: Tensor) -> TorchDistribution:
        mean, scale = self._location_and_scale(parameters)
        return dist.Normal(mean, scale, validate_args=checked(mean, scale))

    def _draw(self, parameters: Tensor) -> Tensor:
        return torch.normal(*self._location_and_scale(parameters))

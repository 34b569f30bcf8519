r"""Real coordinates: :math:`x \sim \mathcal N(\mu, \sigma^2)` with a fixed, a shared or a predicted standard deviation."""

from __future__ import annotations

import math
from typing import Literal

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions.elements.element import Element
from probgen.distributions.events import checked

__all__ = ["NormalElement"]


class NormalElement(Element):
    r"""A normal coordinate, :math:`\mathcal N(\mu, \sigma^2)`.

    Three ways to the standard deviation :math:`\sigma`:

    * ``"predicted"``: the network gives :math:`(\mu, \log \sigma)`, two numbers a coordinate;
    * ``"shared"``: the network gives :math:`\mu`; one :math:`\log \sigma` for all coordinates is learned, from
      :math:`\sigma = 1`;
    * a number: the network gives :math:`\mu`, :math:`\sigma` is fixed.

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

    def __init__(self, scale: Literal["predicted", "shared"] | float = "predicted") -> None:
        super().__init__()
        if isinstance(scale, str) and scale not in ("predicted", "shared"):
            raise ValueError(f"`scale` must be 'predicted', 'shared' or a number; got {scale!r}.")
        if not isinstance(scale, str) and not (scale > 0 and math.isfinite(scale)):
            raise ValueError(f"`scale` must be positive and finite; got {scale}.")
        self.scale = scale
        self.num_parameters = 2 if scale == "predicted" else 1
        self.log_scale = nn.Parameter(torch.zeros(())) if scale == "shared" else None

    def _law(self, parameters: Tensor) -> TorchDistribution:
        if self.scale == "predicted":
            mean, log_scale = parameters.unbind(-1)
            scale = log_scale.exp()
        else:
            mean = parameters.squeeze(-1)
            scale = torch.full_like(mean, float(self.scale)) if self.log_scale is None else self.log_scale.exp()
        return dist.Normal(mean, scale, validate_args=checked(mean, scale))

    def extra_repr(self) -> str:
        """How the standard deviation is found."""
        return f"scale={self.scale!r}"

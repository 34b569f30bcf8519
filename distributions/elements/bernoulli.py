r"""Binary coordinates: :math:`P(x = 1) = \sigma(\theta)`."""

from __future__ import annotations

from typing import cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.elements.element import Element
from probgen.distributions.events import checked

__all__ = ["BernoulliElement"]


class BernoulliElement(Element):
    r"""A binary coordinate with logit :math:`\theta`.

    .. math:: \log p(x \mid \theta) = x \log \sigma(\theta) + (1 - x) \log \sigma(-\theta)

    Example:
        >>> import torch
        >>> from probgen.distributions.elements import BernoulliElement
        >>> BernoulliElement()(torch.zeros(3, 1)).probs
        tensor([0.5000, 0.5000, 0.5000])
    """

    num_parameters = 1

    def _law(self, parameters: Tensor) -> TorchDistribution:
        logits = parameters.squeeze(-1)
        return cast(TorchDistribution, dist.Bernoulli(logits=logits, validate_args=checked(logits)))

    def _draw(self, parameters: Tensor) -> Tensor:
        return torch.bernoulli(parameters.squeeze(-1).sigmoid())

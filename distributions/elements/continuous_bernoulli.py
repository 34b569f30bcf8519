r"""Gray coordinates in [0, 1]: the continuous Bernoulli law with logit :math:`\theta`."""

from __future__ import annotations

from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.continuous_bernoulli import ContinuousBernoulli
from probgen.distributions.elements.element import Element
from probgen.distributions.events import checked

__all__ = ["ContinuousBernoulliElement"]


class ContinuousBernoulliElement(Element):
    r"""A coordinate in [0, 1] with density :math:`p(x) \propto e^{\theta x}`, for gray values that are not to be binarized.

    References:
        Loaiza-Ganem, Cunningham (2019). The continuous Bernoulli: fixing a pervasive error in variational autoencoders.
        https://arxiv.org/abs/1907.06845

    Example:
        >>> import torch
        >>> from probgen.distributions.elements import ContinuousBernoulliElement
        >>> ContinuousBernoulliElement()(torch.zeros(2, 1)).log_prob(torch.tensor([0.0, 0.7]))  # the uniform law
        tensor([0., 0.])
    """

    num_parameters = 1

    def _law(self, parameters: Tensor) -> TorchDistribution:
        logits = parameters.squeeze(-1)
        return ContinuousBernoulli(logits, validate_args=checked(logits))

r"""Learned priors: modules that return a law of the latents when called.

The mean divergence of an encoder is :math:`I_q(x; z) + \mathrm{KL}(q(z) \,\|\, p(z))`, and only the last term depends on p. The
best prior is therefore the aggregate posterior :math:`q(z) = \tfrac1N \sum_i q(z \mid x_i)`; but evaluating it costs N
posteriors, and it overfits. What is learned instead:

* ``VampPrior``: the posteriors of K *pseudo-inputs*, which are learned in the space of the data,
  :math:`p(z) = \sum_k \pi_k\, q(z \mid u_k)`;
* ``MixturePrior``: K normal laws, :math:`p(z) = \sum_k \pi_k\, \mathcal N(z; \mu_k, \operatorname{diag} \sigma_k^2)`;
* ``FlowPrior``: a flow, :math:`z = f(\epsilon)`; with a masked autoregressive bijector it is the autoregressive prior of
  continuous latents.

A variational autoencoder takes such a module as its ``prior``, and its parameters are trained along. The bound only scores a
prior, so mixtures need no reparameterized draws, and have none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions.bijectors import Bijector
from probgen.distributions.events import checked, normal_over_event
from probgen.distributions.transformed import TransformedDistribution

__all__ = ["FlowPrior", "MixturePrior", "VampPrior"]


class VampPrior(nn.Module):
    r"""The mixture of the approximate posteriors of learned pseudo-inputs, :math:`p(z) = \sum_k \pi_k\, q(z \mid u_k)`.

    The encoder is the model's own and is shared. With the data as pseudo-inputs it is the aggregate posterior.

    Attributes:
        pseudo_inputs: The unclipped :math:`u_k`, shape ``[K, *event]``.
        logits: Logarithms of the weights :math:`\pi_k` up to a constant, shape ``[K]``; zeros if they are not learned.

    Args:
        encoder: From data to the law of the latents; a module's parameters are shared, not copied.
        pseudo_inputs: Where the K pseudo-inputs start, ``[K, *event]``; some of the data, say.
        interval: Smallest and largest value of a pseudo-input, for data that are bounded; they are clipped there.
        learned_weights: Learn the weights, too, instead of :math:`1 / K`.

    Raises:
        ValueError: there are no pseudo-inputs, or the interval is empty.

    References:
        Tomczak, Welling (2018). VAE with a VampPrior. https://arxiv.org/abs/1705.07120

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.latent import VampPrior
        >>> prior = VampPrior(lambda x: dist.Normal(x, 1.0).to_event(1), torch.tensor([[-2.0], [2.0]]))
        >>> law = prior()
        >>> law.event_shape, law.log_prob(torch.zeros(1))
        (torch.Size([1]), tensor(-2.9189, grad_fn=<LogsumexpBackward0>))
    """

    logits: Tensor

    def __init__(
        self,
        encoder: Callable[[Tensor], TorchDistribution],
        pseudo_inputs: Tensor,
        *,
        interval: tuple[float, float] | None = None,
        learned_weights: bool = False,
    ) -> None:
        super().__init__()
        if not pseudo_inputs.dim() or not len(pseudo_inputs):
            raise ValueError(f"`pseudo_inputs` must be [K, *event] with K >= 1; got shape {tuple(pseudo_inputs.shape)}.")
        if interval is not None and not interval[0] < interval[1]:
            raise ValueError(f"`interval` must go from a smaller to a larger number; got {interval}.")
        self.encoder = encoder
        self.interval = interval
        start = pseudo_inputs.detach().clone()
        self.pseudo_inputs = nn.Parameter(start if start.is_floating_point() else start.to(torch.get_default_dtype()))
        logits = torch.zeros(len(start), dtype=self.pseudo_inputs.dtype, device=start.device)
        if learned_weights:
            self.logits = nn.Parameter(logits)
        else:
            self.register_buffer("logits", logits)

    def forward(self) -> TorchDistribution:
        """The prior of the moment, over latents, with batch shape ()."""
        inputs = self.pseudo_inputs if self.interval is None else self.pseudo_inputs.clamp(*self.interval)
        return _mixture(self.logits, self.encoder(inputs))

    def extra_repr(self) -> str:
        """How many pseudo-inputs there are."""
        return f"pseudo_inputs={tuple(self.pseudo_inputs.shape)}, interval={self.interval}"


class MixturePrior(nn.Module):
    r"""A learned mixture of normal laws, :math:`p(z) = \sum_k \pi_k\, \mathcal N(z; \mu_k, \operatorname{diag} \sigma_k^2)`.

    Attributes:
        means: :math:`\mu_k`, shape ``[K, *latent]``; they start as draws of the standard normal law.
        log_scales: :math:`\log \sigma_k`, same shape; from zero.
        logits: Logarithms of the weights up to a constant, shape ``[K]``; from zero.

    Args:
        num_components: K.
        event_shape: Shape of a latent; an integer n means (n,).

    Raises:
        ValueError: there are no components.

    References:
        Dilokthanakul, Mediano, Garnelo, Lee, Salimbeni, Arulkumaran, Shanahan (2016). Deep unsupervised
        clustering with Gaussian mixture variational autoencoders. https://arxiv.org/abs/1611.02648

    Example:
        >>> import torch
        >>> from probgen.distributions.latent import MixturePrior
        >>> prior = MixturePrior(10, 2)
        >>> prior().log_prob(torch.zeros(5, 2)).shape, sum(p.numel() for p in prior.parameters())
        (torch.Size([5]), 50)
    """

    def __init__(self, num_components: int, event_shape: int | Sequence[int]) -> None:
        super().__init__()
        if num_components < 1:
            raise ValueError(f"`num_components` must be at least 1; got {num_components}.")
        shape = (event_shape,) if isinstance(event_shape, int) else tuple(event_shape)
        self.means = nn.Parameter(torch.randn(num_components, *shape))
        self.log_scales = nn.Parameter(torch.zeros(num_components, *shape))
        self.logits = nn.Parameter(torch.zeros(num_components))

    def forward(self) -> TorchDistribution:
        """The prior of the moment, over latents, with batch shape ()."""
        return _mixture(self.logits, normal_over_event(self.means, self.log_scales.exp(), self.means.dim() - 1))


class FlowPrior(nn.Module):
    r"""A flow as prior, :math:`z = f(\epsilon)` with :math:`\epsilon` from a base law; its density is exact.

    Args:
        base: The law of :math:`\epsilon`, such as ``standard_normal(2)``.
        bijector: f, from the base to latents.

    References:
        Chen, Kingma, Salimans, Duan, Dhariwal, Schulman, Sutskever, Abbeel (2017). Variational lossy autoencoder.
        https://arxiv.org/abs/1611.02731

    Example:
        >>> import torch
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.bijectors import Affine
        >>> from probgen.distributions.latent import FlowPrior
        >>> prior = FlowPrior(standard_normal(2), Affine(shape=(2,)))
        >>> prior().log_prob(torch.zeros(5, 2)).shape, len(list(prior.parameters()))
        (torch.Size([5]), 2)
    """

    def __init__(self, base: TorchDistribution, bijector: Bijector) -> None:
        super().__init__()
        self.base = base
        self.bijector = bijector

    def forward(self) -> TransformedDistribution:
        """The prior of the moment, over latents."""
        return TransformedDistribution(self.base, self.bijector)


def _mixture(logits: Tensor, components: TorchDistribution) -> TorchDistribution:
    """A mixture over the last batch dimension of laws of one family."""
    weights = dist.Categorical(logits=logits, validate_args=checked(logits))
    return cast(TorchDistribution, dist.MixtureSameFamily(weights, components, validate_args=checked(logits)))

r"""The bound of a chain over integers, term by term, and the loss that trains it.

.. math::

    -\log p(x_0) \le \mathrm{KL}(q(x_N \mid x_0) \,\|\, p(x_N))
    + \sum_{i=1}^N \mathbb E_q\, \mathrm{KL}(q(x_{i-1} \mid x_i, x_0) \,\|\, p(x_{i-1} \mid x_i)) .

At the data the posterior is certain, so the term of step 1 is :math:`-\log p(x_0 \mid x_1)`: the decoder needs no rule of its
own. One random step for each datum, times N, is an unbiased estimate at one evaluation of the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from probgen.diffusion.objectives.loss_batches import require_data
from probgen.infer import Objective

if TYPE_CHECKING:
    from probgen.diffusion.discrete import CategoricalDiffusion

__all__ = ["CategoricalLoss", "CategoricalTerm", "categorical_bound_terms", "categorical_term"]


class CategoricalTerm(NamedTuple):
    r"""One term of the bound for every datum, and how surprising the data are to the denoiser.

    Attributes:
        nats: The term, shape ``[*batch]``.
        cross_entropy: :math:`-\log p(x_0 \mid x_t)` from the same evaluation, shape ``[*batch]``.

    Example:
        >>> import torch
        >>> from probgen.diffusion import CategoricalTerm
        >>> CategoricalTerm(torch.zeros(3), torch.ones(3)).nats.shape
        torch.Size([3])
    """

    nats: Tensor
    cross_entropy: Tensor


def categorical_term(
    diffusion: CategoricalDiffusion, x_0: Tensor, step: Tensor, context: Tensor | None = None
) -> CategoricalTerm:
    r"""The term of one step for every datum, at a drawn :math:`x_i \sim q(x_i \mid x_0)`.

    Args:
        diffusion: The model.
        x_0: Integers ``[*batch, *event]``.
        step: The step i of each datum, 1 to N, shape ``[*batch]``.
        context: Shape ``[*batch, *context_shape]``, if the network takes one.

    Example:
        >>> import torch
        >>> from probgen.diffusion import CategoricalDiffusion, categorical_term
        >>> class Network(torch.nn.Module):
        ...     def forward(self, x, log_snr, context=None):
        ...         return torch.zeros(*x.shape, 2)
        >>> d = CategoricalDiffusion(Network(), values=2, event_shape=(6,), grid=6)
        >>> categorical_term(d, torch.zeros(3, 6, dtype=torch.long), torch.tensor([1, 3, 6])).nats.shape
        torch.Size([3])
    """
    times = diffusion.grid.times.to(x_0.device)
    s, t = times[step - 1], times[step]
    x_t = diffusion.process.marginal(x_0, t).sample()
    denoised = diffusion.denoiser(x_t, t, context)
    truth = diffusion.process.posterior(x_t, x_0, s, t)
    reverse = denoised.reverse(diffusion.process.schedule.level(s))
    return CategoricalTerm(kl_divergence(truth, reverse), -denoised.log_prob(x_0))


def categorical_bound_terms(diffusion: CategoricalDiffusion, x_0: Tensor, context: Tensor | None = None) -> Tensor:
    r"""All terms of the bound in nats, ``[*batch, N + 1]``: steps 1 to N and the prior's, each at one draw.

    Their sum is an unbiased estimate of the bound.

    Args:
        diffusion: The model.
        x_0: Integers ``[*batch, *event]``.
        context: Shape ``[*batch, *context_shape]``, if the network takes one.

    Example:
        >>> import torch
        >>> from probgen.diffusion import CategoricalDiffusion, categorical_bound_terms
        >>> class Network(torch.nn.Module):
        ...     def forward(self, x, log_snr, context=None):
        ...         return torch.zeros(*x.shape, 2)
        >>> d = CategoricalDiffusion(Network(), values=2, event_shape=(1,), grid=1)
        >>> categorical_bound_terms(d, torch.zeros(1, 1, dtype=torch.long))  # everything is masked: log 2 to tell, and zero
        tensor([[0.6931, 0.0000]])
    """
    batch = x_0.shape[: x_0.dim() - len(diffusion.event_shape)]
    terms = []
    with torch.no_grad():
        for index in range(1, len(diffusion.grid) + 1):
            step = torch.full(batch, index, device=x_0.device)
            terms.append(categorical_term(diffusion, x_0, step, context).nats)
        terms.append(_prior_term(diffusion, x_0))
    return torch.stack(terms, -1)


def _prior_term(diffusion: CategoricalDiffusion, x_0: Tensor) -> Tensor:
    """The divergence of the last state from the prior; no network is involved."""
    last = float(diffusion.grid.times[-1])
    marginal = diffusion.process.marginal(x_0, last)
    return kl_divergence(marginal, diffusion.process.prior(last).expand(marginal.batch_shape))


class CategoricalLoss(Objective):
    r"""The bound by one random step for each datum, and the auxiliary cross-entropy.

    .. math:: L = \tfrac1B \sum_b \bigl[N\, L_{i_b} + L_N + w\,(-\log p(x_0 \mid x_{i_b}))\bigr], \qquad i_b \sim
        \mathrm{Uniform}\{1, \dots, N\}

    Without the auxiliary term its expectation is the chain's bound in nats per datum.

    Args:
        diffusion: The model.
        auxiliary: The weight w of the cross-entropy, per step of the bound (it is multiplied by N too).

    Raises:
        ValueError: a negative weight.

    References:
        Austin, Johnson, Ho, Tarlow, van den Berg (2021). Structured denoising diffusion models in discrete
        state-spaces, equation 5. https://arxiv.org/abs/2107.03006

    Example:
        >>> import torch
        >>> from probgen.diffusion import CategoricalDiffusion
        >>> class Network(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.logits = torch.nn.Parameter(torch.zeros(2))
        ...
        ...     def forward(self, x, log_snr, context=None):
        ...         return self.logits.expand(*x.shape, 2)
        >>> loss = CategoricalDiffusion(Network(), values=2, event_shape=(1,), grid=1).loss(auxiliary=0.0)
        >>> round(float(loss(torch.zeros(4, 1, dtype=torch.long)).detach()), 4)
        0.6931
    """

    def __init__(self, diffusion: CategoricalDiffusion, auxiliary: float = 0.001) -> None:
        super().__init__()
        if auxiliary < 0:
            raise ValueError(f"`auxiliary` must be at least 0; got {auxiliary}.")
        self.diffusion = diffusion
        self.auxiliary = auxiliary

    def forward(self, x_0: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss of integers ``[size, *event]``, in nats per datum.

        Args:
            x_0: Data.
            context: Shape ``[size, *context_shape]``, if the network takes one.

        Raises:
            ValueError: an empty batch.
        """
        require_data(x_0, len(self.diffusion.event_shape))
        steps = len(self.diffusion.grid)
        batch = x_0.shape[: x_0.dim() - len(self.diffusion.event_shape)]
        step = torch.randint(1, steps + 1, batch, device=x_0.device)
        term = categorical_term(self.diffusion, x_0, step, context)
        total = steps * (term.nats + self.auxiliary * term.cross_entropy) + _prior_term(self.diffusion, x_0)
        return total.mean()

r"""Masking one coordinate after the other: the forward process whose reversal is an autoregressive model.

Coordinates have an order. After the fraction :math:`1 - \kappa(t)` of the process the last
:math:`m(t) = \mathrm{round}((1 - \kappa(t))\,D)` of them are masked, and nothing is random. On D equal steps of the linear
schedule one coordinate is masked in each. A reverse step then draws one coordinate given those before it, so the chain *is*
the chain rule :math:`p(x) = \prod_d p(x_d \mid x_{<d})`; see the page "Coding with a chain"
(``docs/derivations/diffusion-coding.md``).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from probgen.distributions.chains.categorical_kernels import JumpKernel
from probgen.distributions.chains.noise_level import NoiseLevel

__all__ = ["OrderedMasking"]


class OrderedMasking(JumpKernel):
    r"""Coordinates become the mask, the extra state K, in a fixed order.

    Args:
        values: Number K of values; the mask is the state K.
        event_shape: Shape of one datum.
        order: Coordinates (indices into the flattened event) in the order in which a chain draws them; row by row by default.

    Raises:
        ValueError: the order is no permutation.

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models, section 4.3. https://arxiv.org/abs/2006.11239
        Austin, Johnson, Ho, Tarlow, van den Berg (2021). Structured denoising diffusion models in discrete state-spaces.
        https://arxiv.org/abs/2107.03006

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import OrderedMasking, linear_keep_schedule
        >>> kernel, schedule = OrderedMasking(2, (4,)), linear_keep_schedule()
        >>> row = kernel.row(torch.tensor([0, 1, 1, 0]), schedule.level(0.0), schedule.level(0.5), torch.zeros(()), 1)
        >>> row.argmax(-1)  # half of them are masked, the last ones
        tensor([0, 1, 2, 2])
    """

    rank: Tensor

    def __init__(self, values: int, event_shape: Sequence[int], order: Sequence[int] | Tensor | None = None) -> None:
        super().__init__(values, values + 1)
        shape = torch.Size(event_shape)
        size = shape.numel()
        places = torch.arange(size) if order is None else torch.as_tensor(order).flatten()
        if len(places) != size or not torch.equal(places.sort().values, torch.arange(size)):
            raise ValueError(f"`order` must be a permutation of 0 .. {size - 1}; got {places.tolist()[:10]}.")
        self.register_buffer("rank", torch.argsort(places).reshape(shape))

    def masked(self, t: NoiseLevel) -> Tensor:
        """Whether each coordinate is masked at levels ``[*batch]``: shape ``[*batch, *event]``."""
        kept = torch.round(torch.sigmoid(t.log_snr) * self.rank.numel())
        return self.rank >= kept[(..., *(None,) * self.rank.dim())].to(self.rank.device)

    def row(self, x: Tensor, s: NoiseLevel, t: NoiseLevel, like: Tensor, event_dim: int) -> Tensor:
        """See the base class: one state has probability one."""
        return self._certain(torch.where(self.masked(t), self.values, x), like)

    def column(self, x: Tensor, s: NoiseLevel, t: NoiseLevel, like: Tensor, event_dim: int) -> Tensor:
        """See the base class: a coordinate that is masked may have been anything."""
        anything = torch.where((x == self.values).unsqueeze(-1), like.new_zeros(()), -torch.inf)
        return torch.where(self.masked(t).unsqueeze(-1), anything, self._certain(x, like))

    def mixture(self, log_weights: Tensor, s: NoiseLevel, event_dim: int) -> Tensor:
        """See the base class."""
        total = log_weights.logsumexp(-1, keepdim=True)
        never = torch.full_like(total, -torch.inf)
        hidden = torch.cat([torch.full_like(log_weights, -torch.inf), total], -1)
        return torch.where(self.masked(s).unsqueeze(-1), hidden, torch.cat([log_weights, never], -1))

    def noise(self, like: Tensor) -> Tensor:
        """See the base class: the mask."""
        return self._certain(torch.tensor(self.values, device=like.device), like)

    def _certain(self, x: Tensor, like: Tensor) -> Tensor:
        """Log-probabilities of a state that is known."""
        same = x.unsqueeze(-1) == torch.arange(self.states, device=x.device)
        return torch.where(same, like.new_zeros(()), -torch.inf)

r"""A codebook: K vectors, of which each code is the number of the nearest one.

.. math:: k(z) = \arg\min_j \|z - e_j\|^2

Learned as a running K-means rather than by gradients: with the vectors :math:`z_i` of a batch that have the code j,
:math:`n_j` of them, moving averages of count and sum give

.. math::

    N_j \leftarrow \gamma N_j + (1 - \gamma)\, n_j, \qquad
    m_j \leftarrow \gamma m_j + (1 - \gamma) \sum_{i: k(z_i) = j} z_i, \qquad e_j = m_j / N_j .

With :math:`\gamma = 0` an update on all data is one step of Lloyd's algorithm: its fixed points are those of K-means. A code
that is never the nearest never moves; a *restart* puts codes with a small :math:`N_j` on vectors of the batch.
"""

from __future__ import annotations

import torch
import torch.distributed
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions.numerics.linear import full_precision

__all__ = ["Codebook", "perplexity_of"]


def perplexity_of(counts: Tensor) -> Tensor:
    r"""The exponential of the entropy of the frequencies, :math:`e^{-\sum_j p_j \log p_j}`: how many codes are used evenly.

    Args:
        counts: Counts, or other non-negative weights, ``[*batch, K]``.

    Returns:
        Numbers from 1 to K, ``[*batch]``.

    Example:
        >>> import torch
        >>> from probgen.vae import perplexity_of
        >>> perplexity_of(torch.tensor([3.0, 3.0, 3.0, 0.0]))
        tensor(3.0000)
    """
    weights = counts.to(torch.promote_types(counts.dtype, torch.float32))
    frequency = weights / weights.sum(-1, keepdim=True)
    perplexity: Tensor = torch.special.entr(frequency).sum(-1).exp()
    return perplexity


class Codebook(nn.Module):
    r"""K vectors of a size, learned by moving averages.

    The state (vectors, counts, sums) is in buffers. Under ``torch.distributed`` every process adds up the counts and sums of
    all, so the codebooks stay the same.

    Args:
        num_codes: Number K of codes.
        code_size: Length of a vector.
        decay: The factor :math:`\gamma` of the moving averages; None for vectors that are parameters, learned by gradients.
        restart_below: Codes with a moving count below this are put on vectors of the batch; 0 for never.
        generator: Source of randomness for the start, standard normal vectors.

    Raises:
        ValueError: a size is not positive, ``decay`` is outside [0, 1), or ``restart_below`` is negative.

    References:
        van den Oord, Vinyals, Kavukcuoglu (2017). Neural discrete representation learning. https://arxiv.org/abs/1711.00937
        Williams, Ringer, Ash, Hughes, MacLeod, Dougherty (2020). Hierarchical quantized autoencoders.
        https://arxiv.org/abs/2002.08111

    Example:
        >>> import torch
        >>> from probgen.vae import Codebook
        >>> book = Codebook(2, 1, decay=0.0)
        >>> _ = book.vectors.copy_(torch.tensor([[0.0], [1.0]]))
        >>> book.codes(torch.tensor([[-3.0], [0.4], [0.6]]))
        tensor([0, 0, 1])
    """

    vectors: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(
        self,
        num_codes: int,
        code_size: int,
        *,
        decay: float | None = 0.99,
        restart_below: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if num_codes < 1 or code_size < 1:
            raise ValueError(f"`num_codes` and `code_size` must be positive; got {num_codes} and {code_size}.")
        if decay is not None and not 0.0 <= decay < 1.0:
            raise ValueError(f"`decay` must lie in [0, 1); got {decay}.")
        if restart_below < 0:
            raise ValueError(f"`restart_below` must not be negative; got {restart_below}.")
        self.num_codes, self.code_size, self.decay, self.restart_below = num_codes, code_size, decay, restart_below
        start = torch.randn(num_codes, code_size, generator=generator)
        if decay is None:
            self.vectors = nn.Parameter(start)
        else:
            self.register_buffer("vectors", start)
            self.register_buffer("counts", torch.ones(num_codes))
            self.register_buffer("sums", start.clone())

    def forward(self, codes: Tensor) -> Tensor:
        """The vectors of codes ``[*batch]``, ``[*batch, code_size]``."""
        return F.embedding(codes, self.vectors)

    def codes(self, z: Tensor) -> Tensor:
        """The number of the vector that is nearest to ``z`` ``[*batch, code_size]``: integers ``[*batch]``."""
        with torch.no_grad(), full_precision(z):
            return (self.vectors.square().sum(-1) - 2.0 * z.to(self.vectors.dtype) @ self.vectors.mT).argmin(-1)

    @torch.no_grad()
    def initialize(self, z: Tensor) -> None:
        """Put the codes on vectors drawn from ``z`` ``[n, code_size]``, different ones where there are enough.

        Raises:
            ValueError: there are no vectors.
        """
        if not len(z):
            raise ValueError("`z` must hold at least one vector; got none.")
        order = torch.randperm(len(z), device=z.device)
        chosen = z[order.repeat(-(-self.num_codes // len(z)))[: self.num_codes]].to(self.vectors.dtype)
        self.vectors.copy_(chosen)
        if self.decay is not None:
            self.counts.fill_(1.0)
            self.sums.copy_(chosen)

    @torch.no_grad()
    def update(self, z: Tensor, codes: Tensor) -> None:
        """Take vectors ``[n, code_size]`` with their codes ``[n]`` into the moving averages; nothing is read on the host."""
        if self.decay is None or not len(z):
            return
        members = F.one_hot(codes, self.num_codes).to(self.sums.dtype)
        values = z.to(self.sums.dtype)
        with full_precision(values):
            counts, sums = _summed(members.sum(0)), _summed(members.mT @ values)
        self.counts.lerp_(counts, 1.0 - self.decay)
        self.sums.lerp_(sums, 1.0 - self.decay)
        if self.restart_below > 0:
            self._restart(values)
        used = self.counts > torch.finfo(self.counts.dtype).tiny
        moved = self.sums / torch.where(used, self.counts, 1.0).unsqueeze(-1)
        self.vectors.copy_(torch.where(used.unsqueeze(-1), moved, self.vectors))

    def _restart(self, values: Tensor) -> None:
        """Codes that are hardly used go to random vectors of the batch, with a count of one."""
        chosen = values[torch.randint(len(values), (self.num_codes,), device=values.device)]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.broadcast(chosen, 0)
        dead = self.counts < self.restart_below
        self.sums.copy_(torch.where(dead.unsqueeze(-1), chosen, self.sums))
        self.counts.copy_(torch.where(dead, 1.0, self.counts))

    def extra_repr(self) -> str:
        """Sizes."""
        return f"num_codes={self.num_codes}, code_size={self.code_size}, decay={self.decay}"


def _summed(value: Tensor) -> Tensor:
    """The sum over all processes."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(value)
    return value

r"""Free bits: a divergence that is not rewarded below a threshold.

.. math:: \mathcal L = \sum_j \max\Bigl(\lambda, \; \frac1N \sum_n \mathrm{KL}_{nj}\Bigr)

takes the place of the average divergence :math:`\sum_j \frac1N \sum_n \mathrm{KL}_{nj}` of groups j (whole sites, or
their single coordinates): below :math:`\lambda` nats a group has no gradient that would push it to zero, so it need not
collapse while the decoder is still bad.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from probgen.infer.trace import Site, scale_and_mask

__all__ = ["FreeBits"]


@dataclass(frozen=True)
class FreeBits:
    """The threshold, the groups, and what is averaged before they are compared; for ``infer.ELBO(free_bits=...)``.

    Attributes:
        nats: Threshold of every group, in nats (not bits, in spite of the name).
        per: A group is a "site", or a "unit": a single coordinate of a site.
        average: Compare the average over the "batch" (as in the reference), or the divergence of every "datum".

    Raises:
        ValueError: ``nats`` is negative or not finite, or a word is unknown.

    References:
        Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling (2016). Improving variational inference with inverse
        autoregressive flow. https://arxiv.org/abs/1606.04934

    Example:
        >>> from probgen.infer import FreeBits
        >>> FreeBits(0.5, per="unit")
        FreeBits(nats=0.5, per='unit', average='batch')
    """

    nats: float
    per: Literal["site", "unit"] = "site"
    average: Literal["batch", "datum"] = "batch"

    def __post_init__(self) -> None:
        if not (self.nats >= 0.0 and math.isfinite(self.nats)):
            raise ValueError(f"`nats` must be finite and not negative; got {self.nats}.")
        if self.per not in ("site", "unit"):
            raise ValueError(f"`per` must be 'site' or 'unit'; got {self.per!r}.")
        if self.average not in ("batch", "datum"):
            raise ValueError(f"`average` must be 'batch' or 'datum'; got {self.average!r}.")

    def total(self, divergence: Tensor, prior: Site) -> Tensor:
        """The contribution of a site to the loss: a scalar in nats.

        Args:
            divergence: Of every datum ``[*batch]``, or of every unit ``[*batch, *event]``.
            prior: The model's site, whose scale and mask count.
        """
        batch = divergence.shape[: divergence.dim() - len(prior.fn.event_shape)] if self.per == "unit" else divergence.shape
        weight = scale_and_mask(divergence.new_ones(batch), prior.scale, prior.mask)
        over_units = weight.reshape(*batch, *(1,) * (divergence.dim() - len(batch)))
        if prior.mask is not None:
            divergence = torch.where(over_units > 0, divergence, torch.zeros_like(divergence))
        if self.average == "datum":
            return (over_units * divergence.clamp(min=self.nats)).sum()
        whole = weight.sum()
        weighted = (over_units * divergence).reshape(batch.numel(), *divergence.shape[len(batch) :]).sum(0)
        mean = weighted / whole.clamp(min=torch.finfo(whole.dtype).tiny)
        return (whole * mean.clamp(min=self.nats)).sum()

r"""Training a hierarchy by one pass that posterior and prior share.

As Pyro programs, guide and model go through the levels one after the other; evaluated as a law, each level's prior, posterior
and update are computed once. The value is the same, for the same draws: the sum over the data of

.. math::

    -\mathrm{ELBO} = -\mathbb E_q \log p(x \mid z_{1:L}) + \sum_l \beta_l\, \mathbb E_q \mathrm{KL}_l
    \qquad\text{or}\qquad
    -\mathrm{IWAE}_n = -\mathbb E_q \log \tfrac1n \sum_{i=1}^n w(z^{(i)}) .
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from probgen.distributions.events import scored
from probgen.infer import Objective
from probgen.infer.kl_weight import KLWeight, weigher
from probgen.vae.hierarchical import HierarchicalVAE

__all__ = ["HierarchicalBound"]


class HierarchicalBound(Objective):
    r"""The negative bound of a batch under a hierarchical model, in nats, by one shared pass.

    Objectives of ``probgen.infer`` on ``vae.model`` and ``vae.guide`` offer more choices; this one costs less a level.

    Args:
        vae: The model.
        num_draws: Draws n of the latents for each datum.
        bound: "elbo" (divergences in closed form where they are known) or "iwae".
        kl_weight: Factor :math:`\beta_l` of the divergences, for the ELBO, as in ``infer.ELBO``: a number, a tensor, a module
            that returns one (such as ``infer.Annealed``), site name to one of these (1 where a name is missing), or
            ``infer.KLBalancing``.

    Raises:
        ValueError: the bound is unknown, ``num_draws`` is not positive, or weights are given to the IWAE bound or to sites that
            the model does not have.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> vae = pg.vae.ladder_vae((64,), (8, 2))
        >>> x = torch.zeros(5, 64)
        >>> _ = torch.manual_seed(0)
        >>> shared = pg.vae.HierarchicalBound(vae)(x)
        >>> _ = torch.manual_seed(0)
        >>> torch.allclose(shared, vae.loss()(x))
        True
    """

    def __init__(
        self,
        vae: HierarchicalVAE,
        num_draws: int = 1,
        *,
        bound: Literal["elbo", "iwae"] = "elbo",
        kl_weight: KLWeight = 1.0,
    ) -> None:
        super().__init__()
        if bound not in ("elbo", "iwae"):
            raise ValueError(f"`bound` must be 'elbo' or 'iwae'; got {bound!r}.")
        if num_draws < 1:
            raise ValueError(f"`num_draws` must be at least 1; got {num_draws}.")
        if isinstance(kl_weight, Mapping) and set(kl_weight) - set(vae.site_names):
            raise ValueError(f"`kl_weight` names sites {sorted(kl_weight)}; this model has {sorted(vae.site_names)}.")
        self.weigh = weigher(kl_weight)
        if bound == "iwae" and self.weigh is not None:
            raise ValueError("`kl_weight` belongs to the ELBO: a weighted IWAE is not a bound.")
        self.vae = vae
        self.num_draws = num_draws
        self.bound = bound

    def forward(self, x: Tensor) -> Tensor:
        """The loss of data ``[*batch, *event]``, summed over the batch: a scalar."""
        if self.bound == "iwae":
            return -self.vae.distribution().iwae(x, self.num_draws).sum()
        inference = self.vae.infer(x, None if self.num_draws == 1 else self.num_draws)
        log_likelihood = scored(self.vae.decoder(inference.state), x)
        levels = {
            name: draw.divergence(closed_form=True).expand(log_likelihood.shape).sum()
            for name, draw in inference.levels.items()
        }
        divergence: Tensor = torch.stack(list(levels.values())).sum() if self.weigh is None else self.weigh(levels)
        return (divergence - log_likelihood.sum()) / self.num_draws

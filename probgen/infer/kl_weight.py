r"""Weights of the divergences in an evidence lower bound.

.. math:: \mathbb E_q[\log p(x \mid z)] - \sum_i \beta_i\, \mathrm{KL}_i

With one :math:`\beta < 1` the latents are used more than the bound wants, with :math:`\beta > 1` less (:math:`\beta`-VAE); a
:math:`\beta` that rises to one while training (``infer.Annealed``) lets the decoder learn first. Only :math:`\beta_i = 1` gives
a bound of the evidence in general; :math:`\beta_i > 1` gives a looser one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["KLBalancing", "KLWeight", "weigher"]

Weight = float | Tensor | nn.Module
KLWeight = Weight | Mapping[str, Weight]


class KLBalancing(nn.Module):
    r"""Shift the divergences' weights towards the groups that are used, while training warms up.

    With a warm-up weight :math:`\beta < 1` the sum of L divergences becomes

    .. math:: \beta \sum_l \gamma_l \mathrm{KL}_l, \qquad \gamma_l = \frac{L\, a_l |\mathrm{KL}_l|}{\sum_k a_k |\mathrm{KL}_k|},

    where :math:`\gamma_l` counts as a constant: a group that is hardly used is hardly pushed towards its prior. At
    :math:`\beta \ge 1` every :math:`\gamma_l` is one, so that training ends on the bound itself.

    Args:
        weight: The warm-up :math:`\beta`, usually an ``Annealed`` from 0 to 1.
        importance: The :math:`a_l` by name of the site; one where not given.

    References:
        Vahdat, Kautz (2020). NVAE: a deep hierarchical variational autoencoder. https://arxiv.org/abs/2007.03898

    Example:
        >>> import torch
        >>> from probgen.infer import KLBalancing
        >>> balancing = KLBalancing(weight=0.5)
        >>> balancing({"z1": torch.tensor(1.0), "z2": torch.tensor(3.0)})  # 0.5 (0.5 * 1 + 1.5 * 3)
        tensor(2.5000)
    """

    def __init__(self, weight: Weight, importance: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.weight = _Held(weight)
        self.importance = dict(importance or {})

    def forward(self, divergences: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of divergences by name: a scalar in nats."""
        terms = torch.stack(list(divergences.values()))
        importance = terms.new_tensor([self.importance.get(name, 1.0) for name in divergences])
        use = importance * terms.detach().abs()
        balance = len(terms) * use / use.sum().clamp(min=torch.finfo(use.dtype).tiny)
        beta = torch.as_tensor(self.weight(), dtype=terms.dtype, device=terms.device)
        return beta * (torch.where(beta < 1.0, balance, torch.ones_like(balance)) * terms).sum()


def weigher(weight: KLWeight) -> nn.Module | None:
    """A module from divergences by name to their weighted sum, or None if all weights are one.

    Args:
        weight: One weight for all sites (a number, a tensor, or a module that returns a tensor), a mapping from names of sites
            to weights (one where not named), or a :class:`KLBalancing`.

    Example:
        >>> import torch
        >>> from probgen.infer.kl_weight import weigher
        >>> weigher({"a": 0.5})({"a": torch.tensor(1.0), "b": torch.tensor(2.0)})
        tensor(2.5000)
    """
    if isinstance(weight, KLBalancing):
        return weight
    if isinstance(weight, Mapping):
        return _BySite(weight) if weight else None
    return None if not isinstance(weight, (Tensor, nn.Module)) and weight == 1.0 else _Uniform(weight)


class _Held(nn.Module):
    """A number, a tensor (kept as a buffer, so that it moves along and may be changed in place), or a module."""

    value: Tensor | float

    def __init__(self, weight: Weight) -> None:
        super().__init__()
        self.module = weight if isinstance(weight, nn.Module) else None
        if isinstance(weight, Tensor):
            self.register_buffer("value", weight, persistent=False)
        elif not isinstance(weight, nn.Module):
            self.value = float(weight)
            if not (self.value >= 0.0 and math.isfinite(self.value)):
                raise ValueError(f"`kl_weight` must be finite and not negative; got {weight}.")

    def forward(self) -> Tensor | float:
        if self.module is None:
            return self.value
        value: Tensor = self.module()
        return value


class _Uniform(nn.Module):
    """One weight for all divergences."""

    def __init__(self, weight: Weight) -> None:
        super().__init__()
        self.weight = _Held(weight)

    def forward(self, divergences: Mapping[str, Tensor]) -> Tensor:
        terms = list(divergences.values())
        total: Tensor = sum(terms[1:], terms[0]) * self.weight()
        return total


class _BySite(nn.Module):
    """A weight for every site that is named, one for the others."""

    def __init__(self, weights: Mapping[str, Weight]) -> None:
        super().__init__()
        self.names = tuple(weights)
        self.weights = nn.ModuleList([_Held(weight) for weight in weights.values()])

    def forward(self, divergences: Mapping[str, Tensor]) -> Tensor:
        unknown = [name for name in self.names if name not in divergences]
        if unknown:
            raise ValueError(f"`kl_weight` names {unknown}, which are not latent sites; got the sites {list(divergences)}.")
        held = dict(zip(self.names, self.weights, strict=True))
        terms = [term * held[name]() if name in held else term for name, term in divergences.items()]
        return sum(terms[1:], terms[0])

r"""Draws from reverse kernels with an explicit source of noise.

The laws that denoisers report are drawn from by hand, with the standard normal numbers of the caller: so a generator can be
given, and a linear sampler can be checked by feeding it unit vectors for noise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import cast

import torch
from pyro.distributions import Delta
from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    LowRankMultivariateNormal,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

__all__ = ["draw"]

Noise = Callable[[Tensor], Tensor]


@singledispatch
def draw(law: Distribution, noise: Noise) -> Tensor:
    """One draw ``[*batch, *event]`` from a law.

    Args:
        law: ``Delta``, ``Normal``, ``Independent`` of these, ``MultivariateNormal``, ``LowRankMultivariateNormal``, or a
            ``MixtureSameFamily`` of them.
        noise: From a tensor to standard normal numbers like it.

    Raises:
        NotImplementedError: it is not known how to draw from this kind of law with a given source of noise.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.diffusion.samplers.drawing import draw
        >>> draw(dist.Normal(torch.zeros(2), 3.0).to_event(1), torch.ones_like)
        tensor([3., 3.])
    """
    raise NotImplementedError(f"no draw with a given source of noise is known for {type(law).__name__}.")


@draw.register
def _(law: Delta, noise: Noise) -> Tensor:
    return cast(Tensor, law.v)


@draw.register
def _(law: Normal, noise: Noise) -> Tensor:
    return torch.addcmul(law.loc, law.scale, noise(law.loc))


@draw.register
def _(law: Independent, noise: Noise) -> Tensor:  # type: ignore[type-arg]
    return draw(law.base_dist, noise)


@draw.register
def _(law: MultivariateNormal, noise: Noise) -> Tensor:
    return law.loc + (law.scale_tril @ noise(law.loc).unsqueeze(-1)).squeeze(-1)


@draw.register
def _(law: LowRankMultivariateNormal, noise: Noise) -> Tensor:
    factors = (law.cov_factor @ noise(law.cov_factor[..., 0, :]).unsqueeze(-1)).squeeze(-1)
    return torch.addcmul(law.loc + factors, law.cov_diag.sqrt(), noise(law.loc))


@draw.register
def _(law: MixtureSameFamily, noise: Noise) -> Tensor:
    along = -1 - len(law.event_shape)
    each = draw(law.component_distribution, noise)
    log_weights = law.mixture_distribution.logits.expand(*law.batch_shape, -1)
    uniform = torch.special.ndtr(noise(log_weights.double()))  # all randomness comes from one source of normal numbers
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-300, 1 - 1e-16)))
    chosen = (log_weights + gumbel).argmax(-1)
    index = chosen.reshape(*chosen.shape, *(1,) * -along).expand(*chosen.shape, 1, *law.event_shape)
    return each.gather(along, index).squeeze(along)

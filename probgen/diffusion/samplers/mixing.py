r"""Mixtures of noisy states: two data are noised to any depth, mixed there, and sampled back.

Two independent standard normal vectors averaged linearly have the variance :math:`w^2 + (1 - w)^2 < 1`, a state that the
denoiser never saw; ``spherical`` interpolation keeps it (``probgen.distributions.numerics.interpolation``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from probgen.diffusion.samplers.sampler import Sampler
from probgen.distributions.numerics.interpolation import linear, spherical

__all__ = ["noised_interpolation"]


def noised_interpolation(
    sampler: Sampler,
    a: Tensor,
    b: Tensor,
    weights: Sequence[float] | Tensor,
    t: float,
    context: Tensor | None = None,
    *,
    path: Literal["linear", "spherical"] = "linear",
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Noise two data to the time t, mix the noisy states, and sample from exactly that time back.

    The deeper, the less of the data survives: at :math:`t \to 0` pixels are mixed, at t = 1 the result is new.

    Args:
        sampler: Any sampler to the data; it is started at t.
        a: Data ``[*batch, *event]``.
        b: Data ``[*batch, *event]``.
        weights: K numbers w from 0, all a, to 1, all b. The noise is the same for all.
        t: The depth, inside the sampler's grid.
        context: Shape ``[*batch, *context_shape]``, if the denoiser takes one.
        path: How noisy states are mixed; "linear" as Ho et al. do.
        generator: The source of randomness; torch's global one if None.

    Returns:
        Data ``[K, *batch, *event]``.

    Raises:
        ValueError: the depth is not inside the sampler's grid, or there is no such path.

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models, Figure 8. https://arxiv.org/abs/2006.11239

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import ddim, noised_interpolation
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(2), torch.tensor(0.25))
        >>> noised_interpolation(ddim(oracle, TimeGrid(20)), torch.zeros(5, 2), torch.ones(5, 2), [0.0, 0.5, 1.0], t=0.3).shape
        torch.Size([3, 5, 2])
    """
    if path not in ("linear", "spherical"):
        raise ValueError(f"`path` must be 'linear' or 'spherical'; got {path!r}.")
    first, last = float(sampler.grid.times[0]), float(sampler.grid.times[-1])
    if not first < t <= last:
        raise ValueError(f"`t` must lie inside the sampler's grid, in ({first:g}, {last:g}]; got {t}.")
    level = sampler.denoiser.schedule.level(t)
    alpha, sigma = float(level.alpha), float(level.sigma)
    noisy = [
        alpha * data + sigma * torch.randn(data.shape, dtype=data.dtype, device=data.device, generator=generator)
        for data in (a, b)
    ]
    rank = sampler.denoiser.event_dim
    first_noisy, second_noisy = noisy
    if path == "linear":
        mixed = linear(first_noisy, second_noisy, weights)
    else:
        mixed = spherical(first_noisy, second_noisy, weights, event_dim=rank)
    return sampler.from_level(t)(mixed, context, generator=generator)

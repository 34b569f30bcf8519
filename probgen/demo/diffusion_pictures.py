r"""What a diffusion model of images does, as rows of images: the figures of the papers for any model with classes.

Every function returns a tensor ``[rows, columns, *event]`` of data.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from probgen.diffusion import Diffusion
from probgen.diffusion.conditioning import AveragePooling, ClassifierFree, Conditional, LinearObservation, observe
from probgen.diffusion.samplers import noised_interpolation

__all__ = [
    "forward_chain",
    "guidance_strengths",
    "inpainted",
    "interpolations",
    "progressive_generation",
    "shared_states",
    "super_resolved",
]


def forward_chain(
    diffusion: Diffusion, x: Tensor, times: Sequence[float] = (0.02, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
) -> Tensor:
    """Data and what noise makes of them: one path of the forward process a row.

    Args:
        diffusion: The model.
        x: Data ``[rows, *event]``.
        times: Ascending times, above 0.

    Example:
        >>> import torch
        >>> from probgen.demo import digits_diffusion, forward_chain
        >>> forward_chain(digits_diffusion(width=8), torch.zeros(3, 1, 8, 8), times=(0.5, 1.0)).shape
        torch.Size([3, 3, 1, 8, 8])
    """
    states, s = [x], 0.0
    for t in times:
        states.append(diffusion.process.transition(states[-1], s, t).sample())
        s = t
    return torch.stack(states, 1)


def progressive_generation(diffusion: Diffusion, noise: Tensor, context: Tensor, *, columns: int = 11) -> Tensor:
    """What the network takes the data for at equal steps of generation, and the sample: one a row.

    Args:
        diffusion: The model.
        noise: Where it starts, ``[rows, *event]``.
        context: Shape ``[rows, *context_shape]``.
        columns: Images in a row.

    Example:
        >>> import torch
        >>> from probgen.demo import digits_diffusion, progressive_generation
        >>> progressive_generation(digits_diffusion(width=8), torch.randn(3, 1, 8, 8), torch.arange(3), columns=4).shape
        torch.Size([3, 4, 1, 8, 8])
    """
    path = diffusion.ddim(2 * (columns - 1)).path(noise, context)
    return torch.cat([path.means[:, 1::2].flip(1), path.states[:, :1]], 1)


def shared_states(
    diffusion: Diffusion, x: Tensor, context: Tensor, times: Sequence[float], *, columns: int = 10, steps: int = 100
) -> Tensor:
    """Samples that share one noisy state of a datum: the later its time, the less they have in common.

    Args:
        diffusion: The model.
        x: One datum ``[*event]``, in the first column.
        context: Shape ``[*context_shape]``.
        times: One a row.
        columns: Samples in a row.
        steps: Of the whole way from noise to data, at most.

    Example:
        >>> import torch
        >>> from probgen.demo import digits_diffusion, shared_states
        >>> shared_states(
        ...     digits_diffusion(width=8, steps=20), torch.zeros(1, 8, 8), torch.tensor(3), (0.4, 0.8), columns=2
        ... ).shape
        torch.Size([2, 3, 1, 8, 8])
    """
    rows = []
    sampler = diffusion.ancestral(min(steps, len(diffusion.grid)))
    for t in times:
        state = diffusion.process.marginal(x, t).sample().expand(columns, *x.shape)
        rows.append(torch.cat([x.unsqueeze(0), sampler.from_level(t)(state, context.expand(columns, *context.shape))]))
    return torch.stack(rows)


def interpolations(
    diffusion: Diffusion, a: Tensor, b: Tensor, context: Tensor, depths: Sequence[float], *, columns: int = 9
) -> Tensor:
    """Two data, noised to a depth, mixed and sampled back: a row for each depth.

    Args:
        diffusion: The model.
        a: One datum ``[*event]``.
        b: Another.
        context: Shape ``[*context_shape]``, the null context to leave the class open.
        depths: Times.
        columns: Images in a row, both ends included.

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models, Figure 8. https://arxiv.org/abs/2006.11239

    Example:
        >>> import torch
        >>> from probgen.demo import digits_diffusion, interpolations
        >>> ends = torch.zeros(2, 1, 8, 8)
        >>> interpolations(digits_diffusion(width=8, steps=20), *ends, torch.tensor(10), (0.3, 0.9), columns=3).shape
        torch.Size([2, 3, 1, 8, 8])
    """
    weights = torch.linspace(0, 1, columns)
    rows = []
    for t in depths:
        sampler = diffusion.ddim(min(50, len(diffusion.grid)))
        made = noised_interpolation(sampler, a[None], b[None], weights, t, context[None], path="spherical")
        rows.append(made[:, 0])
    return torch.stack(rows)


def guidance_strengths(
    diffusion: Diffusion, noise: Tensor, context: Tensor, strengths: Sequence[float], *, steps: int = 20
) -> Tensor:
    """Samples of one noise under classifier-free guidance: a row for each strength, 0 without and 1 with the context.

    Args:
        diffusion: The model.
        noise: Where it starts, ``[columns, *event]``.
        context: Shape ``[columns, *context_shape]``.
        strengths: One a row.
        steps: Of the sampler.

    References:
        Ho, Salimans (2022). Classifier-free diffusion guidance. https://arxiv.org/abs/2207.12598

    Example:
        >>> import torch
        >>> from probgen.demo import digits_diffusion, guidance_strengths
        >>> guidance_strengths(digits_diffusion(width=8), torch.randn(3, 1, 8, 8), torch.arange(3), (0.0, 2.0)).shape
        torch.Size([2, 3, 1, 8, 8])
    """
    samplers = [diffusion.dpm_solver(steps, denoiser=ClassifierFree(diffusion.denoiser, strength)) for strength in strengths]
    return torch.stack([sampler(noise, context) for sampler in samplers])


def inpainted(
    diffusion: Diffusion,
    x: Tensor,
    context: Tensor,
    *,
    method: str = "null space",
    draws: int = 3,
    num_rows: int | None = None,
    steps: int = 100,
) -> Tensor:
    """The lower half filled in, without retraining: a column for each datum; the datum, what is seen, then draws.

    Args:
        diffusion: The model.
        x: Data ``[columns, *event]``, images.
        context: Shape ``[columns, *context_shape]``, the null context to leave the class open.
        method: Of ``Diffusion.condition``.
        draws: Fillings of each.
        num_rows: How many rows are seen; half of them by default.
        steps: Steps back, at most.

    Example:
        >>> import torch
        >>> from probgen.demo import digits_diffusion, inpainted
        >>> x, null = torch.zeros(2, 1, 8, 8), torch.tensor([10, 10])
        >>> inpainted(digits_diffusion(width=8, steps=20), x, null, method="replacement", draws=1).shape
        torch.Size([3, 2, 1, 8, 8])
    """
    upper = x.shape[-2] // 2 if num_rows is None else num_rows
    seen = torch.cat([x[..., :upper, :], torch.full_like(x[..., upper:, :], torch.nan)], -2)
    law = _conditional(diffusion, seen, context, method, steps)
    filled = law.sample((draws,))
    return torch.cat([x[None], seen.nan_to_num(float(x.min()))[None], filled])


def super_resolved(
    diffusion: Diffusion, x: Tensor, context: Tensor, *, factor: int = 2, method: str = "null space", draws: int = 3
) -> Tensor:
    """Details for an image of lower resolution, without retraining: a column for each datum; the datum, what is seen, draws.

    Args:
        diffusion: The model.
        x: Data ``[columns, *event]``, images.
        context: Shape ``[columns, *context_shape]``, the null context to leave the class open.
        factor: Side of the square of pixels whose mean is seen.
        method: Of ``Diffusion.condition``.
        draws: Draws of each.

    Example:
        >>> import torch
        >>> from probgen.demo import digits_diffusion, super_resolved
        >>> x, null = torch.zeros(2, 1, 8, 8), torch.tensor([10, 10])
        >>> super_resolved(digits_diffusion(width=8, steps=20), x, null, method="null space", draws=1).shape
        torch.Size([3, 2, 1, 8, 8])
    """
    seen = observe(x, AveragePooling(diffusion.event_shape, factor))
    law = _conditional(diffusion, seen, context, method)
    large = seen.value.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    return torch.cat([x[None], large[None], law.sample((draws,))])


def _conditional(
    diffusion: Diffusion, seen: LinearObservation | Tensor, context: Tensor, method: str, steps: int = 100
) -> Conditional:
    """The law of the data given what is seen of them, on some of the model's own times."""
    return diffusion.condition(seen, method, context=context, grid=diffusion.grid.respaced(min(steps, len(diffusion.grid))))

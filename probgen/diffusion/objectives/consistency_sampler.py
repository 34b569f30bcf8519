r"""Sampling a consistency model: one jump, or a few with fresh noise between them.

.. math::

    \hat x = f(x_{t_1}, t_1), \qquad
    \hat x \leftarrow f(\alpha_{t_k} \hat x + \sigma_{t_k} z_k,\; t_k) \quad\text{for } t_1 > t_2 > \dots
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from probgen.distributions.chains import Denoiser

__all__ = ["ConsistencySampler"]


class ConsistencySampler:
    """A function from noise to data in as many evaluations as there are times.

    Args:
        denoiser: A denoiser that was trained as a consistency function.
        times: Decreasing times in (0, 1], the first that of the noise.

    Raises:
        ValueError: no times, or they do not decrease within (0, 1].

    References:
        Song, Dhariwal, Chen, Sutskever (2023). Consistency models, algorithm 1. https://arxiv.org/abs/2303.01469

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives import ConsistencySampler
        >>> from probgen.distributions.chains import GaussianDenoiser, cosine_schedule
        >>> oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor(1.0))
        >>> sampler = ConsistencySampler(oracle, times=(1.0, 0.5))
        >>> sampler.evaluations, sampler(torch.randn(5, 2)).shape
        (2, torch.Size([5, 2]))
    """

    def __init__(self, denoiser: Denoiser, times: Sequence[float] = (1.0,)) -> None:
        falling = all(later < earlier for earlier, later in itertools.pairwise(times))
        if not times or not falling or not (times[-1] > 0 and times[0] <= 1):
            raise ValueError(f"`times` must decrease within (0, 1]; got {tuple(times)}.")
        self.denoiser = denoiser
        self.times = tuple(times)

    @property
    def evaluations(self) -> int:
        """How often one run calls the denoiser."""
        return len(self.times)

    def __call__(self, x: Tensor, context: Tensor | None = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Turn noise into data, without gradients.

        Args:
            x: The state at the first time, ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the network takes one.
            generator: Source of the noise between the jumps; torch's global one if None.
        """
        with torch.no_grad():
            jump = self.denoiser.mean(x, self.times[0], context)
            for t in self.times[1:]:
                level = self.denoiser.schedule.level(t)
                noise = torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)
                jump = self.denoiser.mean(level.alpha.to(x) * jump + level.sigma.to(x) * noise, t, context)
            return jump

    def __repr__(self) -> str:
        return f"{type(self).__name__}(times={self.times})"

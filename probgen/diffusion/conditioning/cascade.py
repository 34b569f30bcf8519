r"""A cascade: a low-resolution model and models that add resolution, as one law.

.. math:: p(x^{(K)}) = \int p(x^{(0)})\, \prod_{k=1}^K p(x^{(k)} \mid z^{(k)})\, q(z^{(k)} \mid x^{(k-1)})\,\mathrm dx

Every stage is conditioned on the image before it, by concatenation. A stage that has only seen real images is thrown off by
the errors of the one before; so it is trained on *noised* images :math:`z = \alpha_u x + \sigma_u n`, at a random level u that
it is told, and used at a small level (conditioning augmentation). The context is the noised image with one more channel that
holds :math:`\sigma_u`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions import DensityUnavailable, Distribution
from probgen.distributions.chains import Schedule
from probgen.distributions.estimate import LogProbKind
from probgen.distributions.events import over_event

__all__ = ["Cascade", "augmented_context"]

Stage = Callable[[Tensor], Tensor]
"""From contexts ``[N, *context_shape]`` to data ``[N, *event]``."""


def augmented_context(image: Tensor, schedule: Schedule, t: Tensor | float) -> Tensor:
    r"""A noised image and how noisy it is, for the context of an image-conditional model.

    Args:
        image: Images ``[N, C, h, w]``.
        schedule: Gives :math:`\alpha_u` and :math:`\sigma_u`.
        t: Times u in [0, 1], a number or shape ``[N]``; draw them in training.

    Returns:
        Shape ``[N, C + 1, h, w]``.

    References:
        Ho, Saharia, Chan, Fleet, Norouzi, Salimans (2022). Cascaded diffusion models for high fidelity image generation.
        https://arxiv.org/abs/2106.15282

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import augmented_context
        >>> from probgen.distributions.chains import cosine_schedule
        >>> augmented_context(torch.ones(5, 1, 4, 4), cosine_schedule(), 0.0).mean((0, 2, 3))
        tensor([1., 0.])
    """
    level = schedule.level(t)
    alpha, sigma = (over_event(value, 3, image) for value in (level.alpha, level.sigma))
    noised = alpha * image + sigma * torch.randn_like(image)
    return torch.cat([noised, sigma.expand(len(image), 1, *image.shape[2:])], 1)


class Cascade(Distribution):
    r"""The law of what comes out of the last stage; it can be drawn from, not scored.

    Args:
        base: The law of the smallest images, with an empty batch shape: a ``DiffusionLaw``, a flow, anything with ``sample``.
        stages: Functions from contexts to images, one for each step up, such as ``lambda c:
            d.ddim(50)(d.prior.sample((len(c),)), c)``.
        event_shape: Shape of what the last stage returns.
        schedule: Noise for the conditioning augmentation; None gives every stage the images as they are.
        augmentation: The time u of the augmentation when drawing.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: there is no stage, the base has a batch, or a stage returns another shape at the end.

    References:
        Ho, Saharia, Chan, Fleet, Norouzi, Salimans (2022). Cascaded diffusion models for high fidelity image generation.
        https://arxiv.org/abs/2106.15282
        Saharia et al. (2021). Image super-resolution via iterative refinement. https://arxiv.org/abs/2104.07636

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import Cascade
        >>> from probgen.distributions import standard_normal
        >>> double = lambda c: c.repeat_interleave(2, -1).repeat_interleave(2, -2)
        >>> Cascade(standard_normal((1, 2, 2)), [double, double], event_shape=(1, 8, 8)).sample((3,)).shape
        torch.Size([3, 1, 8, 8])
    """

    log_prob_kind: LogProbKind = "none"

    def __init__(
        self,
        base: torch.distributions.Distribution,
        stages: Sequence[Stage],
        event_shape: Sequence[int],
        *,
        schedule: Schedule | None = None,
        augmentation: float = 0.1,
        validate_args: bool | None = None,
    ) -> None:
        if not stages or base.batch_shape:
            raise ValueError(
                f"`stages` must not be empty, and `base` have no batch; got {len(stages)} and {tuple(base.batch_shape)}."
            )
        self.base = base
        self.stages = tuple(stages)
        self.schedule = schedule
        self.augmentation = augmentation
        super().__init__(torch.Size(), torch.Size(event_shape), validate_args=validate_args)

    @constraints.dependent_property
    def support(self) -> Constraint:
        """The reals."""
        return constraints.independent(constraints.real, len(self.event_shape))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        return self._expanded(batch_shape, _instance)

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients."""
        return self.path(sample_shape)[-1]

    def path(self, sample_shape: Sequence[int] = torch.Size()) -> list[Tensor]:
        """The images of all stages, smallest first, each ``[*sample_shape, *batch, *its event]``.

        Args:
            sample_shape: How many.
        """
        lead = torch.Size((*sample_shape, *self.batch_shape))
        with torch.no_grad():
            images = [self.base.sample(torch.Size((lead.numel(),)))]
            for stage in self.stages:
                context = images[-1]
                if self.schedule is not None:
                    context = augmented_context(context, self.schedule, self.augmentation)
                images.append(stage(context))
        if images[-1].shape != (lead.numel(), *self.event_shape):
            raise ValueError(
                f"the last of `stages` must return events {tuple(self.event_shape)}; got {tuple(images[-1].shape)}."
            )
        return [image.reshape(*lead, *image.shape[1:]) for image in images]

    def log_prob(self, value: Tensor) -> Tensor:
        """Not available.

        Raises:
            DensityUnavailable: always.
        """
        raise DensityUnavailable("Cascade", "the images between are integrated out", "the bounds of its stages, one by one")

    def __repr__(self) -> str:
        return f"Cascade({len(self.stages)} stages, event_shape={tuple(self.event_shape)})"

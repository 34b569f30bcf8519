r"""Classifier-free guidance: extrapolate from the unconditional to the conditional prediction.

One network knows both :math:`p(x_0 \mid x_t, c)` and, through a null context, :math:`p(x_0 \mid x_t)`. With scale w

.. math:: \hat x_0^{(w)} = \hat x_0(x_t) + w\,\bigl(\hat x_0(x_t, c) - \hat x_0(x_t)\bigr),

and, since the noise, the score and v are affine in :math:`\hat x_0`, the same holds for each of them. The convention is that
of Ho and Salimans' successors: **w = 0 is unconditional, w = 1 is conditional, w > 1 extrapolates** (their own paper writes 1
+ w for our w). At every time by itself the guided score is that of :math:`q_t(x)\, p_t(c \mid x)^w`. These densities do not
belong to one forward process, so the samples do *not* follow :math:`p(x_0)\, p(c \mid x_0)^w`;
``docs/derivations/diffusion-guidance.md`` measures it.
"""

from __future__ import annotations

import math
from typing import cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.diffusion.conditioning.law_arithmetic import mapped, shifted
from probgen.distributions.chains import Denoiser, NoiseLevel
from probgen.distributions.events import over_event

__all__ = ["ClassifierFree"]


class ClassifierFree(Denoiser):
    r"""A denoiser guided towards its own context; one network call on a batch of twice the size.

    It is a denoiser, hence works in every sampler and in the chain. What is computed for one datum does not depend on others.

    Args:
        denoiser: Takes a context and has a ``null_context``.
        scale: w; 0 unconditional, 1 conditional, more than 1 extrapolates. At 0 and 1 the network is called on the batch
            itself.
        interval: Times ``(low, high)`` within which w is used; outside, the conditional denoiser is.
        rescale: Between 0 and 1: how far the standard deviation of every datum's guided mean (over its event) is brought back
            to that of the conditional mean, against over-saturation.

    Raises:
        ValueError: the denoiser has no null context, or an argument is out of range.
        ContextError: when called with a missing or mis-sized context.

    References:
        Ho, Salimans (2022). Classifier-free diffusion guidance. https://arxiv.org/abs/2207.12598
        Kynkäänniemi et al. (2024). Applying guidance in a limited interval improves sample and distribution quality in
        diffusion models. https://arxiv.org/abs/2404.07724
        Lin, Liu, Li, Yang (2024). Common diffusion noise schedules and sample steps are flawed.
        https://arxiv.org/abs/2305.08891

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import ClassifierFree, LabeledMixture
        >>> from probgen.distributions.chains import MixtureDenoiser, cosine_schedule
        >>> covariances = 0.01 * torch.eye(1).expand(2, 1, 1)
        >>> mixture = MixtureDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor([[-1.0], [1.0]]), covariances)
        >>> guided = ClassifierFree(LabeledMixture(mixture), scale=2.0)
        >>> x, label = torch.zeros(1, 1), torch.tensor([1])
        >>> round(float(guided(x, 1.0, label).mean), 2)  # twice as far from the unconditional mean 0 as the class mean 1
        2.0
    """

    def __init__(
        self, denoiser: Denoiser, scale: float, *, interval: tuple[float, float] = (0.0, 1.0), rescale: float = 0.0
    ) -> None:
        super().__init__(denoiser.schedule, denoiser.event_shape)
        if denoiser.context_shape is None or denoiser.null_context is None:
            raise ValueError(f"`denoiser` must take a context and have a `null_context`; {type(denoiser).__name__} has none.")
        if not 0 <= rescale <= 1 or not 0 <= interval[0] < interval[1] <= 1:
            raise ValueError(f"`rescale` and `interval` must lie in [0, 1], in order; got {rescale} and {interval}.")
        if rescale and math.prod(denoiser.event_shape) < 2:
            raise ValueError(f"`rescale` needs data of two coordinates or more; got {denoiser.event_shape}.")
        self.denoiser = denoiser
        self.scale = float(scale)
        self.interval = interval
        self.rescale = rescale
        self.context_shape = denoiser.context_shape

    @property
    def null_context(self) -> Tensor | None:
        """The denoiser's own; with it guidance has no effect."""
        return self.denoiser.null_context

    def coefficients(self, level: NoiseLevel) -> tuple[Tensor, Tensor]:
        """Those of the denoiser; with ``rescale`` the prediction is the mean itself."""
        return super().coefficients(level) if self.rescale else self.denoiser.coefficients(level)

    def predict(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> Tensor:
        """The guided prediction, ``[*batch, *event]``."""
        if self.rescale:
            return self.posterior(x_t, level, context).mean
        if self._is_conditional(level):
            return self.denoiser.predict(x_t, level, context)
        if self._is_unconditional():
            return self.denoiser.predict(x_t, level, self.null_context)
        both = self.denoiser.predict(*self._doubled(x_t, level, context))
        return both[1] + over_event(self._strength(level), self.event_dim, x_t) * (both[0] - both[1])

    def posterior(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> TorchDistribution:
        """The conditional law, moved to the guided mean."""
        if self._is_conditional(level):
            return self.denoiser.posterior(x_t, level, context)
        if self._is_unconditional() and not self.rescale:
            return self.denoiser.posterior(x_t, level, self.null_context)
        law = self.denoiser.posterior(*self._doubled(x_t, level, context))
        conditional, unconditional = law.mean[0], law.mean[1]
        guided = unconditional + over_event(self._strength(level), self.event_dim, x_t) * (conditional - unconditional)
        if self.rescale:
            guided = guided * self._factor(guided, conditional)
        if isinstance(law, dist.Delta):
            return dist.Delta(guided, event_dim=self.event_dim)
        return shifted(mapped(law, lambda parameter, _: parameter[0]), guided - conditional)

    # -------------------------------------------------------------------------------------------------------------------- parts

    def _is_conditional(self, level: NoiseLevel) -> bool:
        """Whether the scale is one for sure: everywhere, or at a single time outside the interval (a number of the sampler)."""
        if self.scale == 1.0:
            return True
        if self.interval == (0.0, 1.0) or level.t.dim() or level.t.device.type != "cpu" or torch.compiler.is_compiling():
            return False
        return not self.interval[0] <= float(level.t) <= self.interval[1]

    def _is_unconditional(self) -> bool:
        return self.scale == 0.0 and self.interval == (0.0, 1.0)

    def _strength(self, level: NoiseLevel) -> Tensor:
        inside = (level.t >= self.interval[0]) & (level.t <= self.interval[1])
        return torch.where(inside, self.scale, torch.ones_like(level.t))

    def _doubled(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None) -> tuple[Tensor, NoiseLevel, Tensor]:
        """With and without the context, stacked on a new first dimension."""
        given, null = cast(Tensor, context), cast(Tensor, self.null_context)
        batch = x_t.shape[: x_t.dim() - self.event_dim]
        shape = (*batch, *cast(tuple[int, ...], self.context_shape))
        contexts = torch.stack([given.expand(shape), null.to(given).expand(shape)])
        return x_t.expand(2, *x_t.shape), level, contexts

    def _factor(self, guided: Tensor, conditional: Tensor) -> Tensor:
        over = tuple(range(-self.event_dim, 0))
        wanted, spread = conditional.std(over, keepdim=True), guided.std(over, keepdim=True)
        ratio = torch.where(spread > 0, wanted / torch.where(spread > 0, spread, 1.0), 1.0)  # a constant image stays
        return 1 + self.rescale * (ratio - 1)

r"""Classifier guidance: the gradient of a classifier of noisy data moves the denoiser.

By Bayes' rule :math:`\nabla \log q_t(x_t \mid y) = \nabla \log q_t(x_t) + \nabla \log p_t(y \mid x_t)`, and by Tweedie's
formula the same in terms of the posterior mean:

.. math:: \mathbb E[x_0 \mid x_t, y] = \mathbb E[x_0 \mid x_t] + \frac{\sigma_t^2}{\alpha_t}\, \nabla \log p_t(y \mid x_t).

At scale 1 with the true classifier of *noisy* data this is exact. A scale w raises the likelihood to a power at every time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.diffusion.conditioning.law_arithmetic import shifted
from probgen.distributions._checks import values_readable
from probgen.distributions.chains import Denoiser, NoiseLevel
from probgen.distributions.events import over_event

__all__ = ["ClassifierGuided"]


class ClassifierGuided(Denoiser):
    r"""A denoiser moved by :math:`w\,(\sigma^2/\alpha)\,\nabla_{x_t} \log p_t(y \mid x_t)`, for every datum by its own
    gradient.

    Args:
        denoiser: The denoiser; if it takes a context, the classifier is given the same.
        classifier: From x ``[*batch, *event]``, the log-SNR ``[*batch]`` and, if ``context_shape`` is given, the context, to
            :math:`\log p_t(y \mid x_t)`, shape ``[*batch]``; nothing it computes for one datum may depend on others (no batch
            normalization in training mode).
        scale: w; 1 is Bayes' rule.
        context_shape: Trailing shape of the context that says which y; None if the classifier knows its y.

    Raises:
        ValueError: the denoiser takes another context, the classifier returns another shape, or, when called, no signal is left
            at the time asked for, where the formula is zero times infinity.
        ContextError: when called with a missing, mis-sized or unused context.

    References:
        Dhariwal, Nichol (2021). Diffusion models beat GANs on image synthesis. https://arxiv.org/abs/2105.05233

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import ClassifierGuided
        >>> from probgen.distributions.chains import GaussianDenoiser, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(2), torch.tensor(1.0))
        >>> guided = ClassifierGuided(oracle, lambda x, log_snr: x.sum(-1), scale=1.0)  # log p(y | x) = x_1 + x_2 + constant
        >>> moved = guided.mean(torch.zeros(2), 0.5)
        >>> bool(torch.allclose(moved, (oracle.schedule.sigma(0.5) ** 2 / oracle.schedule.alpha(0.5)).float()))
        True
    """

    def __init__(
        self,
        denoiser: Denoiser,
        classifier: Callable[..., Tensor],
        scale: float = 1.0,
        *,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__(denoiser.schedule, denoiser.event_shape)
        shape = denoiser.context_shape if context_shape is None else tuple(context_shape)
        if denoiser.context_shape is not None and shape != tuple(denoiser.context_shape):
            raise ValueError(f"`context_shape` must be that of `denoiser`, {denoiser.context_shape}; got {shape}.")
        self.denoiser = denoiser
        self.classifier = classifier
        self.scale = float(scale)
        self._classified = context_shape is not None
        self.context_shape = shape

    @property
    def null_context(self) -> Tensor | None:
        """The denoiser's own."""
        return self.denoiser.null_context

    def predict(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> Tensor:
        """The guided mean, ``[*batch, *event]``."""
        return self.denoiser.mean_at(x_t, level, self._inner(context)) + self.shift(x_t, level, context)

    def posterior(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> TorchDistribution:
        """The denoiser's law, moved to the guided mean."""
        return shifted(self.denoiser.posterior(x_t, level, self._inner(context)), self.shift(x_t, level, context))

    def shift(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> Tensor:
        r"""The displacement :math:`w\,(\sigma^2/\alpha)\,\nabla \log p_t(y \mid x_t)`, shape ``[*batch, *event]``.

        Args:
            x_t: Noisy data ``[*batch, *event]``.
            level: Their noise level.
            context: Which y, if the classifier takes one.
        """
        if values_readable(level.alpha) and level.alpha.device.type == "cpu" and not bool((level.alpha > 0).all()):
            raise ValueError("classifier guidance is undefined where no signal is left (alpha = 0); begin at a smaller `t`.")
        factor = self.scale * level.sigma.square() / level.alpha
        return over_event(factor, self.event_dim, x_t) * self._gradient(x_t, level, context)

    def _gradient(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None) -> Tensor:
        batch = x_t.shape[: x_t.dim() - self.event_dim]
        log_snr = level.log_snr.to(x_t).expand(batch)

        def total(x: Tensor) -> Tensor:
            value = self.classifier(x, log_snr, context) if self._classified else self.classifier(x, log_snr)
            if value.shape != batch:
                raise ValueError(f"`classifier` must return shape {tuple(batch)}, a number a datum; got {tuple(value.shape)}.")
            return value.sum()  # the terms are independent, so this is every datum's own gradient

        with torch.enable_grad():
            gradient: Tensor = torch.func.grad(total)(x_t)
        return gradient

    def _inner(self, context: Tensor | None) -> Tensor | None:
        return None if self.denoiser.context_shape is None else context

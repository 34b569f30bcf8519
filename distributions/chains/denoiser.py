r"""The contract of a denoiser: from a noisy observation and its time to a law of the data.

The posterior mean of every denoiser is linear in one *prediction*,

.. math:: \hat x_0 = c_{\mathrm{skip}}\, x_t + c_{\mathrm{out}}\, F(x_t, t, \text{context}),

with coefficients that depend on the time only. A network that predicts the noise, the data, v or the score is the same denoiser
in other coordinates, and a sampler folds the coefficients into its step, so that a step costs one multiplication more or less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyro.distributions as dist
import torch
from torch import Tensor, nn

from probgen.distributions._checks import ContextError, require_context
from probgen.distributions.chains.denoised import Denoised
from probgen.distributions.chains.noise_level import NoiseLevel
from probgen.distributions.chains.posterior_spread import PosteriorSpread
from probgen.distributions.chains.process import GaussianProcess
from probgen.distributions.chains.schedule import Schedule, Times
from probgen.distributions.events import checked, over_event

if TYPE_CHECKING:
    from pyro.distributions import TorchDistribution

__all__ = ["Denoiser"]


class Denoiser(nn.Module):
    r"""A map from :math:`(x_t, t)` and a context to a law of :math:`x_0` (abstract).

    A subclass writes ``predict`` and, unless its prediction is the posterior mean itself, ``coefficients``; and ``posterior``
    if it knows more than the mean. Nothing it computes for one datum may depend on the others of a batch.

    Attributes:
        schedule: The noise schedule.
        event_shape: Shape of one datum.
        context_shape: Trailing shape of the context it takes, or None.
        null_context: The context that means "none given", of shape ``context_shape``, or None.

    Args:
        schedule: The noise schedule.
        event_shape: Shape of one datum.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import Denoiser, cosine_schedule
        >>> class Zero(Denoiser):
        ...     def predict(self, x_t, level, context=None):
        ...         return torch.zeros_like(x_t)
        >>> Zero(cosine_schedule(), event_shape=(2,))(torch.ones(5, 2), 0.3).mean.shape
        torch.Size([5, 2])
    """

    context_shape: tuple[int, ...] | None = None

    def __init__(self, schedule: Schedule, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.schedule = schedule
        self.event_shape = torch.Size(event_shape)

    @property
    def event_dim(self) -> int:
        """Number of dimensions of one datum."""
        return len(self.event_shape)

    @property
    def null_context(self) -> Tensor | None:
        """The context that means "none given"."""
        return None

    @property
    def reference(self) -> Tensor:
        """A tensor in the dtype and on the device of the data: one that the denoiser holds, the schedule's tables aside."""
        default = torch.zeros(())
        return next((tensor for tensor in _tensors_of_data(self) if tensor.is_floating_point()), default).detach()

    @property
    def process(self) -> GaussianProcess:
        """The forward process that this denoiser undoes."""
        return GaussianProcess(self.schedule, self.event_shape)

    # -------------------------------------------------------------------------------------------------------------------- hooks

    def predict(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> Tensor:
        """The prediction F on valid input, shape ``[*batch, *event]`` as ``x_t``; the level broadcasts with the batch."""
        raise NotImplementedError(f"{type(self).__name__} does not define `predict`.")

    def coefficients(self, level: NoiseLevel) -> tuple[Tensor, Tensor]:
        r"""The coefficients :math:`c_{\mathrm{skip}}, c_{\mathrm{out}}` of the mean, float64, of the level's shape."""
        return torch.zeros_like(level.t), torch.ones_like(level.t)

    def posterior(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> TorchDistribution:
        r"""The law of :math:`x_0` on valid input; by default a point mass at the mean."""
        mean = self.mean_at(x_t, level, context)
        return dist.Delta(mean, event_dim=self.event_dim, validate_args=checked(mean))

    def predict_and_posterior(
        self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None
    ) -> tuple[Tensor, TorchDistribution]:
        """The prediction and the law that follows from it, on valid input; in one evaluation where a network is involved."""
        return self.predict(x_t, level, context), self.posterior(x_t, level, context)

    def isotropic_variance(self, level: NoiseLevel) -> Tensor | None:
        r"""The posterior variance where it is one number for all data and coordinates, float64, shaped as the level; else None.

        It lets a sampler add its noise without building a law; it has to agree with ``posterior``.
        """
        return torch.zeros_like(level.t) if type(self).posterior is Denoiser.posterior else None

    # ------------------------------------------------------------------------------------------------------------------- public

    def forward(self, x_t: Tensor, t: Times, context: Tensor | None = None) -> Denoised:
        """Denoise.

        Args:
            x_t: Noisy data ``[*batch, *event]``.
            t: Times in (0, 1], a number or a tensor that broadcasts with ``[*batch]``.
            context: Shape ``[*batch, *context_shape]`` (leading dimensions broadcast with the batch), if it takes one.

        Raises:
            ValueError: a wrong event shape, times that do not broadcast, or a time outside [0, 1].
            ContextError: a missing, mis-sized or unused context.
        """
        self._check(x_t, t, context)
        level = self.schedule.level(t)
        return Denoised(self.posterior(x_t, level, context), x_t, level)

    def mean(self, x_t: Tensor, t: Times, context: Tensor | None = None) -> Tensor:
        r"""The posterior mean :math:`\hat x_0` alone, shape ``[*batch, *event]``; arguments as of :meth:`forward`."""
        self._check(x_t, t, context)
        return self.mean_at(x_t, self.schedule.level(t), context)

    def mean_at(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> Tensor:
        r"""The posterior mean on valid input, at a level instead of a time; shapes as of :meth:`predict`."""
        skip, out = (over_event(value, self.event_dim, x_t) for value in self.coefficients(level))
        return skip * x_t + out * self.predict(x_t, level, context)

    # ------------------------------------------------------------------------------------------------------------------- checks

    def check(self, x_t: Tensor, context: Tensor | None = None) -> None:
        """Check the shapes of an observation and its context, as :meth:`forward` does; samplers do it once.

        Raises:
            TypeError: an observation that is not of floating point.
            ValueError: a wrong event shape.
            ContextError: a missing, mis-sized or unused context.
        """
        owner = type(self).__name__
        if not x_t.is_floating_point():
            raise TypeError(f"`x_t` of {owner} must be of floating point; got {x_t.dtype}.")
        cut = x_t.dim() - self.event_dim
        if cut < 0 or x_t.shape[cut:] != self.event_shape:
            raise ValueError(f"`x_t` of {owner} must have event shape {tuple(self.event_shape)}; got {tuple(x_t.shape)}.")
        require_context_of(owner, context, self.context_shape, x_t.shape[:cut])

    def _check(self, x_t: Tensor, t: Times, context: Tensor | None) -> None:
        self.check(x_t, context)
        batch = x_t.shape[: x_t.dim() - self.event_dim]
        if isinstance(t, Tensor) and not _broadcasts_to(t.shape, batch):
            raise ValueError(f"`t` must broadcast to the batch {tuple(batch)} of `x_t`; got shape {tuple(t.shape)}.")


def require_context_of(owner: str, context: Tensor | None, shape: Sequence[int] | None, batch_shape: Sequence[int]) -> None:
    """Check a context against what a denoiser declares and against the batch of its observation.

    Args:
        owner: Name of the denoiser.
        context: Shape ``[*batch, *shape]``, or None.
        shape: What the denoiser declares; None: it takes no context.
        batch_shape: That of the observation, to which the context's has to broadcast.

    Raises:
        ContextError: the context is missing, not wanted, or has another shape.
    """
    require_context(owner, context, None if shape is None else tuple(shape), ())
    if context is None or shape is None:
        return
    lead = tuple(context.shape[: context.dim() - len(shape)])
    if not _broadcasts_to(lead, batch_shape):
        raise ContextError(f"the batch {lead} of `context` must broadcast to that of `x_t`, {tuple(batch_shape)}.")


def _broadcasts_to(shape: Sequence[int], batch_shape: Sequence[int]) -> bool:
    """Whether a tensor of the one shape can be expanded to the other."""
    extra = len(batch_shape) - len(shape)
    return extra >= 0 and all(size in (1, wanted) for size, wanted in zip(shape, batch_shape[extra:], strict=True))


def _tensors_of_data(module: nn.Module) -> Iterator[Tensor]:
    """The tensors that a module holds, its own first; the float64 tables of schedules and spreads are left out."""
    if isinstance(module, Schedule | PosteriorSpread):
        return
    yield from module.parameters(recurse=False)
    yield from module.buffers(recurse=False)
    for child in module.children():
        yield from _tensors_of_data(child)

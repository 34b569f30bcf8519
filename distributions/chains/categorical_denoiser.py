r"""A denoiser of integers: from noisy states and their time to a categorical law of the data, and what it says.

The law :math:`p(x_0 \mid x_t)` is independent over coordinates. Pushed through the posterior of the forward process it gives
the reverse kernel

.. math:: p(x_s \mid x_t) = \sum_k p(x_0 = k \mid x_t)\; q(x_s \mid x_t, x_0 = k).

Values of which :math:`x_t` cannot have come get probability zero: where a coordinate is not masked, the data are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from probgen.distributions.chains.categorical_process import CategoricalProcess
from probgen.distributions.chains.denoiser import require_context_of
from probgen.distributions.chains.independent_categorical import IndependentCategorical
from probgen.distributions.chains.noise_level import NoiseLevel
from probgen.distributions.chains.schedule import Times
from probgen.distributions.chains.wrapped_law import WrappedLaw
from probgen.distributions.events import one_batch_dim

__all__ = ["CategoricalDenoised", "CategoricalDenoiser"]


class CategoricalDenoised(WrappedLaw):
    r"""The law :math:`p(x_0 \mid x_t)` over integers that a denoiser reports.

    Args:
        log_probs: Log-probabilities ``[*batch, *event, values]`` of the data, zero (minus infinity) where :math:`x_t` rules
            them out.
        x_t: The noisy states ``[*batch, *event]``.
        level: Their noise level, broadcasting with ``[*batch]``.
        process: The forward process.
        validate_args: As in ``torch.distributions``.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import CategoricalDenoised, CategoricalProcess
        >>> process = CategoricalProcess(2, (1,), "absorbing")
        >>> half = process.schedule.level(0.5)
        >>> denoised = CategoricalDenoised(torch.tensor([[0.9, 0.1]]).log(), torch.tensor([2]), half, process)
        >>> denoised.reverse(process.schedule.level(0.25)).probs  # half of the masked ones are revealed
        tensor([[0.4500, 0.0500, 0.5000]])
    """

    def __init__(
        self,
        log_probs: Tensor,
        x_t: Tensor,
        level: NoiseLevel,
        process: CategoricalProcess,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self.log_probs, self.x_t, self.level, self.process = log_probs, x_t, level, process
        super().__init__(IndependentCategorical(log_probs, len(process.event_shape)), validate_args=validate_args)

    def reverse(self, s: NoiseLevel) -> IndependentCategorical:
        r"""The reverse kernel :math:`p(x_s \mid x_t)`, categorical over events of states.

        Args:
            s: A level nearer to the data; at the data itself the kernel is the law.
        """
        return self.process.reverse(self.log_probs, self.x_t, s, self.level)

    @property
    def mode(self) -> Tensor:
        """The most probable value of each coordinate, ``[*batch, *event]``."""
        return self.log_probs.argmax(-1)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = super().expand(batch_shape, _instance)
        new.log_probs = self.log_probs.expand(*batch_shape, *self.event_shape, self.process.values)
        new.x_t = self.x_t.expand(*batch_shape, *self.event_shape)
        return new


class CategoricalDenoiser(nn.Module):
    r"""A network as a denoiser of integers.

    Args:
        network: A module from integer states ``[N, *event]``, log-SNR ``[N]`` and context ``[N, *context_shape]`` (or None) to
            logits ``[N, *event, values]`` of the data. It may declare ``context_shape``.
        process: The forward process.

    Raises:
        ValueError: when called, the network returns another shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import CategoricalDenoiser, CategoricalProcess
        >>> class Network(torch.nn.Module):
        ...     def forward(self, x, log_snr, context=None):
        ...         return torch.zeros(*x.shape, 3)
        >>> denoiser = CategoricalDenoiser(Network(), CategoricalProcess(3, (4,), "absorbing"))
        >>> denoiser(torch.tensor([[0, 1, 3, 3]]), 0.5).log_probs.exp()[0, 1:3]  # the mask is 3: known, unknown
        tensor([[0.0000, 1.0000, 0.0000],
                [0.3333, 0.3333, 0.3333]])
    """

    def __init__(self, network: nn.Module, process: CategoricalProcess) -> None:
        super().__init__()
        self.network = network
        self.process = process
        self.context_shape: tuple[int, ...] | None = getattr(network, "context_shape", None)

    @property
    def event_shape(self) -> torch.Size:
        """Shape of one datum."""
        return self.process.event_shape

    @property
    def reference(self) -> Tensor:
        """A tensor in the dtype of the laws and on their device."""
        return self.process.anchor

    def forward(self, x_t: Tensor, t: Times, context: Tensor | None = None) -> CategoricalDenoised:
        """Denoise.

        Args:
            x_t: Integer states ``[*batch, *event]``.
            t: Times in (0, 1], a number or a tensor that broadcasts with ``[*batch]``.
            context: Shape ``[*batch, *context_shape]``, if the network takes one.

        Raises:
            ValueError: a wrong event shape, states that are no integers, or a wrong shape from the network.
            ContextError: a missing, mis-sized or unused context.
        """
        self._check(x_t, context)
        level = self.process.schedule.level(t if not isinstance(t, Tensor) else t.to(x_t.device))
        log_probs = self.process.possible(self._logits(x_t, level, context), x_t, level)
        return CategoricalDenoised(log_probs, x_t, level, self.process)

    def _logits(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None) -> Tensor:
        """The network on one flat batch dimension."""
        batch = x_t.shape[: x_t.dim() - len(self.event_shape)]
        log_snr = one_batch_dim(level.log_snr.to(self.process.anchor), batch, ())
        if context is not None:
            context = one_batch_dim(context, batch, self.context_shape or ())
        logits: Tensor = self.network(one_batch_dim(x_t, batch, self.event_shape), log_snr, context)
        expected = (batch.numel(), *self.event_shape, self.process.values)
        if tuple(logits.shape) != expected:
            raise ValueError(f"`network` must return logits of shape {expected}; it returned {tuple(logits.shape)}.")
        return logits.reshape(*batch, *self.event_shape, self.process.values)

    def _check(self, x_t: Tensor, context: Tensor | None) -> None:
        cut = x_t.dim() - len(self.event_shape)
        if cut < 0 or x_t.shape[cut:] != self.event_shape:
            raise ValueError(f"`x_t` must have event shape {tuple(self.event_shape)}; got {tuple(x_t.shape)}.")
        if x_t.is_floating_point() or x_t.is_complex():
            raise ValueError(f"`x_t` must hold integers; got {x_t.dtype}.")
        require_context_of(type(self).__name__, context, self.context_shape, x_t.shape[:cut])

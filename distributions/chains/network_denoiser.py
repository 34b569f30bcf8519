r"""A network as a denoiser: parameterization, preconditioning and spread around any module.

The network is called as ``network(x, log_snr, context)`` with one batch dimension, on inputs of unit variance, and sees the
log-SNR instead of a step index; so the schedule can be exchanged after training. See ``parameterization`` for the coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions.chains.denoiser import Denoiser
from probgen.distributions.chains.noise_level import NoiseLevel
from probgen.distributions.chains.parameterization import (
    PARAMETERIZATIONS,
    Parameterization,
    input_scale,
    mean_coefficients,
)
from probgen.distributions.chains.posterior_spread import PointMass, PosteriorSpread
from probgen.distributions.chains.schedule import Schedule
from probgen.distributions.chains.time_grid import TimeGrid
from probgen.distributions.events import one_batch_dim, over_event

__all__ = ["NetworkDenoiser"]


class NetworkDenoiser(Denoiser):
    r"""A denoiser whose prediction is a network's output.

    Args:
        network: A module from x ``[N, *event]``, log-SNR ``[N]`` and context ``[N, *context_shape]`` (or None) to
            ``[N, *event]``, with twice the size in dimension 0 of the event where the spread is learned. It may declare
            ``context_shape`` and ``null_context``.
        schedule: The noise schedule.
        event_shape: Shape of one datum.
        parameterization: What the output means: "v", "eps", "x0", "score", "velocity", "edm", or "mean" (needs ``grid``).
        spread: What is known beyond the mean; a point mass by default.
        data_std: Standard deviation of the data, used to scale the input and by "edm".
        grid: The chain, for "mean".

    Raises:
        ValueError: no such parameterization, "mean" without a grid, or a non-positive ``data_std``.

    References:
        Karras, Aittala, Aila, Laine (2022). Elucidating the design space of diffusion-based generative models.
        https://arxiv.org/abs/2206.00364
        Salimans, Ho (2022). Progressive distillation for fast sampling of diffusion models. https://arxiv.org/abs/2202.00512

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import NetworkDenoiser, cosine_schedule
        >>> class Network(torch.nn.Module):
        ...     def forward(self, x, log_snr, context=None):
        ...         return 0.1 * x
        >>> denoiser = NetworkDenoiser(Network(), cosine_schedule(), (1, 8, 8), parameterization="eps")
        >>> bool(torch.allclose(denoiser(torch.ones(2, 1, 8, 8), 0.5).eps, torch.tensor(0.1)))
        True
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        event_shape: Sequence[int],
        *,
        parameterization: Parameterization = "v",
        spread: PosteriorSpread | None = None,
        data_std: float = 1.0,
        grid: TimeGrid | None = None,
    ) -> None:
        super().__init__(schedule, event_shape)
        known = [*PARAMETERIZATIONS, "mean"]
        if parameterization not in known:
            raise ValueError(f"`parameterization` must be one of {known}; got {parameterization!r}.")
        if parameterization == "mean" and grid is None:
            raise ValueError('`grid` must be given with the parameterization "mean": it is the mean of the next state.')
        if not data_std > 0:
            raise ValueError(f"`data_std` must be positive; got {data_std}.")
        self.network = network
        self.parameterization: Parameterization = parameterization
        self.spread = PointMass() if spread is None else spread
        self.data_std = data_std
        self.grid = grid
        self.context_shape = getattr(network, "context_shape", None)

    @property
    def null_context(self) -> Tensor | None:
        """The network's own."""
        return getattr(self.network, "null_context", None)

    def coefficients(self, level: NoiseLevel) -> tuple[Tensor, Tensor]:
        r"""The coefficients :math:`c_{\mathrm{skip}}, c_{\mathrm{out}}` of the parameterization."""
        if self.parameterization == "mean":
            return mean_coefficients(level, self.schedule, cast(TimeGrid, self.grid))
        return PARAMETERIZATIONS[self.parameterization](level, self.data_std)

    def predict(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> Tensor:
        """The network's output, ``[*batch, *event]``."""
        return self._outputs(x_t, level, context)[0]

    def posterior(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> TorchDistribution:
        """The law of the data, as wide as ``spread`` says."""
        return self.predict_and_posterior(x_t, level, context)[1]

    def predict_and_posterior(
        self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None
    ) -> tuple[Tensor, TorchDistribution]:
        """The network's output ``[*batch, *event]`` and the law of the data, from one evaluation."""
        prediction, raw = self._outputs(x_t, level, context)
        skip, out = (over_event(value, self.event_dim, x_t) for value in self.coefficients(level))
        mean = skip * x_t + out * prediction
        return prediction, self.spread.law(x_t, level, mean, raw, lambda x: self.mean_at(x, level, context), self.event_dim)

    def isotropic_variance(self, level: NoiseLevel) -> Tensor | None:
        """That of the spread, if it depends on the level only."""
        return self.spread.isotropic_variance(level)

    def _outputs(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The prediction and, where the spread is learned, the second tensor; both ``[*batch, *event]``."""
        batch = x_t.shape[: x_t.dim() - self.event_dim]
        output = self._called(self._scaled(x_t, level), level, context, batch)
        if not self.spread.learned:
            return output.reshape(x_t.shape), None
        expected = (batch.numel(), 2 * self.event_shape[0], *self.event_shape[1:])
        if tuple(output.shape) != expected:
            raise ValueError(f"a learned spread needs `network` to return shape {expected}; it returned {tuple(output.shape)}.")
        first, second = output.chunk(2, 1)
        return first.reshape(x_t.shape), second.reshape(x_t.shape)

    def _called(self, x: Tensor, level: NoiseLevel, context: Tensor | None, batch: torch.Size) -> Tensor:
        """The network on one flat batch dimension."""
        log_snr = one_batch_dim(level.log_snr.to(dtype=x.dtype, device=x.device), batch, ())
        if context is not None:
            context = one_batch_dim(context, batch, self.context_shape or ())
        return cast(Tensor, self.network(one_batch_dim(x, batch, self.event_shape), log_snr, context))

    def _scaled(self, x_t: Tensor, level: NoiseLevel) -> Tensor:
        if self.data_std == 1.0 and self.schedule.scaling == "variance preserving":
            return x_t
        return over_event(input_scale(level, self.data_std), self.event_dim, x_t) * x_t

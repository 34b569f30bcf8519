r"""The probability flow as a bijector from noise to data, and with it the exact likelihood of a diffusion model.

The ordinary differential equation with the marginals of the reverse process,

.. math:: \frac{\mathrm dx}{\mathrm dt} = f x - \tfrac12 g^2\, \nabla \log q_t(x),

is singular at the data in these variables. With :math:`r = \sqrt{\alpha^2 + \sigma^2}`, the state :math:`y = x / r` and the
time :math:`w = \operatorname{arsinh}(\alpha / \sigma)` it becomes, for every schedule and scaling,

.. math:: \frac{\mathrm dy}{\mathrm dw} = \hat x_0(x) - \tanh(w)\, y, \qquad \tanh w = \frac{\alpha}{r}, \quad
    \frac{1}{\cosh w} = \frac{\sigma}{r}, \quad \lambda = 2 \log \sinh w .

Nothing is divided: :math:`w = 0` is pure noise (also where no signal is left), and toward the data w grows like half the
log-SNR, so that equal steps resolve every scale of the data. A flow stops at a small noise-to-signal ratio; its law is that of
the data with that much noise. Derived in ``docs/derivations/diffusion-sde.md``.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from probgen.diffusion.samplers.levels import level_at_log_snr
from probgen.distributions.bijectors import Bijector, Compose, ContinuousFlow, Scale
from probgen.distributions.chains import Denoiser

__all__ = ["ProbabilityFlowField", "probability_flow"]


class ProbabilityFlowField(nn.Module):
    r"""The velocity :math:`\hat x_0 - \tanh(w)\, y` of the probability flow, in the time :math:`w` of this module.

    Coefficients are worked out in float64 from w. The denoiser is shared.

    Args:
        denoiser: The denoiser.

    Example:
        >>> import torch
        >>> from probgen.diffusion import ProbabilityFlowField
        >>> from probgen.distributions.chains import GaussianDenoiser, cosine_schedule
        >>> field = ProbabilityFlowField(GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor(1.0)))
        >>> field(torch.tensor(0.7), torch.ones(1, 2)).abs().max() < 1e-6  # unit-variance data stand still
        tensor(True)
    """

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.context_shape = denoiser.context_shape

    def forward(self, w: Tensor, y: Tensor, context: Tensor | None = None) -> Tensor:
        """The velocity.

        Args:
            w: The time, 0-dimensional.
            y: States ``[N, *event]`` scaled to unit variance of unit-variance data.
            context: Shape ``[N, *context_shape]``, if the denoiser takes one.
        """
        time = w.double()
        level = level_at_log_snr(self.denoiser.schedule, 2 * torch.log(torch.sinh(time)))
        skip, out = self.denoiser.coefficients(level)
        radius = torch.hypot(level.alpha, level.sigma)
        prediction = self.denoiser.predict(y * radius.to(y), level, context)
        return y * (skip * radius - torch.tanh(time)).to(y) + prediction * out.to(y)


def probability_flow(denoiser: Denoiser, *, start: float = 1.0, stop: float | None = None, **options: Any) -> Bijector:
    r"""The bijector that carries noise to data along the probability flow.

    ``TransformedDistribution(prior, probability_flow(denoiser)).log_prob(x)`` is the log-likelihood of the model, exact but for
    three errors: the solver's (set by its tolerance), the prior's (how far the marginal at ``start`` is from it), and that of
    stopping early: the value is the log-density of the data *with noise* of the ratio at ``stop``, which matters where the data
    have structure finer than that.

    Args:
        denoiser: The denoiser; its mean is used.
        start: The time of the noise.
        stop: The time of the data, above 0; by default that where :math:`\sigma / \alpha` is 1/1000.
        options: For ``ContinuousFlow``: ``solver``, ``steps``, ``rtol``, ``atol``, ``max_steps``, ``divergence``, ``probes``,
            ``probe_kind``, ``chunk_size`` and ``adjoint``. By default the solver is adaptive ("dopri5") and the divergence
            exact.

    Raises:
        ValueError: times that are not 0 < stop < start <= 1.

    References:
        Song, Sohl-Dickstein, Kingma, Kumar, Ermon, Poole (2021). Score-based generative modeling through stochastic
        differential equations. https://arxiv.org/abs/2011.13456

    Example:
        >>> import torch
        >>> from probgen.diffusion import probability_flow
        >>> from probgen.distributions import TransformedDistribution, standard_normal
        >>> from probgen.distributions.chains import GaussianDenoiser, variance_preserving_schedule
        >>> oracle = GaussianDenoiser(variance_preserving_schedule(), torch.zeros(2).double(), torch.tensor(0.25).double())
        >>> law, x = TransformedDistribution(standard_normal(2), probability_flow(oracle)), torch.ones(1, 2).double()
        >>> bool((law.log_prob(x) - oracle.data.log_prob(x)).abs() < 1e-3)
        True
    """
    schedule = denoiser.schedule
    ratio = 1e-3 if stop is None else math.exp(-schedule.log_snr(stop).item() / 2)
    noisiest = schedule.log_snr(start).item() / 2
    first, last = math.asinh(math.exp(noisiest)), math.asinh(1 / ratio) if ratio > 0 else math.inf
    if not 0 <= first < last < math.inf:
        raise ValueError(f"0 < `stop` < `start` <= 1 must hold; got stop = {stop} and start = {start}.")
    flow = ContinuousFlow(ProbabilityFlowField(denoiser), denoiser.event_shape, times=(first, last), **options)
    radii = [_radius(denoiser, half) for half in (noisiest, -math.log(ratio))]
    return _scaled(flow, 1 / radii[0], radii[1])


def _radius(denoiser: Denoiser, half_log_snr: float) -> float:
    r""":math:`\sqrt{\alpha^2 + \sigma^2}`."""
    level = level_at_log_snr(denoiser.schedule, torch.tensor(2 * half_log_snr, dtype=torch.float64))
    return float(torch.hypot(level.alpha, level.sigma))


def _scaled(flow: Bijector, before: float, after: float) -> Bijector:
    """The flow between scalings, where these do anything."""
    parts = [_scale(before), flow, _scale(after)]
    needed = [part for part in parts if part is not None]
    return flow if len(needed) == 1 else Compose(*needed)


def _scale(factor: float) -> Bijector | None:
    return None if abs(factor - 1.0) < 1e-12 else Scale(torch.tensor(factor, dtype=torch.float64))

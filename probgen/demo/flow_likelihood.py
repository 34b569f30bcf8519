r"""Bits per dimension by the probability flow, of data with levels, in two ways that differ in how they leave the levels.

The flow has an exact density :math:`p_s` at the time s where it stops, up to the solver's error; but the data are levels, and
what the flow knows is data with noise :math:`\sigma_s`.

*Uniform dequantization.* Rounding :math:`x_s / \alpha_s` to levels of width w defines a law of levels, and Jensen's inequality
gives :math:`-\log P(x) \le -\mathbb E_u \log\bigl[(\alpha_s w)^D\, p_s(\alpha_s (x + u))\bigr]`. The network has seen normal
noise around the levels, not uniform noise, so even a perfect one loses
:math:`\mathrm{KL}(\mathrm{Uniform} \,\|\, \mathcal N)`, least where :math:`\sigma_s / \alpha_s = w / \sqrt{12}`: 0.25 bits a
dimension.

*The decoder.* With the last step of the chain, the flow in place of all others,

.. math:: -\log P(x) \le \mathbb E_{q(x_s \mid x)}\bigl[-\log p_s(x_s) - \log P(x \mid x_s) + \log q(x_s \mid x)\bigr],

which loses no more than a decoder that does not know the noise. Both are bounds of the code length; the log-determinant is
Hutchinson's unbiased estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from probgen.diffusion import Diffusion
from probgen.distributions import Quantization, TransformedDistribution
from probgen.distributions.chains import Denoised
from probgen.metrics import MeanError, mean_and_error

__all__ = ["FlowBits", "flow_bits", "flow_log_prob"]


@dataclass(frozen=True)
class FlowBits:
    """Bits per dimension by the probability flow, upper bounds of a code length.

    Attributes:
        uniform: With uniform dequantization.
        decoder: With the chain's decoder.
        uniform_stop: The noise-to-signal ratio at which the flow of ``uniform`` stops.
        decoder_stop: The same of ``decoder``.

    Example:
        >>> from probgen.demo import FlowBits
        >>> from probgen.metrics import MeanError
        >>> print(FlowBits(MeanError(2.1, 0.02), MeanError(1.9, 0.02), 0.036, 0.031).decoder)
        1.900 ± 0.020
    """

    uniform: MeanError
    decoder: MeanError
    uniform_stop: float
    decoder_stop: float


@torch.no_grad()
def flow_log_prob(
    diffusion: Diffusion, x: Tensor, context: Tensor | None, stop: float, *, steps: int = 25, rows: int = 512
) -> Tensor:
    """Log-density of noisy data under the probability flow that stops at a time: nats, ``[n]``, unbiased.

    Args:
        diffusion: The model, in evaluation mode.
        x: Noisy data at that time, ``[n, *event]``.
        context: Shape ``[n, *context_shape]``, if the network takes one.
        stop: The time.
        steps: Steps of the classical Runge-Kutta method, four evaluations and four backward passes each.
        rows: How many data are integrated at once.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.demo import flow_log_prob
        >>> from probgen.distributions.chains import GaussianDenoiser, cosine_schedule
        >>> oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(1), torch.tensor(1.0))
        >>> d = pg.diffusion.Diffusion(oracle, oracle.schedule, event_shape=(1,))
        >>> round(float(flow_log_prob(d, torch.zeros(1, 1), None, 0.02)), 3)  # unit variance stays
        -0.919
    """
    flow = diffusion.probability_flow(stop=stop, solver="rk4", steps=steps, divergence="hutchinson")
    parts = []
    for part in torch.arange(len(x)).split(rows):
        bijector = flow if context is None else flow.condition(context[part])
        law = TransformedDistribution(diffusion.prior, bijector, allow_estimate=True)
        parts.append(law.log_prob(x[part]))
    return torch.cat(parts)


@torch.no_grad()
def flow_bits(
    diffusion: Diffusion, x: Tensor, context: Tensor | None, quantization: Quantization, *, steps: int = 25, seed: int = 0
) -> FlowBits:
    """Measure the bits per dimension of data with levels by the probability flow.

    Args:
        diffusion: The model, with a decoder; its grid says where that begins.
        x: Data ``[n, *event]``, centers of their levels.
        context: Shape ``[n, *context_shape]``, if the network takes one.
        quantization: The levels.
        steps: Steps of the solver.
        seed: Of the noise and the probes; the global random state is left alone.

    Raises:
        ValueError: the model has no decoder.

    Example:
        >>> import torch
        >>> from probgen.demo import digits_diffusion, flow_bits
        >>> from probgen.distributions import Quantization
        >>> x, label = torch.zeros(2, 1, 8, 8), torch.tensor([10, 10])
        >>> flow_bits(digits_diffusion(width=8).eval(), x, label, Quantization(17, -1.0, 1.0), steps=2).uniform.mean > 0
        True
    """
    if diffusion.decoder is None:
        raise ValueError("`diffusion` must have a decoder of the levels.")
    dims = math.prod(diffusion.event_shape)
    first = float(diffusion.grid.times[1])
    best = diffusion.schedule.t_of_log_snr(torch.tensor(-2 * math.log(quantization.width / math.sqrt(12)), dtype=torch.float64))
    stop = max(first, float(best))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        alpha = float(diffusion.schedule.alpha(stop))
        spread = alpha * (x + quantization.width * (torch.rand_like(x) - 0.5))
        uniform = flow_log_prob(diffusion, spread, context, stop, steps=steps) + dims * math.log(alpha * quantization.width)
        forward = diffusion.process.marginal(x, first)
        state = forward.sample()
        denoised = cast(Denoised, diffusion(state, first, context))
        decoder = flow_log_prob(diffusion, state, context, first, steps=steps)
        decoder = decoder + diffusion.decoder(denoised).log_prob(x) - forward.log_prob(state)
    bits = [mean_and_error(-value / (dims * math.log(2))) for value in (uniform, decoder)]
    ratios = [math.exp(-float(diffusion.schedule.log_snr(t)) / 2) for t in (stop, first)]
    return FlowBits(bits[0], bits[1], ratios[0], ratios[1])

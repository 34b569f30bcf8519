r"""The contract of a conditioned diffusion model: a law to draw from that says what it is worth.

For an observation :math:`y = A x_0 + \sigma_y n` the posterior :math:`p(x_0 \mid y)` has no closed form unless the data are a
known Gaussian mixture. Most methods that draw "from it" draw from something else; every one here carries a label, ``bias``,
with what is known, and the numbers in the labels are those of ``restoration_table``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.diffusion.conditioning.linear_observation import LinearObservation
from probgen.distributions import DensityUnavailable, Distribution
from probgen.distributions.chains import Denoiser, GaussianChain, NoiseLevel
from probgen.distributions.estimate import LogProbKind

__all__ = ["Conditional", "generation_step", "step_mean"]


class Conditional(Distribution):
    r"""The law of data given a linear observation of them, or what a method puts in its place (abstract).

    A subclass writes ``generate``. Draws come from torch's global generator, as those of any distribution.

    Attributes:
        bias: What the draws are worth.

    Args:
        chain: The generative chain: denoiser, time grid, prior, decoder, context.
        observation: What was seen.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the observation is of other data.

    Example:
        >>> from probgen.diffusion.conditioning import Conditional, NullSpace
        >>> issubclass(NullSpace, Conditional), NullSpace.bias[:6]
        (True, 'biased')
    """

    log_prob_kind: LogProbKind = "none"
    bias: ClassVar[str] = ""

    def __init__(self, chain: GaussianChain, observation: LinearObservation, *, validate_args: bool | None = None) -> None:
        event_shape = chain.process.event_shape
        if observation.event_shape != event_shape:
            raise ValueError(f"`observation` must be of data {tuple(event_shape)}; it is of {tuple(observation.event_shape)}.")
        self.chain = chain
        self.observation = observation
        batch = torch.broadcast_shapes(chain.batch_shape, observation.batch_shape)
        super().__init__(batch, event_shape, validate_args=validate_args)

    # -------------------------------------------------------------------------------------------------------------------- hooks

    def generate(self, x: Tensor) -> Tensor:
        """From noisiest states ``[*sample, *batch, *event]`` to data of that shape."""
        raise NotImplementedError(f"{type(self).__name__} does not define `generate`.")

    # ------------------------------------------------------------------------------------------------------------- distribution

    @constraints.dependent_property
    def support(self) -> Constraint:
        """The reals."""
        return constraints.independent(constraints.real, len(self.event_shape))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        return self._expanded(batch_shape, _instance)

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients."""
        with torch.no_grad():
            return self.generate(self.start(sample_shape))

    def start(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Noisiest states ``[*sample_shape, *batch, *event]``, in the dtype and on the device of the observation.

        Args:
            sample_shape: How many.
        """
        return self.chain.start((*sample_shape, *self.batch_shape), self.observation.value)

    def log_prob(self, value: Tensor) -> Tensor:
        """Not available, except where a subclass says so.

        Raises:
            DensityUnavailable: always.
        """
        raise DensityUnavailable(
            type(self).__name__,
            "only the chain's joint density with the observation is known",
            '`.log_evidence()` of `method="smc"`',
        )

    # -------------------------------------------------------------------------------------------------------------------- parts

    def mean_at(self, x: Tensor, level: NoiseLevel) -> Tensor:
        """The unconditional posterior mean at states ``[*batch, *event]`` of one noise level.

        Args:
            x: Noisy states.
            level: Their level.
        """
        return cast(Denoiser, self.chain.denoiser).mean_at(x, level, self.chain.context)

    def level(self, t: float) -> NoiseLevel:
        """Signal and noise at a time.

        Args:
            t: The time.
        """
        return cast(Denoiser, self.chain.denoiser).schedule.level(t)

    def steps(self) -> Iterator[tuple[NoiseLevel, NoiseLevel]]:
        """The levels from which and to which the steps of generation lead, from the noise to the data."""
        levels = [self.level(t) for t in self.chain.grid.reversed_times.tolist()]
        return pairwise(levels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.observation}, {self.chain.grid}; {self.bias.split(':')[0]})"


def generation_step(x_t: Tensor, mean: Tensor, t: NoiseLevel, s: NoiseLevel, variance: float) -> Tensor:
    r"""One step of the family that keeps all marginals, from a posterior mean.

    .. math:: x_s = \alpha_s \hat x_0 + \sqrt{\sigma_s^2 - v}\;\hat\varepsilon + \sqrt v\, z, \qquad 0 \le v \le \sigma_s^2

    with :math:`\hat\varepsilon = (x_t - \alpha_t\hat x_0)/\sigma_t`. No noise is drawn for v = 0.

    Args:
        x_t: Noisy states ``[*batch, *event]``.
        mean: What is taken for :math:`\hat x_0`, same shape.
        t: Their noise level, a scalar.
        s: The next noise level.
        variance: v.

    References:
        Song, Meng, Ermon (2021). Denoising diffusion implicit models. https://arxiv.org/abs/2010.02502

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning.conditional import generation_step
        >>> from probgen.distributions.chains import cosine_schedule
        >>> schedule, x = cosine_schedule(), torch.ones(2)
        >>> generation_step(x, torch.zeros(2), schedule.level(0.5), schedule.level(0.0), 0.0)  # at the data: the mean
        tensor([0., 0.])
    """
    x_s = step_mean(x_t, mean, t, s, variance)
    return x_s + math.sqrt(variance) * torch.randn_like(x_s) if variance > 0 else x_s


def step_mean(x_t: Tensor, mean: Tensor, t: NoiseLevel, s: NoiseLevel, variance: float) -> Tensor:
    """The mean of :func:`generation_step`, with the same arguments.

    Args:
        x_t: Noisy states ``[*batch, *event]``.
        mean: What is taken for the data, same shape.
        t: The noise level of the states, a scalar.
        s: The next noise level.
        variance: Variance of the noise that the step adds.

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning.conditional import step_mean
        >>> from probgen.distributions.chains import cosine_schedule
        >>> schedule = cosine_schedule()
        >>> step_mean(torch.ones(2), torch.zeros(2), schedule.level(0.5), schedule.level(0.0), 0.0)
        tensor([0., 0.])
    """
    kept = math.sqrt(max(float(s.sigma) ** 2 - variance, 0.0)) / float(t.sigma)
    return (float(s.alpha) - kept * float(t.alpha)) * mean + kept * x_t

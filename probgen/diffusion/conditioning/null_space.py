r"""Restoration by the null space: what the observation saw is put in, what it did not see is generated.

Any x splits into :math:`A^+ A x + (I - A^+ A) x`. At every step the posterior mean is replaced by

.. math:: \bar x_0 = \hat x_0 + A^+ (y - A \hat x_0), \qquad A \bar x_0 = y,

and the next state is drawn around it with the share :math:`\eta^2` of its noise fresh, :math:`v = \eta^2 \sigma_s^2`. The
last step returns :math:`\bar x_0` itself, so the result agrees with the observation exactly. The substitution is not Bayes'
rule: the unseen part of :math:`\hat x_0` was estimated from :math:`x_t` alone.

With noise in y (DDNM+) the correction is scaled by the largest :math:`\lambda \le 1` for which the noise that it carries,
:math:`\alpha_s \lambda \sigma_y / s_i` in the direction of the singular value :math:`s_i`, fits into the fresh noise of the
step, of which only the rest is then drawn. Here A has orthogonal rows, and one singular value for all of them.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from probgen.diffusion.conditioning.conditional import Conditional, generation_step, step_mean
from probgen.diffusion.conditioning.linear_observation import LinearObservation
from probgen.diffusion.conditioning.matrix_operator import MatrixOperator
from probgen.distributions.chains import GaussianChain, NoiseLevel

__all__ = ["NullSpace"]


class NullSpace(Conditional):
    r"""Draws by null-space restoration (DDNM, and DDNM+ with noise). Biased; agrees with y exactly if there is no noise in it.

    With noise the seen part varies too little, since the same y enters every step: on the 2-D Gaussian with noise 0.5 its
    standard deviation is 0.09, where that of the posterior is 0.45.

    Args:
        chain: The generative chain.
        observation: What was seen.
        fresh: The share :math:`\eta` of noise that is drawn anew at every step, between 0 and 1.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the share is out of range, or the observation is noisy and nothing is drawn anew or A is a general matrix.

    References:
        Wang, Yu, Zhang (2023). Zero-shot image restoration using denoising diffusion null-space model.
        https://arxiv.org/abs/2212.00490

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import LinearObservation, Masking, NullSpace
        >>> from probgen.distributions.chains import GaussianChain, GaussianDenoiser, TimeGrid, cosine_schedule
        >>> chain = GaussianChain(GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor(1.0)), TimeGrid(20))
        >>> seen = LinearObservation(torch.tensor([1.0, 0.0]), Masking(torch.tensor([True, False])))
        >>> NullSpace(chain, seen).sample((3,))[:, 0]
        tensor([1., 1., 1.])
    """

    bias: ClassVar[str] = "biased: 2-D Gaussian mean 0.866 (exact 0.900), standard deviation 0.397 (exact 0.436)"

    def __init__(
        self,
        chain: GaussianChain,
        observation: LinearObservation,
        *,
        fresh: float = 0.85,
        validate_args: bool | None = None,
    ) -> None:
        if not 0 <= fresh <= 1:
            raise ValueError(f"`fresh` must lie in [0, 1]; got {fresh}.")
        if observation.noise > 0 and (fresh == 0 or isinstance(observation.operator, MatrixOperator)):
            raise ValueError(
                "a noisy observation needs `fresh` > 0, into which its noise is fitted, and a mask, pooling or grayscale; "
                f"got fresh={fresh} and {observation.operator}."
            )
        self.fresh = fresh
        super().__init__(chain, observation, validate_args=validate_args)

    def generate(self, x: Tensor) -> Tensor:
        """From noisiest states ``[*sample, *batch, *event]`` to data of that shape."""
        for t, s in self.steps():
            mean = self.mean_at(x, t)
            variance = (self.fresh * float(s.sigma)) ** 2
            if self.observation.noise == 0:
                x = generation_step(x, self.observation.project(mean), t, s, variance)
            else:
                x = self._noisy_step(x, mean, t, s, variance)
        return x

    def _noisy_step(self, x: Tensor, mean: Tensor, t: NoiseLevel, s: NoiseLevel, variance: float) -> Tensor:
        """The step of DDNM+: less correction where the observation is noisier than the step, else less fresh noise."""
        seen, operator = self.observation, self.observation.operator
        ones = torch.ones(self.event_shape, dtype=x.dtype, device=x.device)
        carried = float(s.alpha) * seen.noise / float(operator.gram(ones).max()) ** 0.5
        weight = min(1.0, variance**0.5 / carried)
        corrected = mean + weight * operator.pseudo_inverse(seen.residual(mean))
        noise = torch.randn_like(x)
        hidden = operator.null_space(noise)
        rest = max(variance - (weight * carried) ** 2, 0.0)
        added = math.sqrt(variance) * hidden + math.sqrt(rest) * (noise - hidden)
        return step_mean(x, corrected, t, s, variance) + added

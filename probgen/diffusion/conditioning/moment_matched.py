"""Ancestral or deterministic generation with the moment-matching denoiser."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from torch import Tensor

from probgen.diffusion.conditioning.conditional import Conditional, generation_step
from probgen.diffusion.conditioning.linear_observation import LinearObservation
from probgen.diffusion.conditioning.moment_matching import MomentMatching
from probgen.distributions.chains import GaussianChain, posterior_coefficients

__all__ = ["MomentMatched"]


class MomentMatched(Conditional):
    r"""Draws with the denoiser of :math:`p(x_0 \mid x_t, y)` by matched moments. Biased unless the data are Gaussian.

    The steps are those of the DDIM family, with :math:`v = \eta^2 \tilde v`; the denoiser itself, ``MomentMatching``, works
    in every other sampler.

    Args:
        chain: The generative chain.
        observation: What was seen, with noise or without.
        covariance: "tweedie" (MMPS) or "isotropic" (pseudo-inverse guidance).
        iterations: Steps of conjugate gradients.
        prior_variance: Variance of a coordinate of the data.
        eta: 1 for ancestral steps, 0 for deterministic ones.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: there is no such covariance, or ``eta`` is not in [0, 1].

    References:
        Rozet, Andry, Lanusse, Louppe (2024). Learning diffusion priors from observations by expectation maximization.
        https://arxiv.org/abs/2405.13712

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import LinearObservation, Masking, MomentMatched
        >>> from probgen.distributions.chains import GaussianChain, GaussianDenoiser, TimeGrid, cosine_schedule
        >>> chain = GaussianChain(GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor(1.0)), TimeGrid(20))
        >>> seen = LinearObservation(torch.tensor([1.0, 0.0]), Masking(torch.tensor([True, False])))
        >>> MomentMatched(chain, seen).sample((3,)).shape
        torch.Size([3, 2])
    """

    bias: ClassVar[str] = (
        "biased unless the data are Gaussian and the steps many: "
        "2-D Gaussian, 250 steps, mean 0.900 (exact 0.900), standard deviation 0.427 (exact 0.436)"
    )

    def __init__(
        self,
        chain: GaussianChain,
        observation: LinearObservation,
        *,
        covariance: Literal["tweedie", "isotropic"] = "tweedie",
        iterations: int = 5,
        prior_variance: float = 1.0,
        eta: float = 1.0,
        validate_args: bool | None = None,
    ) -> None:
        if not 0 <= eta <= 1:
            raise ValueError(f"`eta` must lie in [0, 1]; got {eta}.")
        self.eta = eta
        denoiser: Any = chain.denoiser
        self.denoiser = MomentMatching(
            denoiser, observation, covariance=covariance, iterations=iterations, prior_variance=prior_variance
        )
        super().__init__(chain, observation, validate_args=validate_args)

    def generate(self, x: Tensor) -> Tensor:
        """From noisiest states ``[*sample, *batch, *event]`` to data of that shape."""
        for t, s in self.steps():
            variance = self.eta**2 * float(posterior_coefficients(s, t).variance)
            x = generation_step(x, self.denoiser.predict(x, t, self.chain.context), t, s, variance)
        return x

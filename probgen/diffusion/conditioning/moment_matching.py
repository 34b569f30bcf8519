r"""Guidance by a linear observation: match the first two moments of :math:`p(x_0 \mid x_t)` and apply Bayes' rule.

If :math:`p(x_0 \mid x_t)` were :math:`\mathcal N(\hat x_0, V)`, then with :math:`G = A V A^\top + \sigma_y^2 I`

.. math:: \mathbb E[x_0 \mid x_t, y] = \hat x_0 + V A^\top G^{-1} (y - A \hat x_0).

Tweedie's second formula gives the covariance itself, :math:`V = (\sigma^2/\alpha)\,\partial\hat x_0/\partial x_t`; its
product with a vector is one backward pass, and G is inverted by a few steps of conjugate gradients ("tweedie"; Rozet et al.
call it MMPS). Using V only outside and a multiple of the identity within G is cheaper ("isotropic"; Song et al.'s
pseudo-inverse guidance). For Gaussian data the first is exact: the result is the denoiser of :math:`p(x_0 \mid y)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

import torch
from torch import Tensor

from probgen.diffusion.conditioning.linear_observation import LinearObservation
from probgen.distributions.chains import Denoiser, NoiseLevel
from probgen.distributions.events import over_event

__all__ = ["MomentMatching"]

_Pullback = Callable[[Tensor], tuple[Tensor]]


class MomentMatching(Denoiser):
    r"""A denoiser of data of which a linear observation was made.

    It reports a point mass at the guided mean. Errors of a network's Jacobian are multiplied by :math:`\sigma^2/\alpha`: with a
    network that is not well trained the noisiest times diverge, and a grid should begin later. What is computed for one datum
    does not depend on others.

    Args:
        denoiser: The unconditional denoiser.
        observation: What was seen; its batch broadcasts with that of the noisy data.
        covariance: V within G: "tweedie" or "isotropic".
        iterations: Steps of conjugate gradients for "tweedie"; as many as there are observed coordinates are exact.
        prior_variance: The variance :math:`\kappa` of a coordinate of the data, for "isotropic" :math:`V =
            \kappa\sigma^2/(\kappa\alpha^2 + \sigma^2)`, and where no signal is left.

    Raises:
        ValueError: the observation is of other data, or there is no such covariance.

    References:
        Song, Vahdat, Mardani, Kautz (2023). Pseudoinverse-guided diffusion models for inverse problems. ICLR.
        https://openreview.net/forum?id=9_gsMA8MRKQ
        Rozet, Andry, Lanusse, Louppe (2024). Learning diffusion priors from observations by expectation maximization.
        https://arxiv.org/abs/2405.13712

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import LinearObservation, Masking, MomentMatching
        >>> from probgen.distributions.chains import GaussianDenoiser, cosine_schedule
        >>> oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor(1.0))
        >>> seen = LinearObservation(torch.tensor([1.0, 0.0]), Masking(torch.tensor([True, False])))
        >>> mean = MomentMatching(oracle, seen).mean(torch.zeros(2), 0.5)
        >>> [round(value, 4) for value in mean.tolist()]
        [1.0, 0.0]
    """

    def __init__(
        self,
        denoiser: Denoiser,
        observation: LinearObservation,
        *,
        covariance: Literal["tweedie", "isotropic"] = "tweedie",
        iterations: int = 5,
        prior_variance: float = 1.0,
    ) -> None:
        super().__init__(denoiser.schedule, denoiser.event_shape)
        if observation.event_shape != denoiser.event_shape:
            raise ValueError(
                f"`observation` must be of data {tuple(denoiser.event_shape)}; it is of {tuple(observation.event_shape)}."
            )
        if covariance not in ("tweedie", "isotropic"):
            raise ValueError(f"`covariance` must be 'tweedie' or 'isotropic'; got {covariance!r}.")
        self.denoiser = denoiser
        self.observation = observation
        self.covariance = covariance
        self.iterations = iterations
        self.prior_variance = prior_variance
        self.context_shape = denoiser.context_shape

    @property
    def null_context(self) -> Tensor | None:
        """The denoiser's own."""
        return self.denoiser.null_context

    def predict(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> Tensor:
        """The guided mean, ``[*batch, *event]``."""
        seen, operator, noise = self.observation, self.observation.operator, self.observation.noise**2
        with torch.enable_grad():
            mean, pullback = torch.func.vjp(lambda x: self.denoiser.mean_at(x, level, context), x_t)[:2]
        spread = self._spread(x_t, level, cast(_Pullback, pullback))
        residual = seen.residual(mean)
        if self.covariance == "isotropic":
            precision = level.snr + 1 / self.prior_variance
            variance = over_event(1 / precision, self.event_dim, x_t).expand(x_t.shape)
            solution = operator.solve(residual, variance, noise)[0]
        else:
            present = operator.present(residual)
            solution = _conjugate_gradients(
                lambda u: operator.apply(spread(operator.transpose(u))) + noise * present * u,
                residual,
                len(operator.observed_shape),
                self.iterations,
            )
        result: Tensor = mean + spread(operator.transpose(solution))
        return result

    def _spread(
        self, x_t: Tensor, level: NoiseLevel, pullback: Callable[[Tensor], tuple[Tensor]]
    ) -> Callable[[Tensor], Tensor]:
        """The product with V by Tweedie's formula; with the prior variance where no signal is left."""
        signal = level.alpha > 0
        ratio = torch.where(signal, level.sigma.square() / torch.where(signal, level.alpha, 1.0), 0.0)
        prior = torch.where(signal, torch.zeros_like(level.alpha), self.prior_variance)
        factor, fallback = (over_event(value, self.event_dim, x_t) for value in (ratio, prior))
        return lambda w: factor * pullback(w.expand(x_t.shape))[0] + fallback * w


def _conjugate_gradients(product: Callable[[Tensor], Tensor], y: Tensor, rank: int, iterations: int) -> Tensor:
    """Solve G u = y for every datum by a fixed number of steps; a datum that is done stands still."""

    def inner(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(tuple(range(-rank, 0)), keepdim=True)

    def divided(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(b > tiny, a / torch.where(b > tiny, b, 1.0), 0.0)

    tiny = torch.finfo(y.dtype).tiny * 1e8
    u, rest, direction = torch.zeros_like(y), y, y
    square = inner(rest, rest)
    for _ in range(iterations):
        image = product(direction)
        step = divided(square, inner(direction, image))
        u = u + step * direction
        rest = rest - step * image
        smaller = inner(rest, rest)
        direction = rest + divided(smaller, square) * direction
        square = smaller
    return u

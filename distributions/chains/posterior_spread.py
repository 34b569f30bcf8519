r"""What a denoiser knows beyond the mean: the spread of :math:`p(x_0 \mid x_t)`, from which the reverse variance follows.

A datum whose prior variance is :math:`\kappa` has the posterior variance
:math:`\Sigma = \kappa\sigma^2 / (\kappa\alpha^2 + \sigma^2)`. Pushed through :math:`q(x_s \mid x_t, x_0)`,

* :math:`\kappa = 0`, a point mass, gives "fixed small" (:math:`\tilde\beta_t` of Ho et al.),
* :math:`\kappa = 1` gives "fixed large" (:math:`\beta_t`),
* :math:`\kappa` from the network gives a learned variance, bounded as it should be at every time,
* one variance per time fitted to data gives Analytic-DPM, and Tweedie's covariance
  :math:`(\sigma^2/\alpha)\,\partial \hat x_0/\partial x_t` the exact Gaussian moments.
"""

from __future__ import annotations

from collections.abc import Callable

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.chains.noise_level import NoiseLevel
from probgen.distributions.chains.tables import ExactTables, entries
from probgen.distributions.events import checked, normal_over_event, over_event
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["FittedVariance", "LearnedVariance", "PointMass", "PosteriorSpread", "TweedieCovariance", "UnitPrior"]

MeanFunction = Callable[[Tensor], Tensor]


class PosteriorSpread(ExactTables):
    """How a denoiser turns its mean into a law (abstract).

    A subclass writes ``law``; or ``isotropic_variance`` alone, for a normal law with that variance.

    Attributes:
        learned: Whether the network has to return a second tensor of the event's shape.

    Example:
        >>> from probgen.distributions.chains import LearnedVariance, PointMass
        >>> PointMass().learned, LearnedVariance().learned
        (False, True)
    """

    learned: bool = False

    def law(
        self, x_t: Tensor, level: NoiseLevel, mean: Tensor, raw: Tensor | None, mean_function: MeanFunction, event_dim: int
    ) -> TorchDistribution:
        """The law of the data.

        Args:
            x_t: Noisy data ``[*batch, *event]``.
            level: Its noise level, broadcasting with the batch.
            mean: Posterior mean ``[*batch, *event]``.
            raw: The network's second output ``[*batch, *event]``, if ``learned``.
            mean_function: From noisy data to the posterior mean, for derivatives.
            event_dim: Number of event dimensions.
        """
        variance = self.isotropic_variance(level)
        if variance is None:
            raise NotImplementedError(f"{type(self).__name__} does not define `law`.")
        return normal_over_event(mean, over_event(variance.sqrt(), event_dim, mean), event_dim)

    def isotropic_variance(self, level: NoiseLevel) -> Tensor | None:
        """The variance where it is one number for all data and coordinates, float64, shaped as the level; else None."""
        return None


class PointMass(PosteriorSpread):
    r"""No spread: the reverse variance is that of :math:`q(x_s \mid x_t, x_0)`, "fixed small".

    Example:
        >>> from probgen.distributions.chains import PointMass
        >>> PointMass()
        PointMass()
    """

    def law(
        self, x_t: Tensor, level: NoiseLevel, mean: Tensor, raw: Tensor | None, mean_function: MeanFunction, event_dim: int
    ) -> TorchDistribution:
        """A point mass at the mean."""
        return dist.Delta(mean, event_dim=event_dim, validate_args=checked(mean))

    def isotropic_variance(self, level: NoiseLevel) -> Tensor:
        """Zero."""
        return torch.zeros_like(level.t)


class UnitPrior(PosteriorSpread):
    r"""The spread that data of variance :math:`\kappa` would have; :math:`\kappa = 1` is "fixed large".

    Args:
        variance: The prior variance :math:`\kappa > 0` of a coordinate.

    Raises:
        ValueError: the variance is not positive.

    Example:
        >>> from probgen.distributions.chains import UnitPrior
        >>> UnitPrior(0.25).variance
        0.25
    """

    def __init__(self, variance: float = 1.0) -> None:
        super().__init__()
        if not variance > 0:
            raise ValueError(f"`variance` must be positive; got {variance}.")
        self.variance = variance

    def isotropic_variance(self, level: NoiseLevel) -> Tensor:
        """One over the posterior precision."""
        return 1 / (level.snr + 1 / self.variance)


class LearnedVariance(PosteriorSpread):
    r"""A learned prior variance :math:`\kappa = e^{F_2}` of every coordinate, :math:`F_2` soft-clipped to a range.

    The network returns twice the channels (dimension 0 of the event); zero gives "fixed large", very negative "fixed small".

    Args:
        bound: Bound of :math:`|F_2|`, positive.

    Raises:
        ValueError: the bound is not positive.

    References:
        Nichol, Dhariwal (2021). Improved denoising diffusion probabilistic models. https://arxiv.org/abs/2102.09672

    Example:
        >>> from probgen.distributions.chains import LearnedVariance
        >>> LearnedVariance().learned
        True
    """

    learned = True

    def __init__(self, bound: float = 15.0) -> None:
        super().__init__()
        if not bound > 0:
            raise ValueError(f"`bound` must be positive; got {bound}.")
        self.bound = bound

    def law(
        self, x_t: Tensor, level: NoiseLevel, mean: Tensor, raw: Tensor | None, mean_function: MeanFunction, event_dim: int
    ) -> TorchDistribution:
        """A normal law with a variance for every coordinate."""
        if raw is None:
            raise ValueError("`raw` must be given: the variance is learned.")
        log_snr = over_event(level.log_snr, event_dim, mean)
        log_precision = torch.logaddexp(log_snr.expand(mean.shape), -soft_clip(raw, self.bound))
        return normal_over_event(mean, torch.exp(-log_precision / 2), event_dim)


class FittedVariance(PosteriorSpread):
    r"""One variance per time, fitted to data: the optimal isotropic one of Analytic-DPM.

    Holds the prior variance :math:`\kappa` at some log-SNRs and interpolates :math:`\log\kappa` linearly between them; made by
    ``fit_variance``.

    Args:
        log_snr: Increasing log-SNRs, shape ``[K]``.
        log_variance: :math:`\log\kappa` at each, shape ``[K]``.

    Raises:
        ValueError: shapes differ, or the log-SNRs do not increase.

    References:
        Bao, Li, Zhu, Zhang (2022). Analytic-DPM. https://arxiv.org/abs/2201.06503

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import FittedVariance
        >>> FittedVariance(torch.tensor([-5.0, 5.0]), torch.zeros(2)).log_snr.tolist()
        [-5.0, 5.0]
    """

    log_snr: Tensor
    log_variance: Tensor

    def __init__(self, log_snr: Tensor, log_variance: Tensor) -> None:
        super().__init__()
        if log_snr.dim() != 1 or log_snr.shape != log_variance.shape or not bool((log_snr.diff() > 0).all()):
            raise ValueError(
                "`log_snr` must be an increasing list, as long as `log_variance`; "
                f"got shapes {tuple(log_snr.shape)} and {tuple(log_variance.shape)}."
            )
        self.register_buffer("log_snr", log_snr.double())
        self.register_buffer("log_variance", log_variance.double())

    def isotropic_variance(self, level: NoiseLevel) -> Tensor:
        """One over the posterior precision, with the interpolated prior variance."""
        log_snr = level.log_snr.to(self.log_snr.device)
        return 1 / (log_snr.exp() + torch.exp(-self._interpolated(log_snr)))

    def _interpolated(self, log_snr: Tensor) -> Tensor:
        knots = self.log_snr.to(log_snr)
        values = self.log_variance.to(log_snr)
        if len(knots) == 1:
            return values[0].expand(log_snr.shape)
        inside = torch.minimum(torch.maximum(log_snr, knots[0]), knots[-1]).contiguous()
        index = (torch.searchsorted(knots, inside) - 1).clamp(0, len(knots) - 2)
        left, right = entries(knots, index), entries(knots, index + 1)
        return torch.lerp(entries(values, index), entries(values, index + 1), (inside - left) / (right - left))


class TweedieCovariance(PosteriorSpread):
    r"""Tweedie's second-order formula, :math:`\mathrm{Cov}[x_0 \mid x_t] = (\sigma^2/\alpha)\, \partial\hat x_0/\partial x_t`.

    Exact for the true denoiser. Of a network's Jacobian the symmetric part is taken and its eigenvalues are kept within
    :math:`[0, \sigma^2/\alpha^2 \cdot` ``largest`` :math:`]`. It costs one forward-mode derivative for every coordinate; events
    are vectors.

    Args:
        largest: Bound of an eigenvalue, relative to :math:`\sigma^2/\alpha^2`.

    References:
        Efron (2011). Tweedie's formula and selection bias. https://doi.org/10.1198/jasa.2011.tm11181

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import GaussianDenoiser, TweedieCovariance, cosine_schedule
        >>> oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(2).double(), torch.tensor([0.25, 4.0]).double())
        >>> level, x = oracle.schedule.level(0.4), torch.ones(1, 2).double()
        >>> law = TweedieCovariance().law(x, level, oracle.mean(x, 0.4), None, lambda x: oracle.mean(x, 0.4), 1)
        >>> bool(torch.allclose(law.variance, oracle(x, 0.4).variance))
        True
    """

    def __init__(self, largest: float = 1.0) -> None:
        super().__init__()
        self.largest = largest

    def law(
        self, x_t: Tensor, level: NoiseLevel, mean: Tensor, raw: Tensor | None, mean_function: MeanFunction, event_dim: int
    ) -> TorchDistribution:
        """A normal law with a full covariance matrix."""
        if event_dim != 1:
            raise ValueError(f"Tweedie's covariance matrix needs vectors as events; got {event_dim} event dimensions.")
        if level.lacks_signal:
            raise ValueError(
                "Tweedie's covariance divides zero by zero where no signal is left (alpha = 0); start where some is."
            )
        basis = torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device)
        columns = torch.func.vmap(lambda e: torch.func.jvp(mean_function, (x_t,), (e.expand_as(x_t),))[1], randomness="same")(
            basis
        )
        jacobian = columns.movedim(0, -1)
        relative = over_event(level.alpha, 2, mean) * (jacobian + jacobian.mT) / 2
        values, vectors = torch.linalg.eigh(relative)
        values = values.clamp(torch.finfo(mean.dtype).eps, self.largest)
        scale = over_event(level.sigma / level.alpha, 2, mean).square()
        wide = vectors.double()  # autocast leaves float64 alone; rounded to half precision it would not be a covariance
        covariance = scale * ((wide * values.unsqueeze(-2)) @ wide.mT).to(mean.dtype)
        return dist.MultivariateNormal(mean, covariance, validate_args=checked(mean))

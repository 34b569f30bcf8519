r"""Continuous laws rounded to levels: the mass of a bin, exactly.

Let :math:`Y` have distribution function :math:`F((y - \mu)/s)` and let :math:`X` be the center of the bin that :math:`Y` falls
into, the outer bins being open. With bin width :math:`w`

.. math::

    P(X = c) = F\Bigl(\frac{c + w/2 - \mu}{s}\Bigr) - F\Bigl(\frac{c - w/2 - \mu}{s}\Bigr),

where the first bin has :math:`F = 0` on its left and the last :math:`F = 1` on its right. The sum over the bins telescopes to
one for every :math:`\mu` and :math:`s`. This is an exact likelihood of integer data: the decoder of a diffusion model (normal)
and of PixelCNN++ (mixtures of logistics) is such a law. The derivation is on the page "Discretized likelihoods".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint
from torch.distributions.utils import broadcast_all

from probgen.distributions.base import Distribution
from probgen.distributions.numerics.intervals import logistic_log_mass, normal_log_mass
from probgen.distributions.quantization import BinCenters, Quantization, require_quantization

__all__ = ["Discretized", "DiscretizedLogistic", "DiscretizedNormal"]


class Discretized(Distribution):
    r"""A location-scale law rounded to the levels of a quantization (abstract).

    A subclass gives the standard law: ``_log_mass`` of an interval, ``_standard_cdf``, ``_standard_icdf`` and ``noise_like``.

    Args:
        loc: Location :math:`\mu` of the continuous law, in the units of the data. Half precision, as of a network under
            autocast, is taken to float32: it does not resolve the bins.
        scale: Its scale :math:`s > 0`; ``loc`` and ``scale`` broadcast to the batch shape.
        quantization: The levels.
        validate_args: As in ``torch.distributions``.

    Raises:
        TypeError: ``quantization`` is no ``Quantization``.

    Example:
        >>> from probgen.distributions import DiscretizedNormal, Quantization
        >>> d = DiscretizedNormal(0.0, 1.0, Quantization(5, -2.0, 2.0))
        >>> d.log_prob(d.enumerate_support()).exp()
        tensor([0.0668, 0.2417, 0.3829, 0.2417, 0.0668])
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {"loc": constraints.real, "scale": constraints.positive}
    has_enumerate_support = True

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        quantization: Quantization,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self.loc, self.scale = (at_least_float32(value) for value in broadcast_all(loc, scale))
        self.quantization = require_quantization(quantization)
        super().__init__(self.loc.shape, torch.Size(), validate_args=validate_args)

    # ------------------------------------------------------------------------------------------------------------------- hooks

    def _log_mass(self, lower: Tensor, upper: Tensor, width: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define `_log_mass`.")

    def _standard_cdf(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define `_standard_cdf`.")

    def _standard_icdf(self, p: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define `_standard_icdf`.")

    @staticmethod
    def noise_like(reference: Tensor) -> Tensor:
        """Draws of the standard law, in the shape, dtype and place of ``reference``."""
        raise NotImplementedError("a discretized law must define `noise_like`.")

    # ---------------------------------------------------------------------------------------------------------------- contract

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Constraint:
        """The bin centers."""
        return BinCenters(self.quantization)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new.loc, new.scale = self.loc.expand(torch.Size(batch_shape)), self.scale.expand(torch.Size(batch_shape))
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw bin centers ``[*sample_shape, *batch]``."""
        with torch.no_grad():
            noise = self.noise_like(self.loc.expand(torch.Size((*sample_shape, *self.batch_shape))))
            return self.quantization.snap(self.loc + self.scale * noise)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-mass of the bins of ``value`` in nats, shape ``[*sample, *batch]``; minus infinity off the bin centers.

        Args:
            value: Bin centers ``[*sample, *batch]``, up to rounding; ``quantization.decode`` makes them from integers.

        Raises:
            ValueError: with validation on, a value is no bin center.
        """
        self._check_shape(value)
        if self._checks_values(value):
            self.quantization.require_centers(value, type(self).__name__)
        x = value.to(torch.promote_types(value.dtype, self.loc.dtype))
        off_center = torch.where(x.isnan(), x, -torch.inf)
        log_mass = self.level_log_mass(self.quantization.level(x))
        return torch.where(BinCenters(self.quantization).check(value), log_mass, off_center)

    def level_log_mass(self, level: Tensor) -> Tensor:
        """Log-mass of the bins of levels in nats, shape ``[*sample, *batch]``; nothing is checked.

        Args:
            level: Levels 0, ..., L - 1 as floating-point numbers, ``[*sample, *batch]``.
        """
        lower = torch.where(level == 0, -torch.inf, self._standardized(level))
        upper = torch.where(level == self.quantization.levels - 1, torch.inf, self._standardized(level + 1))
        return self._log_mass(lower, upper, self.quantization.width / self.scale)

    def _standardized(self, edge: Tensor) -> Tensor:
        """The left edge of each level (the right edge of the one before), in scales from the location."""
        return (self.quantization.lowest_edge + edge * self.quantization.width - self.loc) / self.scale

    def enumerate_support(self, expand: bool = True) -> Tensor:  # noqa: FBT001, FBT002  (torch's signature)
        """All bin centers, ``[levels, *batch]`` (ones for the batch if not ``expand``)."""
        centers = self.quantization.centers(self.loc.dtype, self.loc.device)
        centers = centers.reshape(-1, *(1,) * len(self.batch_shape))
        return centers.expand(-1, *self.batch_shape) if expand else centers

    # ---------------------------------------------------------------------------------------------------------------- moments

    def cdf(self, value: Tensor) -> Tensor:
        r""":math:`P(X \le x)` for any real ``value`` ``[*sample, *batch]``."""
        found = self.quantization
        passed = ((value - found.low) / found.width + 1e-3).floor()  # a center counts as reached in spite of rounding
        inner = self._standard_cdf(self._standardized(passed.clamp(0, found.levels - 1) + 1))
        return torch.where(passed < 0, 0.0, torch.where(passed >= found.levels - 1, 1.0, inner))

    def icdf(self, value: Tensor) -> Tensor:
        """The smallest bin center with at least the given probability at and below it."""
        found = self.quantization
        y = self.loc + self.scale * self._standard_icdf(value)
        level = ((y - found.lowest_edge) / found.width).ceil() - 1
        return found.decode(level.clamp(0, found.levels - 1))

    @property
    def mean(self) -> Tensor:
        """Mean of the bin centers, by enumeration (``levels`` times the batch in memory)."""
        return self._expectation(self.enumerate_support())

    @property
    def variance(self) -> Tensor:
        """Variance of the bin centers, by enumeration."""
        return self._expectation((self.enumerate_support() - self.mean).square())

    @property
    def mode(self) -> Tensor:
        """The most probable bin center, by enumeration."""
        return self.quantization.decode(self._table().argmax(0), self.loc.dtype)

    def entropy(self) -> Tensor:
        """Entropy in nats, by enumeration."""
        table = self._table()
        return -(table.exp() * torch.where(table == -torch.inf, 0.0, table)).sum(0)

    def probability_integral_transform(self, value: Tensor) -> None:
        """None: the distribution function of a discrete law does not make its draws uniform."""
        return

    def _table(self) -> Tensor:
        return self.log_prob(self.enumerate_support())

    def _expectation(self, values: Tensor) -> Tensor:
        return (self._table().exp() * values).sum(0)

    def __repr__(self) -> str:
        found = self.quantization
        return (
            f"{type(self).__name__}(batch_shape={tuple(self.batch_shape)}, "
            f"{found.levels} levels from {found.low:g} to {found.high:g})"
        )


def at_least_float32(value: Tensor) -> Tensor:
    """The value, in float32 where it came in half precision, which does not resolve the levels of an image."""
    return value.float() if torch.finfo(value.dtype).bits < 32 else value


class DiscretizedNormal(Discretized):
    r"""A normal law rounded to levels: :math:`P(c) = \Phi((c + w/2 - \mu)/s) - \Phi((c - w/2 - \mu)/s)`, outer bins open.

    Args:
        loc: Mean :math:`\mu` of the continuous law, in the units of the data.
        scale: Its standard deviation :math:`s > 0`; ``loc`` and ``scale`` broadcast to the batch shape.
        quantization: The levels.
        validate_args: As in ``torch.distributions``.

    Raises:
        TypeError: ``quantization`` is no ``Quantization``.

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models. https://arxiv.org/abs/2006.11239

    Example:
        A byte at the center of its bin costs 1.305 bits if the decoder's deviation is 0.00738.

        >>> import math, torch
        >>> from probgen.distributions import DiscretizedNormal, Quantization
        >>> eight_bits = Quantization(256, -1.0, 1.0)
        >>> x = eight_bits.decode(torch.tensor(100))
        >>> round(-DiscretizedNormal(x, 0.00738, eight_bits).log_prob(x).item() / math.log(2), 3)
        1.305
    """

    def _log_mass(self, lower: Tensor, upper: Tensor, width: Tensor) -> Tensor:
        return normal_log_mass(lower, upper, width)

    def _standard_cdf(self, x: Tensor) -> Tensor:
        return cast(Tensor, torch.special.ndtr(x))

    def _standard_icdf(self, p: Tensor) -> Tensor:
        return cast(Tensor, torch.special.ndtri(p))

    @staticmethod
    def noise_like(reference: Tensor) -> Tensor:
        """Draws of the standard normal law."""
        return torch.randn(reference.shape, dtype=reference.dtype, device=reference.device)


class DiscretizedLogistic(Discretized):
    r"""A logistic law rounded to levels, with :math:`F(x) = 1/(1 + e^{-x})`; outer bins open.

    Its mass is a product, :math:`\sigma(b)\,\sigma(-a)\,(1 - e^{-w/s})`, so it costs less than the normal one. Mixtures of it
    stand in ``pyro.distributions.MixtureSameFamily``, those of dependent colors in ``DiscretizedLogisticMixture``.

    Args:
        loc: Mean :math:`\mu` of the continuous law, in the units of the data.
        scale: Its scale :math:`s > 0` (the standard deviation is :math:`\pi s / \sqrt 3`); broadcasts with ``loc``.
        quantization: The levels.
        validate_args: As in ``torch.distributions``.

    Raises:
        TypeError: ``quantization`` is no ``Quantization``.

    References:
        Salimans, Karpathy, Chen, Kingma (2017). PixelCNN++. https://arxiv.org/abs/1701.05517

    Example:
        >>> import torch
        >>> from pyro.distributions import Categorical, MixtureSameFamily
        >>> from probgen.distributions import DiscretizedLogistic, Quantization
        >>> parts = DiscretizedLogistic(torch.tensor([-0.5, 0.5]), 0.1, Quantization(256, -1.0, 1.0))
        >>> mixture = MixtureSameFamily(Categorical(torch.ones(2)), parts)
        >>> mixture.log_prob(parts.quantization.centers()).logsumexp(0).abs() < 1e-5
        tensor(True)
    """

    def _log_mass(self, lower: Tensor, upper: Tensor, width: Tensor) -> Tensor:
        return logistic_log_mass(lower, upper, width)

    def _standard_cdf(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)

    def _standard_icdf(self, p: Tensor) -> Tensor:
        return torch.logit(p)

    @staticmethod
    def noise_like(reference: Tensor) -> Tensor:
        """Draws of the standard logistic law, the logits of uniform numbers."""
        unit = torch.rand(reference.shape, dtype=reference.dtype, device=reference.device)
        return unit.logit_(torch.finfo(unit.dtype).tiny)

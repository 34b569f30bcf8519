r"""Cumulative distribution functions as bijectors of the line onto the unit interval: :math:`y = F((x - \mu) / s)`.

The log-determinant of a cdf is the log-density, so each class is also an exact statement about a distribution: it turns its
samples into uniform ones, and its inverse (``.inv``) is the quantile function.

*The upper tail.* Floating-point numbers are dense near zero and coarse near one, so a probability near one carries few digits
of :math:`1 - y`: in float32 the normal cdf resolves 13 standard deviations below but only 5.4 above. Values stay strictly
inside the interval and can always be inverted and scored, and the log-determinant from :math:`x` is exact at any distance, but
a round trip through :math:`y` in the upper tail cannot be. Where that matters, use the mirrored variable
(:math:`1 - F(x) = F(-x)` for the symmetric laws) or float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.parameters import Parameter, positive_parameter, real_parameter
from probgen.distributions.numerics.clamping import clamp_open
from probgen.distributions.numerics.stable import logsigmoid_derivative

__all__ = ["CauchyCDF", "GumbelCDF", "LocationScaleCDF", "LogisticCDF", "NormalCDF"]


class LocationScaleCDF(Elementwise):
    r""":math:`y = F(z)` with :math:`z = (x - \mathrm{loc}) / \mathrm{scale}` (abstract).

    FLDJ :math:`= \log F'(z) - \log \mathrm{scale}`.

    A subclass writes the standard law: ``_standard_cdf(z)`` returns :math:`F(z)` (rounded as it comes) and
    :math:`\log F'(z)`; ``_standard_quantile(y)``, for :math:`0 < y < 1`, returns :math:`F^{-1}(y)` and :math:`\log F'` there.
    Codomain: the unit interval; values lie strictly inside, and zero and one are inverted as the nearest numbers inside.

    Args:
        loc: Location, any shape; None to learn it.
        scale: Positive scale, any shape; None to learn it (then within a factor 1000 of one).
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``scale`` is not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import LogisticCDF, NormalCDF
        >>> [f(torch.tensor(0.0)) for f in (LogisticCDF(), NormalCDF(loc=0.0, scale=3.0))]
        [tensor(0.5000), tensor(0.5000)]
    """

    codomain = constraints.unit_interval

    def __init__(
        self, loc: Tensor | float | None = 0.0, scale: Tensor | float | None = 1.0, *, shape: Sequence[int] = ()
    ) -> None:
        super().__init__(shape, loc=loc, scale=scale)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``loc`` (real) and ``scale`` (positive)."""
        return (real_parameter("loc"), positive_parameter("scale"))

    def _standard_cdf(self, z: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError(f"{type(self).__name__} does not define `_standard_cdf`.")

    def _standard_quantile(self, y: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError(f"{type(self).__name__} does not define `_standard_quantile`.")

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        loc, scale = values
        y, log_density = self._standard_cdf((x - loc) / scale)
        return clamp_open(y, 0.0, 1.0), log_density - scale.log()

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        loc, scale = values
        z, log_density = self._standard_quantile(clamp_open(y, 0.0, 1.0))
        return loc + scale * z, scale.log() - log_density


class NormalCDF(LocationScaleCDF):
    r"""The normal cdf :math:`y = \Phi(z)`; FLDJ :math:`= -z^2/2 - \log \sqrt{2 \pi} - \log \mathrm{scale}`.

    Args:
        loc: Mean, any shape; None to learn it.
        scale: Standard deviation, any shape; None to learn it.
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``scale`` is not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import NormalCDF
        >>> NormalCDF()(torch.tensor([-10.0, 0.0])), NormalCDF().inv(torch.tensor(0.975))
        (tensor([7.6199e-24, 5.0000e-01]), tensor(1.9600))
    """

    def _standard_cdf(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return 0.5 * torch.erfc(-z * math.sqrt(0.5)), _normal_log_density(z)

    def _standard_quantile(self, y: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.special.ndtri(y)
        return z, _normal_log_density(z)


class LogisticCDF(LocationScaleCDF):
    r"""The logistic cdf :math:`y = \sigma(z)`; FLDJ :math:`= \log \sigma(z) + \log \sigma(-z) - \log \mathrm{scale}`.

    Args:
        loc: Location, any shape; None to learn it.
        scale: Positive scale, any shape; None to learn it.
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``scale`` is not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import LogisticCDF
        >>> LogisticCDF(loc=1.0, scale=2.0)(torch.tensor(1.0))
        tensor(0.5000)
    """

    def _standard_cdf(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return torch.sigmoid(z), logsigmoid_derivative(z)

    def _standard_quantile(self, y: Tensor) -> tuple[Tensor, Tensor]:
        upper, lower = y.log(), torch.log1p(-y)
        return upper - lower, upper + lower


class CauchyCDF(LocationScaleCDF):
    r"""The Cauchy cdf :math:`y = \operatorname{atan2}(1, -z) / \pi`; FLDJ :math:`= -\log(\pi (1 + z^2)) - \log \mathrm{scale}`.

    Args:
        loc: Location, any shape; None to learn it.
        scale: Positive scale, any shape; None to learn it.
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``scale`` is not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import CauchyCDF
        >>> CauchyCDF()(torch.tensor([-1e20, 1.0]))
        tensor([3.1831e-21, 7.5000e-01])
    """

    def _standard_cdf(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return torch.atan2(torch.ones_like(z), -z) / math.pi, _cauchy_log_density(z)

    def _standard_quantile(self, y: Tensor) -> tuple[Tensor, Tensor]:
        left = y < 0.5
        magnitude = torch.tan(math.pi * torch.where(left, y, 1 - y)).reciprocal()
        z = torch.where(left, -magnitude, magnitude)
        return z, _cauchy_log_density(z)


class GumbelCDF(LocationScaleCDF):
    r"""The Gumbel cdf :math:`y = e^{-e^{-z}}`; FLDJ :math:`= -z - e^{-z} - \log \mathrm{scale}`.

    The log-density falls doubly exponentially to the left: below :math:`z = -88` (float64: -709) it is minus infinity.

    Args:
        loc: Location, any shape; None to learn it.
        scale: Positive scale, any shape; None to learn it.
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``scale`` is not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import GumbelCDF
        >>> GumbelCDF()(torch.tensor(0.0))
        tensor(0.3679)
    """

    def _standard_cdf(self, z: Tensor) -> tuple[Tensor, Tensor]:
        limit = math.log(torch.finfo(z.dtype).max) - 1.0
        return torch.exp(-torch.exp((-z).clamp_max(limit))), -z - torch.exp(-z)

    def _standard_quantile(self, y: Tensor) -> tuple[Tensor, Tensor]:
        exponential = -y.log()
        z = -exponential.log()
        return z, -z - exponential


def _normal_log_density(z: Tensor) -> Tensor:
    return -0.5 * z * z - 0.5 * math.log(2 * math.pi)


def _cauchy_log_density(z: Tensor) -> Tensor:
    return -2 * torch.hypot(z, torch.ones_like(z)).log() - math.log(math.pi)

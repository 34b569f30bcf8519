r"""Integers as the rounding-down of a continuous distribution.

Let :math:`Y` have density :math:`p` on :math:`\mathbb R^D` and :math:`X = \lfloor Y \rfloor`. Then

.. math::

    P(x) = \int_{[0, 1)^D} p(x + u)\, \mathrm du
         = \mathbb E_{u \sim q(\cdot \mid x)} \left[ \frac{p(x + u)}{q(u \mid x)} \right],

where :math:`q` is uniform noise, or a learned (variational) distribution on the unit cube. By Jensen's inequality the log mean
of :math:`n` weights is a lower bound of :math:`\log P(x)` that grows with :math:`n`; there is no exact value. Hence
``log_prob`` raises unless the object was built with ``allow_estimate=True``, as one does at a training site.

With a number of levels :math:`L`, draws are clamped to :math:`0, \dots, L - 1`; the end cells then hold the tails, and the
bound stays a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.base import Distribution
from probgen.distributions.estimate import DensityUnavailable, Estimate, LogProbKind, log_mean_exp_estimate

__all__ = ["Dequantized"]


class Dequantized(Distribution):
    r"""The law of :math:`\lfloor Y \rfloor`, where :math:`Y` has a density.

    Args:
        distribution: The law of :math:`Y`, in units of one level.
        levels: Number of levels :math:`L`; None for all integers.
        noise: Function from integers ``x`` (as floating-point numbers ``[*sample, *batch, *event]``) to a distribution over
            the unit cube with the same events, and with ``rsample``; None for uniform noise.
        allow_estimate: Let ``log_prob`` return the bound from one draw of noise, fresh at every call.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: ``levels`` is not positive.

    References:
        Theis, van den Oord, Bethge (2016). A note on the evaluation of generative models. https://arxiv.org/abs/1511.01844
        Ho, Chen, Srinivas, Duan, Abbeel (2019). Flow++. https://arxiv.org/abs/1902.00275

    Example:
        >>> import torch
        >>> from pyro.distributions import Logistic
        >>> from probgen.distributions import Dequantized
        >>> d = Dequantized(Logistic(4.0, 1.0), levels=8)
        >>> d.log_prob_kind, d.support.check(d.sample((100,))).all()
        ('lower', tensor(True))
    """

    log_prob_kind: LogProbKind = "lower"

    def __init__(
        self,
        distribution: torch.distributions.Distribution,
        levels: int | None = None,
        *,
        noise: Callable[[Tensor], torch.distributions.Distribution] | None = None,
        allow_estimate: bool = False,
        validate_args: bool | None = None,
    ) -> None:
        if levels is not None and levels < 1:
            raise ValueError(f"`levels` must be at least 1; got {levels}.")
        self.base_dist = distribution
        self.levels = levels
        self.noise = noise
        self.allow_estimate = allow_estimate
        super().__init__(distribution.batch_shape, distribution.event_shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> Constraint:
        """The integers, or the levels."""
        rank = len(self.event_shape)
        single = _integers if self.levels is None else constraints.integer_interval(0, self.levels - 1)
        return constraints.independent(single, rank) if rank else single

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new.base_dist = self.base_dist.expand(torch.Size(batch_shape))
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw integers (in the floating dtype of the continuous law), shape ``[*sample_shape, *batch, *event]``."""
        with torch.no_grad():
            drawn = self.base_dist.sample(torch.Size(sample_shape)).floor()
            return drawn if self.levels is None else drawn.clamp(0, self.levels - 1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The bound from one draw of noise, if the object allows estimates.

        Raises:
            DensityUnavailable: built without ``allow_estimate=True``.
        """
        if not self.allow_estimate:
            raise DensityUnavailable(
                type(self).__name__,
                "the mass of a cell is an integral",
                "`.log_prob_estimate(x, n)` to evaluate, `.bound(x)` to train, or build it with `allow_estimate=True`",
            )
        return self.bound(value)

    def bound(self, value: Tensor, num_draws: int = 1) -> Tensor:
        """Importance-weighted lower bound of the log-mass, a training term in nats, shape ``[*sample, *batch]``.

        Args:
            value: Integers ``[*sample, *batch, *event]``, in any dtype.
            num_draws: Draws of noise for each datum.
        """
        return self.log_prob_estimate(value, num_draws).value

    def log_prob_estimate(self, value: Tensor, num_draws: int = 1) -> Estimate:
        """Estimate the log-mass from below.

        Args:
            value: Integers ``[*sample, *batch, *event]``, in any dtype.
            num_draws: Draws of noise for each datum.
        """
        self._check_shape(value)
        if self._checks_values(value):
            self._check_support(value)
        x = value if value.is_floating_point() else value.to(torch.get_default_dtype())
        u, log_noise = self._dequantize(x, num_draws)
        weights = self.base_dist.log_prob(x + u) - log_noise
        return log_mean_exp_estimate(weights)

    def _dequantize(self, x: Tensor, num_draws: int) -> tuple[Tensor, Tensor | float]:
        """Noise ``[n, *x.shape]`` with its log-density ``[n, *sample, *batch]``."""
        if self.noise is None:
            return torch.rand((num_draws, *x.shape), dtype=x.dtype, device=x.device), 0.0
        q = self.noise(x)
        if hasattr(q, "rsample_and_log_prob"):
            return q.rsample_and_log_prob(torch.Size((num_draws,)))  # type: ignore[no-any-return]
        u = q.rsample(torch.Size((num_draws,)))
        return u, q.log_prob(u)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist}, levels={self.levels})"


class _Integers(Constraint):
    is_discrete = True
    event_dim = 0

    def check(self, value: Tensor) -> Tensor:
        return value % 1 == 0

    def __repr__(self) -> str:
        return "Integers()"


_integers = _Integers()

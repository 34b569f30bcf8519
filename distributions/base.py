"""The contract of a distribution: a Pyro distribution that says what its ``log_prob`` is worth.

A law is a ``pyro.distributions.TorchDistribution``, so it can stand at a ``pyro.sample`` site, be conditioned, masked and put
into plates. On top of that every distribution here declares ``log_prob_kind`` and offers ``log_prob_estimate`` and ``report``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_broadcastable, values_readable
from probgen.distributions.constraints import satisfies
from probgen.distributions.estimate import DensityUnavailable, Estimate, LogProbKind

if TYPE_CHECKING:
    from probgen.distributions.report import Report

__all__ = ["Distribution"]


class Distribution(TorchDistribution):
    r"""A probability distribution at home in Pyro (abstract).

    A subclass writes ``sample`` or ``rsample`` (with ``has_rsample``), ``log_prob``, ``support`` and ``expand``. If
    ``log_prob`` is not exact it sets ``log_prob_kind`` and raises ``DensityUnavailable``.

    Attributes:
        log_prob_kind: "exact", "unbiased", "lower" or "none".

    Example:
        >>> from probgen.distributions import standard_normal
        >>> d = standard_normal(3)
        >>> d.log_prob_kind, d.log_prob_estimate(d.mean)
        ('exact', Estimate(= -2.7568 nats))
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {}
    log_prob_kind: LogProbKind = "exact"

    def log_prob_estimate(self, value: Tensor, num_draws: int = 1) -> Estimate:
        """Evaluate the log-density with its standard error.

        Args:
            value: Points ``[*sample, *batch, *event]``.
            num_draws: Monte Carlo draws for each point, where the density is not exact.

        Raises:
            DensityUnavailable: there is not even a bound.
        """
        if self.log_prob_kind != "exact":
            raise DensityUnavailable(type(self).__name__, "it offers no estimate either", "samples")
        log_prob = self.log_prob(value)
        return Estimate(log_prob, torch.zeros_like(log_prob), "exact")

    def report(self, value: Tensor, *, num_draws: int = 16, seed: int = 0) -> Report:
        """Compare the distribution with data: fit in nats and bits per dimension, calibration, two-sample test.

        Args:
            value: Data ``[*sample, *batch, *event]``.
            num_draws: Monte Carlo draws for each datum, where the density is not exact.
            seed: Seed of the draws; the global random state is left alone.

        Example:
            >>> import torch
            >>> from probgen.distributions import standard_normal
            >>> print(str(standard_normal(2).report(torch.randn(500, 2))).splitlines()[0])
            500 points of 2 coordinates
        """
        from probgen.distributions.report import make_report

        return make_report(self, value, num_draws=num_draws, seed=seed)

    def probability_integral_transform(self, value: Tensor) -> Tensor | None:
        """Map data to coordinates that are independent and uniform on [0, 1] if the data come from this distribution.

        Args:
            value: Points ``[*sample, *batch, *event]``.

        Returns:
            Values ``[*sample, *batch, dim]``, or None where no such map is known.
        """
        if self.event_shape:
            return None
        try:
            return self.cdf(value).unsqueeze(-1)
        except NotImplementedError:
            return None

    def like(self, reference: Tensor) -> Self:
        """The same distribution with the dtype and device of ``reference``, where they were left open."""
        return self

    # ------------------------------------------------------------------------------------------------------------------ checks

    def _check_shape(self, value: Tensor) -> None:
        """Check that ``value`` is ``[*batch, *event]`` with this event and a batch that broadcasts (always runs)."""
        owner = type(self).__name__
        if not isinstance(value, Tensor):
            raise TypeError(f"`value` of {owner} must be a torch.Tensor; got {type(value).__name__}.")
        cut = value.dim() - len(self.event_shape)
        if cut < 0 or tuple(value.shape[cut:]) != tuple(self.event_shape):
            raise ValueError(f"`value` of {owner} must have event shape {tuple(self.event_shape)}; got {tuple(value.shape)}.")
        require_broadcastable("value", value.shape[:cut], owner, self.batch_shape)

    def _checks_values(self, *tensors: Tensor) -> bool:
        return bool(self._validate_args) and values_readable(*tensors)

    def _check_support(self, value: Tensor) -> None:
        """Raise if some of ``value`` lies outside the support; call it only where values may be read."""
        valid = satisfies(cast(Constraint, self.support), value.detach())
        if not bool(valid.all()):
            raise ValueError(
                f"`value` must lie in the support {self.support} of {type(self).__name__}; "
                f"{int((~valid).sum())} of {valid.numel()} event(s) do not."
            )

    def _expanded(self, batch_shape: Any, _instance: Any = None) -> Self:
        """A shallow copy with another batch shape, for ``expand`` of a subclass to finish."""
        new = self._get_checked_instance(type(self), _instance)  # type: ignore[no-untyped-call]
        new.__dict__.update(self.__dict__)
        new._batch_shape = torch.Size(batch_shape)
        return new  # type: ignore[no-any-return]

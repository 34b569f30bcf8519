"""Run the laws on a distribution: ``check_distribution``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import torch
from torch.distributions import Distribution

from probgen.distributions.testing.check import cells_of, chosen_laws, named_profile, regimes_of, report_on
from probgen.distributions.testing.distribution_subject import DistributionSubject
from probgen.distributions.testing.laws import DISTRIBUTION_LAWS
from probgen.distributions.testing.profiles import Profile
from probgen.distributions.testing.regimes import Regime
from probgen.distributions.testing.report import LawReport

__all__ = ["check_distribution"]


def check_distribution(
    distribution: Distribution | Callable[[], Distribution],
    *,
    reference: object | None = None,
    exempt: Mapping[str, str] | None = None,
    tolerance: float = 1.0,
    laws: Sequence[str] | None = None,
    profile: str | Profile | None = None,
    name: str = "",
    strict: bool = True,
) -> LawReport:
    """Check a distribution against all laws that apply to it.

    Args:
        distribution: A torch or Pyro distribution, or a function that builds a fresh one; with the function it is tried in both
            float32 and float64 (it is called under the respective default dtype).
        reference: An independent distribution with the same law: torch's, a frozen one of scipy, or a function that builds it.
        exempt: Law name to reason, for laws that do not apply; printed with the report.
        tolerance: Factor on every numerical tolerance.
        laws: Names of the laws to run; all by default.
        profile: As in ``check_bijector``.
        name: For the report.
        strict: Raise if a law is violated.

    Returns:
        The report.

    Raises:
        LawsViolated: laws are violated and ``strict`` is True.
        KeyError: ``exempt`` or ``laws`` names a law that does not exist.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.distributions.testing import check_distribution
        >>> build = lambda: dist.Normal(torch.tensor(0.0), torch.tensor(1.0))
        >>> check_distribution(build, laws=("density_has_mass_one", "sample_is_detached")).passed
        True
    """
    make = (lambda: copy.deepcopy(distribution)) if isinstance(distribution, Distribution) else distribution
    exempt = dict(exempt or {})
    chosen = chosen_laws(laws, exempt, DISTRIBUTION_LAWS)
    plan = named_profile(profile)
    probe = DistributionSubject(make, name=name)

    @cache
    def subject_of(dtype: torch.dtype, regime: Regime) -> DistributionSubject:
        return DistributionSubject(
            make,
            dtype=dtype,
            regime=regime,
            tolerance=tolerance,
            name=probe.name,
            reference=reference,
            samples=plan.samples,
        )

    dtypes = (probe_dtype(distribution),) if isinstance(distribution, Distribution) else None
    cells = cells_of(chosen, regimes_of(probe.parameters), plan, probe.name, dtypes=dtypes)
    return report_on(cells, subject_of, plan, probe.name, exempt, strict=strict)


def probe_dtype(distribution: Distribution | Callable[[], Distribution]) -> torch.dtype:
    """The dtype of the draws of a finished distribution."""
    if not isinstance(distribution, Distribution):
        return torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]):
        value = distribution.sample()
    return value.dtype if value.is_floating_point() else torch.get_default_dtype()

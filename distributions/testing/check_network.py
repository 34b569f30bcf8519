"""Run the laws on an incremental network: ``check_network``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import torch

from probgen.distributions.bijectors.incremental import IncrementalNetwork
from probgen.distributions.testing.check import cells_of, chosen_laws, named_profile, regimes_of, report_on
from probgen.distributions.testing.laws import NETWORK_LAWS
from probgen.distributions.testing.network_subject import NetworkSubject
from probgen.distributions.testing.profiles import Profile
from probgen.distributions.testing.regimes import Regime, has_parameters
from probgen.distributions.testing.report import LawReport

__all__ = ["check_network"]


def check_network(
    network: IncrementalNetwork | Callable[[], IncrementalNetwork],
    *,
    exempt: Mapping[str, str] | None = None,
    tolerance: float = 1.0,
    laws: Sequence[str] | None = None,
    profile: str | Profile | None = None,
    name: str = "",
    strict: bool = True,
) -> LawReport:
    """Check an incremental network against all laws of networks.

    Causal by derivatives and perturbations; steps and sweeps equal to the parallel pass; states that fork and never mix;
    deterministic in evaluation mode; batches, dtypes, vmap, compilation, gradients, copies, errors.

    Args:
        network: A network, or a function that builds a fresh one from torch's global seed.
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
        >>> from probgen.distributions.testing import check_network
        >>> from probgen.nn import MADE
        >>> check_network(lambda: MADE(3, 2, hidden=(8,)), laws=("cached_equals_full", "streams_do_not_mix")).passed
        True
    """
    make = (lambda: copy.deepcopy(network)) if isinstance(network, IncrementalNetwork) else network
    exempt = dict(exempt or {})
    chosen = chosen_laws(laws, exempt, NETWORK_LAWS)
    plan = named_profile(profile)
    probe = NetworkSubject(make, name=name)

    @cache
    def subject_of(dtype: torch.dtype, regime: Regime) -> NetworkSubject:
        return NetworkSubject(make, dtype=dtype, regime=regime, tolerance=tolerance, name=probe.name)

    cells = cells_of(chosen, regimes_of(has_parameters(probe.network)), plan, probe.name)
    return report_on(cells, subject_of, plan, probe.name, exempt, strict=strict)

"""Every law on every row of the case table.

``make test`` runs a subset in which every pair of (law, dtype), (law, regime) and (dtype, regime) occurs, ``make test-long`` every cell.
"""

import inspect
import types

import pytest
from torch.distributions import Distribution

import probgen.distributions
import probgen.distributions.bijectors
import probgen.flows
from probgen.distributions.bijectors import Bijector
from probgen.distributions.testing import current_profile
from tests.cases import BIJECTORS, DISTRIBUTIONS

ABSTRACT = {"Bijector", "Elementwise"}


@pytest.mark.parametrize("name", sorted(BIJECTORS))
def test_bijector_obeys_the_laws(name, check_laws):
    case = BIJECTORS[name]
    check_laws(case.make, case.event_shape, exempt=case.exempt, tolerance=case.tolerance, name=name, profile=current_profile())


def test_exemptions_and_tolerances_have_reasons():
    rows = {**BIJECTORS, **DISTRIBUTIONS}
    silent = [name for name, case in rows.items() if case.tolerance != 1.0 and not case.tolerance_reason]
    silent += [name for name, case in rows.items() if not all(case.exempt.values())]
    assert not silent


def public_classes(module: types.ModuleType, base: type) -> set[type]:
    return {entry for name in module.__all__ if inspect.isclass(entry := getattr(module, name)) and issubclass(entry, base)}

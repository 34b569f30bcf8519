"""Every law on every row of the case table.

``make test`` runs a subset in which every pair of (law, dtype), (law, regime) and (dtype, regime) occurs; ``make test-long``
runs every cell.
"""

import inspect

import pytest
from torch.distributions import Distribution

import probgen.distributions
import probgen.distributions.bijectors
import probgen.flows
from probgen.distributions.bijectors import Bijector
from probgen.distributions.testing import BIJECTOR_LAWS, DISTRIBUTION_LAWS, LAWS, current_profile
from tests.cases import BIJECTORS, DISTRIBUTIONS

NAMESPACES = (probgen.distributions, probgen.distributions.bijectors, probgen.flows)
CATALOGUE = [
    "R1",
    "R2",
    "L1",
    "L2",
    "L3",
    "L4",
    "L5",
    "L6",
    "S1",
    "S2",
    "S3",
    "C1",
    "M1",
    "M2",
    "M3",
    "M4",
    "N1",
    "N2",
    "N3",
    "P1",
    "T1",
    "V1",
    "K1",
    "H1",
    "E1",
    "E2",
    "Q1",
    "Q3",
    "D1",
    "D2",
    "D3",
    "D4",
    "D5",
    "D6",
    "PY",
]


@pytest.mark.parametrize("name", sorted(BIJECTORS))
def test_bijector_obeys_the_laws(name, check_laws):
    case = BIJECTORS[name]
    check_laws(
        case.make,
        case.event_shape,
        exempt=case.exempt,
        tolerance=case.tolerance,
        name=name,
        profile=current_profile(),
    )


@pytest.mark.parametrize("name", sorted(DISTRIBUTIONS))
def test_distribution_obeys_the_laws(name, check_laws):
    case = DISTRIBUTIONS[name]
    check_laws(
        case.make,
        reference=case.reference,
        exempt=case.exempt,
        tolerance=case.tolerance,
        name=name,
        profile=current_profile(),
    )


def test_exemptions_and_tolerances_have_reasons():
    rows = {**BIJECTORS, **DISTRIBUTIONS}
    silent = [name for name, case in rows.items() if case.tolerance != 1.0 and not case.tolerance_reason]
    silent += [name for name, case in rows.items() if not all(case.exempt.values())]
    assert not silent


def test_exemptions_are_few_and_name_laws():
    rows = [
        *((case, BIJECTOR_LAWS) for case in BIJECTORS.values()),
        *((case, DISTRIBUTION_LAWS) for case in DISTRIBUTIONS.values()),
    ]
    exempt = [law for case, _ in rows for law in case.exempt]
    assert set(exempt) <= LAWS.keys()
    assert len(exempt) < 0.01 * sum(len(laws) for _, laws in rows)


def test_every_row_of_the_catalogue_has_a_law():
    assert {law.id for law in LAWS.values()} >= set(CATALOGUE)
    assert all(law.statement.endswith(".") for law in LAWS.values())


def public_classes(base):
    """The public concrete classes, by walking the namespaces: ``__subclasses__`` would also list classes of other tests."""
    entries = (getattr(module, name) for module in NAMESPACES for name in module.__all__)
    found = {entry for entry in entries if inspect.isclass(entry) and issubclass(entry, base)}
    return {entry for entry in found if "(abstract)" not in (inspect.getdoc(entry) or "").split("\n\n")[0]}


def classes_inside(value, base, depth=4):
    """The classes of a built object and of everything it holds."""
    found = {type(value)} if isinstance(value, base) else set()
    if depth == 0:
        return found
    inner = list(vars(value).values()) if hasattr(value, "__dict__") else []
    inner += list(value.modules()) if hasattr(value, "modules") else []
    for entry in inner:
        if entry is not value and isinstance(entry, base):
            found |= classes_inside(entry, base, depth - 1)
    return found


def test_every_public_bijector_has_a_case():
    covered = set().union(*(classes_inside(case.make(), Bijector) for case in BIJECTORS.values()))
    missing = {entry.__name__ for entry in public_classes(Bijector) - covered}
    assert not missing


def test_every_public_distribution_has_a_case():
    covered = set().union(set(), *(classes_inside(case.make(), Distribution) for case in DISTRIBUTIONS.values()))
    missing = {entry.__name__ for entry in public_classes(Distribution) - covered}
    assert not missing

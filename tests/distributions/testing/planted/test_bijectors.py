"""Each planted bug is found, by the law that should find it."""

import pytest

from probgen.distributions.testing import LAWS, Profile, check_bijector
from tests.distributions.testing.planted.bijectors import BROKEN, Plain

QUICK = Profile("planted", examples=6, every_cell=True, slow_every=1, samples=1000)
FAST_LAWS = tuple(name for name, law in LAWS.items() if law.kind == "bijector" and not law.slow)


def event_shape(bijector):
    return bijector.domain_shape or (() if bijector.domain.event_dim == 0 else (3,))


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_law_finds_the_bug(broken):
    report = check_bijector(broken, event_shape(broken()), laws=(broken.law,), profile=QUICK, strict=False)
    assert report.violated_laws == {broken.law}
    assert all(cell.violation.got is not None for cell in report.violations)


def test_correct_map_passes():
    check_bijector(Plain, (3,), laws=FAST_LAWS, profile=QUICK)


def test_there_are_enough_bugs():
    assert len(BROKEN) >= 35

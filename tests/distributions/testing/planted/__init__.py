"""Broken bijectors and distributions, one bug each: the law kit must find them, each by the law that should find it."""

from probgen.distributions.testing import Law, Profile, check_bijector, check_distribution
from tests.distributions.testing.planted import distributions, structure, values

BIJECTORS = [*values.BROKEN, *structure.BROKEN]
DISTRIBUTIONS = distributions.BROKEN
QUICK = Profile("planted", examples=6, every_cell=True, slow_every=1, samples=20_000)


def bugs(laws: tuple[Law, ...]) -> list:
    """The planted bugs that some of these laws should find."""
    names = {law.name for law in laws}
    return [broken for broken in (*BIJECTORS, *DISTRIBUTIONS) if broken.law in names]


def name_of(broken: object) -> str:
    return broken.__name__


def assert_found(broken) -> None:
    """The law that should find the bug finds it, and says what it expected and got."""
    if broken in BIJECTORS:
        report = check_bijector(broken, event_shape(broken()), laws=(broken.law,), profile=QUICK, strict=False)
    else:
        reference = getattr(broken, "reference", None)
        report = check_distribution(broken, laws=(broken.law,), reference=reference, profile=QUICK, strict=False)
    assert report.violated_laws == {broken.law}
    assert all(cell.violation.got is not None for cell in report.violations)


def event_shape(bijector) -> tuple[int, ...]:
    return bijector.domain_shape or (() if bijector.domain.event_dim == 0 else (3,))

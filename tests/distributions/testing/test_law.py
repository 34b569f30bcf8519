"""Laws, violations and tallies."""

import pickle

import pytest
import torch

from probgen.distributions.testing import LAWS, Law, LawViolation, Tally, define_law
from probgen.distributions.testing.law import always, require_equal
from probgen.distributions.testing.laws import BIJECTOR_LAWS, DISTRIBUTION_LAWS, NETWORK_LAWS


def test_registry_holds_every_law_once():
    assert len(LAWS) == len(BIJECTOR_LAWS) + len(DISTRIBUTION_LAWS) + len(NETWORK_LAWS)
    assert all(isinstance(law, Law) and law.name == name for name, law in LAWS.items())


def test_equality_reports_the_smallest_failing_input():
    x = torch.tensor([3.0, 1.0, 2.0])
    with pytest.raises(LawViolation) as caught:
        require_equal("same", x + 1, x, x, tolerance=0.5)
    assert caught.value.where == 1.0
    assert caught.value.expected == 1.0
    assert caught.value.got == 2.0


def test_equal_infinities_and_nans_are_equal():
    x = torch.tensor([float("inf"), float("nan"), 1.0])
    assert require_equal("same", x, x.clone(), x) == Tally(3)
    with pytest.raises(LawViolation):
        require_equal("same", x, torch.tensor([float("inf"), 0.0, 1.0]), x)


def test_shapes_and_dtypes_are_compared():
    with pytest.raises(LawViolation, match="float64"):
        require_equal("same", torch.ones(2), torch.ones(2, dtype=torch.float64), "ones")


def test_violation_survives_pickling():
    violation = LawViolation("round_trip", 1.0, 2.0, 3.0)
    assert str(pickle.loads(pickle.dumps(violation))) == str(violation)


def test_definition_takes_the_name_of_the_function():
    @define_law("X1", "True.")
    def holds(subject, draw):
        return Tally(2) + Tally(3, skipped=1)

    assert holds.applies is always
    assert holds.check(None, None) == Tally(5, 1)

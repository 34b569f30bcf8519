"""Each planted bug is found, by the law that should find it. Statistical laws: false alarms 1e-9 each, seeds fixed."""

import pytest
import torch

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine
from probgen.distributions.testing import Profile, check_distribution
from tests.distributions.testing.planted.distributions import BROKEN, Gaussian

QUICK = Profile("planted", examples=2, every_cell=True, slow_every=1, samples=20_000)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_law_finds_the_bug(broken):
    reference = getattr(broken, "reference", None)
    report = check_distribution(broken, laws=(broken.law,), reference=reference, profile=QUICK, strict=False)
    assert report.violated_laws == {broken.law}


def test_correct_normal_passes():
    check_distribution(Gaussian, profile=QUICK)


def test_correct_flow_passes():
    check_distribution(lambda: TransformedDistribution(standard_normal(2), Affine(shape=(2,))), profile=QUICK)


def test_finished_object_is_checked_in_its_own_dtype():
    report = check_distribution(torch.distributions.Normal(0.0, torch.tensor(1.0, dtype=torch.float64)), profile=QUICK)
    assert {cell.dtype for cell in report.cells} == {"float64"}


def test_there_are_enough_bugs():
    assert len(BROKEN) >= 25

"""check_distribution: correct laws pass, in the right dtypes. Statistical laws: false alarms 1e-9 each, seeds fixed."""

import pytest
import torch

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine
from probgen.distributions.testing import LawsViolated, check_distribution
from tests.distributions.testing.planted import QUICK
from tests.distributions.testing.planted.distributions import Gaussian, MassOneAndAHalf


def test_correct_normal_passes():
    check_distribution(Gaussian, profile=QUICK)


def test_correct_flow_passes():
    check_distribution(lambda: TransformedDistribution(standard_normal(2), Affine(shape=(2,))), profile=QUICK)


def test_finished_object_is_checked_in_its_own_dtype():
    report = check_distribution(torch.distributions.Normal(0.0, torch.tensor(1.0, dtype=torch.float64)), profile=QUICK)
    assert {cell.dtype for cell in report.cells} == {"float64"}


def test_violations_raise():
    with pytest.raises(LawsViolated, match="density_has_mass_one"):
        check_distribution(MassOneAndAHalf, laws=("density_has_mass_one",), profile=QUICK)

"""Reports: fit, calibration, two-sample test."""

import math

import pytest
import torch

from probgen.distributions import ImplicitDistribution, TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine, Exp, Stereographic
from probgen.distributions.report import calibration, energy_test


@pytest.mark.statistical(false_alarm=4e-9)
def test_true_model_is_found_good_and_a_shifted_one_bad():
    """p-values of the true model are at most 1e-9 with probability 1e-9 (DKW); a shift by 0.5 moves the gap to 0.19."""
    data = torch.randn(2000, 2)
    good, bad = standard_normal(2).report(data), TransformedDistribution(standard_normal(2), Affine(0.5, 1.0)).report(data)
    assert good.calibration.p_value > 1e-9
    assert bad.calibration.p_value < 1e-9
    assert bad.two_sample_p_value == pytest.approx(1 / 200)
    assert good.nats == pytest.approx(-math.log(2 * math.pi * math.e), abs=6 * good.nats_stderr)
    assert good.bits_per_dim == pytest.approx(-good.nats / (2 * math.log(2)))


@pytest.mark.statistical(false_alarm=1e-9)
def test_calibration_goes_through_the_flow():
    f = Affine(torch.tensor([1.0, -1.0]), torch.tensor([0.2, 3.0])) >> Exp()
    law = TransformedDistribution(standard_normal(2), f)
    assert law.report(law.sample((500,))).calibration.p_value > 1e-9


def test_energy_test_sees_a_rotation_of_correlated_data():
    root = torch.tensor([[1.0, 0.0], [0.95, 0.3]])
    x, y = torch.randn(250, 2) @ root.mT, torch.randn(250, 2) @ (root * torch.tensor([[1.0], [-1.0]])).mT
    assert energy_test(x, y) == pytest.approx(1 / 200)


@pytest.mark.statistical(false_alarm=1e-9)
def test_energy_test_is_calibrated():
    """Under the null p-values are uniform: the mean of 60 is 0.5 with standard error 0.037, and 0.3 is 8 of them."""
    values = [energy_test(torch.randn(20, 1), torch.randn(20, 1)) for _ in range(60)]
    assert 0.2 < sum(values) / 60 < 0.8


def test_calibration_finds_the_coordinate():
    found = calibration(torch.stack([torch.linspace(0, 1, 200), torch.linspace(0, 0.5, 200)], -1))
    assert found.coordinate == 1
    assert found.gap == pytest.approx(0.5, abs=0.01)


def test_coverage_is_the_share_inside_central_intervals_of_each_coordinate():
    even = torch.linspace(0.0005, 0.9995, 1000)
    found = calibration(torch.stack([even, 0.5 + (even - 0.5) / 2], -1)).coverage  # the second law is twice too wide
    assert found[0.5] == pytest.approx((0.5, 1.0))
    assert found[0.95] == pytest.approx((0.95, 1.0))
    narrow = TransformedDistribution(standard_normal(1), Affine(0.0, 0.5))
    quantiles = torch.distributions.Normal(0.0, 1.0).icdf(even)[:, None]
    shares = narrow.report(quantiles).calibration.coverage  # half the scale: |z| < 2 * 0.6745 of the data is 0.5 of the model
    assert shares[0.5] == pytest.approx((math.erf(0.5 * 0.6745 / 2**0.5),), abs=2e-3)
    assert "coverage     50%: 50.0% (50.0% to 50.0%)" in str(standard_normal(1).report(quantiles))


def test_batched_and_density_free_distributions():
    law = TransformedDistribution(standard_normal(2), Affine(torch.zeros(20, 1), 1.0))
    assert law.report(law.sample((3,))).num_points == 60
    implicit = ImplicitDistribution(standard_normal(1), torch.nn.Linear(1, 2), (2,))
    report = implicit.report(implicit.sample((30,)))
    assert report.nats is None
    assert "not available" in str(report)
    sphere = TransformedDistribution(standard_normal(2), Stereographic())
    assert sphere.report(sphere.sample((30,))).num_coordinates == 3
    with pytest.raises(ValueError, match="at least two"):
        standard_normal(2).report(torch.zeros(2))

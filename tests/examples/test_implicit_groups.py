"""A simulator in the place of a likelihood: its law, the closed forms of the normal case, groups of unequal size."""

import math

import pyro
import pytest
import torch

from probgen.infer import energy_score
from tests.examples.loading import load


@pytest.fixture(scope="module")
def example():
    return load("implicit_groups")


def test_g_and_k_without_skewness_and_tails_is_normal(example):
    noise = torch.linspace(-4, 4, 81).double()
    theta = torch.tensor([0.5, math.log(2.0), 0.0, -40.0]).double()
    torch.testing.assert_close(example.g_and_k(noise, theta), 0.5 + 2 * noise)


@pytest.mark.parametrize("theta", [(0.0, 0.0, 2.0, -1.0), (1.0, -1.0, -3.0, 3.0)])
def test_g_and_k_is_a_quantile_function(example, theta):
    x = example.g_and_k(torch.linspace(-6, 6, 2001).double(), torch.tensor(theta).double())
    assert (x.diff() > 0).all()
    assert (x[-1] - x[1000] > x[1000] - x[0]) == (theta[2] > 0)  # skewed to the right where g is positive


def test_slope_and_curvature_of_the_score_give_the_calibrated_weight(example):
    """Of a normal location: J = 1/3, H = 1 / (sqrt(pi) s), and w = H / J."""
    s, nodes = 1.7, 20_000
    uniform = (torch.arange(nodes).double() + 0.5) / nodes
    noise = math.sqrt(2) * torch.erfinv(2 * uniform - 1)
    theta, step = torch.zeros(()).double(), 0.05
    y = s * noise[::40]
    score = torch.stack([energy_score((theta + shift + s * noise).unsqueeze(1), y) for shift in (-step, 0.0, step)])
    slope, curvature = (score[2] - score[0]) / (2 * step), (score[2] - 2 * score[1] + score[0]).mean() / step**2
    assert float(slope.square().mean()) == pytest.approx(1 / 3, rel=0.02)
    assert float(curvature) == pytest.approx(1 / (math.sqrt(math.pi) * s), rel=0.02)
    assert example.calibrated_weight(s) == pytest.approx(3 / (math.sqrt(math.pi) * s))


def test_the_posterior_of_a_normal_location_has_the_predicted_width(example):
    torch.manual_seed(0)
    y = torch.randn(50, 200)
    fitted = example.Locations(200, example.calibrated_weight(1.0))
    example.fit(fitted.model, fitted.guide, y, steps=250, rate=3e-2)
    width = fitted.log_scale.detach().exp().mean()
    assert float(width) == pytest.approx(math.sqrt(math.pi / 3 / 50), rel=0.12)
    assert float((fitted.loc.detach() - y.mean(0)).std()) < 0.08  # near the mean, which is the best estimate


def test_missing_data_count_for_nothing(example):
    law = example.implicit(torch.add, torch.zeros(2))
    y = torch.tensor([[0.5, -1.0], [2.0, math.nan], [math.nan, math.nan]])

    def factor(values, weight=1.0):
        torch.manual_seed(0)
        trace = pyro.poutine.trace(example.score_site).get_trace(law, values, weight)
        return trace.nodes["y"]["fn"].log_factor

    torch.testing.assert_close(factor(y)[:1], factor(y[:2, :].nan_to_num())[:1])
    torch.testing.assert_close(factor(y)[1:], factor(y[:1])[1:])
    torch.testing.assert_close(factor(y, 3.0), 3 * factor(y))
    assert (factor(y[2:]) == 0).all()


def test_programs_of_groups_agree_on_shapes(example):
    y = torch.randn(5, 4)
    groups = example.Groups(y, 1.0, torch.zeros(4))
    for name in ("together", "alone", "pooled"):
        assert groups.predictive(name, steps=2, draws=3).shape == (3, 4)

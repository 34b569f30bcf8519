"""f-divergences on normal laws: what each of the generator's losses descends."""

import pytest
import torch

from probgen.infer import FDivergence, Minimax
from tests.probgen.infer.divergences.line import X, normal
from tests.probgen.infer.divergences.test_classic import derivative, generator_slope

NAMES = ["kl", "reverse_kl", "pearson", "hellinger", "jensen_shannon"]
names = pytest.mark.parametrize("name", NAMES)


def divergence_to(name, theta):
    """D_f(N(0, 1) || N(theta, 1)) by its definition."""
    ratio = (theta**2 / 2 - theta * X).exp()
    return float((normal(theta) * FDivergence(name).function.value(ratio)).sum())


DIGITS = {"kl": 0.5, "reverse_kl": 0.5, "pearson": 1.71828183, "hellinger": 0.23500619, "jensen_shannon": 0.1114214822}


@names
def test_definition_gives_the_reference_s_digits(name):
    assert divergence_to(name, 1.0) == pytest.approx(DIGITS[name], abs=5e-9)


@names
def test_saturating_generator_descends_the_divergence(name):
    slope = derivative(lambda theta: divergence_to(name, theta))
    assert generator_slope(FDivergence(name)) == pytest.approx(slope, rel=1e-6)


@names
def test_log_ratio_generator_descends_reverse_kl_whatever_the_function(name):
    assert generator_slope(FDivergence(name, generator="log_ratio")) == pytest.approx(1.0, abs=1e-9)


@names
def test_non_saturating_generator_is_minus_the_variational_function(name):
    divergence, v = FDivergence(name, generator="non_saturating"), torch.linspace(-3, 3, 7)
    torch.testing.assert_close(divergence.generator_term(v), -divergence.activation(v))
    torch.testing.assert_close(divergence.generator_term(v), divergence.data_term(v))
    assert generator_slope(divergence) > 0


def test_slopes_where_the_critic_is_sure_of_a_draw():
    v = torch.tensor(-20.0, requires_grad=True)
    steep = FDivergence("jensen_shannon", generator="non_saturating")
    assert torch.autograd.grad(steep.generator_term(v), v)[0] == pytest.approx(-0.5)
    assert abs(torch.autograd.grad(FDivergence("jensen_shannon").generator_term(v), v)[0]) < 1e-8


def test_jensen_shannon_is_half_the_cross_entropy_game():
    v, w = torch.randn(2, 9, dtype=torch.float64)
    torch.testing.assert_close(FDivergence("jensen_shannon").estimate(v, w), Minimax().estimate(v, w))


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="`name` must be one of kl, reverse_kl"):
        FDivergence("total")
    with pytest.raises(ValueError, match="`generator` must be one of saturating"):
        FDivergence("kl", generator="best")

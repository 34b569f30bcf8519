"""The two games of Goodfellow et al.: value, both generators' gradients, what saturates."""

import math

import pytest
import torch

from probgen.infer import Minimax, NonSaturating
from tests.probgen.infer.divergences.line import LOG_RATIO, WEIGHTS, X, expected_estimate, jensen_shannon, normal


def generator_slope(divergence):
    """d/dtheta of the generator's loss at theta = 1 for draws theta + noise, the critic fixed at its best."""
    at = X.clone().requires_grad_()
    terms = divergence.generator_term(divergence.best_output(0.5 - at))
    return float((normal(1.0) * torch.autograd.grad(terms.sum(), at)[0]).sum())


def derivative(function, at=1.0, step=1e-4):
    return (function(at + step) - function(at - step)) / (2 * step)


def js_to(theta):
    return jensen_shannon(normal(0.0), normal(theta))


def test_value_of_the_game():
    js = expected_estimate(Minimax(), LOG_RATIO)
    assert js == pytest.approx(0.1114214822, abs=1e-10)
    assert 2 * js - math.log(4) == pytest.approx(-1.1634513968, abs=1e-10)


def test_saturating_gradient_is_that_of_twice_jensen_shannon():
    assert generator_slope(Minimax()) == pytest.approx(0.39797287, abs=1e-8)
    assert generator_slope(Minimax()) == pytest.approx(derivative(lambda theta: 2 * js_to(theta)), abs=1e-7)


def test_non_saturating_gradient_is_that_of_reverse_kl_less_twice_jensen_shannon():
    assert generator_slope(NonSaturating()) == pytest.approx(0.60202713, abs=1e-8)
    other = derivative(lambda theta: theta**2 / 2 - 2 * js_to(theta))  # KL(q || p) = theta^2 / 2
    assert generator_slope(NonSaturating()) == pytest.approx(other, abs=1e-7)


@pytest.mark.parametrize("logit", [-20.0, -25.0, -30.0, -1e4])
def test_the_slope_is_one_where_the_critic_is_sure(logit):
    v = torch.tensor([logit], requires_grad=True)
    assert torch.autograd.grad(NonSaturating().generator_loss(v), v)[0].item() == pytest.approx(-1.0, abs=1e-7)
    naive = -(torch.sigmoid(v) + 1e-8).log().mean()  # a form in use: it stops learning just there
    assert abs(torch.autograd.grad(naive, v)[0].item()) < 0.2
    assert abs(torch.autograd.grad(Minimax().generator_loss(v), v)[0].item()) < 1e-8


def test_minimax_is_zero_sum_and_the_other_is_not():
    real, fake = torch.randn(5), torch.randn(7)
    change = fake + 0.5
    of_critic = Minimax().critic_loss(real, change) - Minimax().critic_loss(real, fake)
    of_generator = Minimax().generator_loss(change) - Minimax().generator_loss(fake)
    torch.testing.assert_close(of_critic, -of_generator)
    assert NonSaturating().generator_loss(change) < NonSaturating().generator_loss(fake)
    assert not torch.isclose(NonSaturating().generator_loss(change) - NonSaturating().generator_loss(fake), of_generator)


def test_disjoint_laws_are_log_two_apart():
    sure = torch.full((3,), 50.0)
    assert float(Minimax().estimate(sure, -sure)) == pytest.approx(math.log(2), abs=1e-6)


def test_quadrature_knows_the_mass():
    assert float(WEIGHTS.sum()) == pytest.approx(33.0)
    assert float(normal(1.0, 2.0).sum()) == pytest.approx(1.0, abs=1e-12)

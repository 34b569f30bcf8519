"""Fitting a ratio of densities: the closed form of two normal laws, every divergence that determines it, end to end."""

import functools

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import ImplicitDistribution, standard_normal
from probgen.distributions.implicit import ResampledDistribution, ratio_report
from probgen.infer import R1, DensityRatioLoss, Hinge, LeastSquares, NonSaturating, Wasserstein, fit

RANKS = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
X = torch.special.ndtri(RANKS).unsqueeze(-1)  # stands for draws of N(0, 1), and X + 1 for those of N(1, 1)


def minimized(loss):
    """The loss after Newton-like steps on all data."""
    optimizer = torch.optim.LBFGS(loss.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = loss(X, X + 1)
        value.backward()
        return value

    optimizer.step(closure)
    return loss


def test_a_linear_critic_finds_one_half_minus_x():
    critic = torch.nn.Linear(1, 1).double()
    loss = minimized(DensityRatioLoss(critic, (1,)))
    assert critic.bias.item() == pytest.approx(0.5, abs=5e-3)
    assert critic.weight.item() == pytest.approx(-1.0, abs=5e-3)
    report = ratio_report(loss.ratio, X, X + 1)
    assert report.js.value.item() == pytest.approx(0.1114214822, abs=1e-4)
    assert report.kl.value.item() == pytest.approx(0.5, abs=5e-3)
    assert report.p_value == pytest.approx(1.0, abs=0.01)  # quantiles, not draws: nothing here is left to chance
    assert loss.estimate(X, X + 1).item() == pytest.approx(0.1114214822, abs=1e-4)


def test_least_squares_gives_the_same_ratio_through_its_link():
    """Its best output is a squashed ratio, (p - q)/(p + q) = tanh(r/2), so the critic is a line behind that map."""
    divergence = LeastSquares(a=-1, b=1, c=0)
    line = torch.nn.Linear(1, 1).double()
    critic = torch.nn.Sequential(line, torch.nn.Tanh())
    loss = minimized(DensityRatioLoss(critic, (1,), divergence=divergence))
    torch.testing.assert_close(loss.ratio(X[500:1500]), 0.5 - X[500:1500, 0], atol=2e-2, rtol=0.0)
    assert loss.ratio.link == loss.divergence.log_ratio


def test_the_second_law_is_drawn_from_and_not_trained():
    generator = torch.nn.Linear(1, 1)
    q = ImplicitDistribution(standard_normal(1), generator, (1,))
    loss = DensityRatioLoss(torch.nn.Linear(1, 1), (1,), q=q)
    assert len(list(loss.parameters())) == 2
    loss(torch.randn(5, 1)).backward()
    assert generator.weight.grad is None
    assert loss.estimate(torch.randn(5, 1)).shape == ()


def test_penalties_and_contexts():
    q = ImplicitDistribution(standard_normal(2), torch.nn.Bilinear(2, 3, 2), (2,), context_shape=(3,))
    critic = torch.nn.Bilinear(2, 3, 1)
    loss = DensityRatioLoss(critic, (2,), q=q, penalties=[R1(1.0)], context_shape=(3,))
    context = torch.randn(6, 3)
    value = loss(torch.randn(6, 2), context=context)
    value.backward()
    assert value.shape == ()
    assert critic.weight.grad is not None


@pytest.mark.parametrize("divergence", [Hinge(), Wasserstein()])
def test_divergences_that_do_not_determine_a_ratio(divergence):
    with pytest.raises(NotImplementedError, match="does not determine the ratio"):
        DensityRatioLoss(torch.nn.Linear(1, 1), (1,), divergence=divergence)


def test_draws_of_one_law_only():
    with pytest.raises(ValueError, match="draws `y` of the second law are needed beside `x`"):
        DensityRatioLoss(torch.nn.Linear(1, 1), (1,), divergence=NonSaturating())(torch.zeros(3, 1))


@pytest.mark.statistical(false_alarm=1e-8)
def test_from_draws_to_a_corrected_law():
    """N(1, 1) is trained against data of N(0, 1), then corrected: its mean of 1 goes to 0.

    5000 draws of the corrected law: 6 standard errors are 0.09; the errors of the critic and of 100 proposals come on top.
    """
    torch.manual_seed(0)
    q = dist.Normal(torch.ones(1), 1.0).to_event(1)
    loss = DensityRatioLoss(torch.nn.Linear(1, 1), (1,), q=q)
    data = torch.randn(20_000, 1)
    fit(loss, data.split(1000), functools.partial(torch.optim.Adam, lr=0.05), steps=150, progress=False)
    law = ResampledDistribution(q, loss.ratio, num_proposals=100)
    assert abs(law.sample((5000,)).mean()) < 0.2
    assert abs(law.weighted(20_000).efficiency - 0.3679) < 0.1


def test_an_estimate_is_made_in_evaluation_mode():
    critic = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout(0.5))
    loss = DensityRatioLoss(critic.double(), (1,))
    assert loss.estimate(X, X + 1) == loss.estimate(X, X + 1)
    assert critic[1].training

"""The forward chain: both factorizations are one number, marginals, guards against its order in a bound."""

import pyro.distributions as dist
import pytest
import torch
from torch.distributions import kl_divergence

from probgen.distributions import ForwardChain
from probgen.distributions.chains import (
    GaussianProcess,
    TimeGrid,
    WithoutDivergence,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
    transition_coefficients,
)

SCHEDULES = [linear_schedule(6, 0.05, 0.5), cosine_schedule(), edm_schedule(5.0), flow_matching_schedule()]
GRIDS = [TimeGrid(6), TimeGrid(60).respaced(4, "quadratic"), TimeGrid([0.0, 1.0])]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: type(schedule).__name__)
@pytest.mark.parametrize("grid", GRIDS, ids=repr)
def test_telescoping(schedule, grid):
    """prod q(x_i | x_{i-1}) = q(x_N | x_0) prod q(x_{i-1} | x_i, x_0) at any point, not only along draws."""
    process, x_0 = GaussianProcess(schedule, (3,)), torch.randn(5, 3, dtype=torch.float64)
    chain = ForwardChain(process, grid, x_0)
    for path in (chain.sample(), torch.randn(5, len(grid), 3, dtype=torch.float64)):
        forward = chain.log_prob(path)
        backward = process.marginal(x_0, grid.time(-1)).log_prob(path[:, -1])
        for i in range(2, len(grid) + 1):
            law = process.posterior(path[:, i - 1], x_0, grid.time(i - 1), grid.time(i))
            backward = backward + law.log_prob(path[:, i - 2])
        assert torch.allclose(forward, backward, rtol=1e-9, atol=1e-9)


def test_log_prob_is_the_sum_over_transitions():
    process, x_0 = GaussianProcess(cosine_schedule(), (2,)), torch.randn(4, 2, dtype=torch.float64)
    chain = ForwardChain(process, TimeGrid(5), x_0)
    path = chain.sample((3,))
    states = torch.cat([x_0.expand(3, 1, 4, 2).transpose(1, 2), path], 2)
    expected = sum(process.transition(states[:, :, i], i / 5, (i + 1) / 5).log_prob(states[:, :, i + 1]) for i in range(5))
    assert torch.allclose(chain.log_prob(path), expected)


def test_every_state_has_the_marginal():
    """Mean and variance carried through the transitions arrive at alpha x_0 and sigma^2, to rounding."""
    schedule, grid = linear_schedule(1000), TimeGrid(1000)
    mean, variance = torch.ones(()).double(), torch.zeros(()).double()
    for t, s in reversed(list(grid)):
        scale, added = transition_coefficients(schedule.level(s), schedule.level(t))
        mean, variance = scale * mean, scale.square() * variance + added
        assert mean.item() == pytest.approx(schedule.alpha(t).item(), rel=1e-11)
        assert variance.item() == pytest.approx(schedule.sigma(t).item() ** 2, rel=1e-10)


def test_draws_follow_the_data():
    chain = ForwardChain(GaussianProcess(cosine_schedule(), (2,)), TimeGrid(4), torch.zeros(3, 2, requires_grad=True))
    assert chain.has_rsample
    assert chain.rsample().requires_grad
    assert not chain.sample().requires_grad
    gradient = torch.autograd.grad(chain.rsample()[:, 1].sum(), chain.x_0)[0]
    assert torch.allclose(gradient, cosine_schedule().alpha(0.5).float().expand(3, 2))


def test_arguments_are_checked():
    process = GaussianProcess(cosine_schedule(), (2,))
    with pytest.raises(ValueError, match=r"`x_0` must have event shape \(2,\)"):
        ForwardChain(process, TimeGrid(4), torch.zeros(3))
    with pytest.raises(ValueError, match=r"`grid` must begin at the data, t = 0; it begins at t = 0.1"):
        ForwardChain(process, TimeGrid([0.1, 1.0]), torch.zeros(2))
    assert "TimeGrid(4 steps" in repr(ForwardChain(process, TimeGrid(4), torch.zeros(2)))


@pytest.mark.parametrize(
    "other", [dist.Normal(0.0, 1.0), dist.Delta(torch.zeros(())), WithoutDivergence(dist.Normal(0.0, 1.0))]
)
def test_divergence_of_a_forward_site_is_refused(other):
    with pytest.raises(ValueError, match="this guide draws forward in time"):
        kl_divergence(WithoutDivergence(dist.Normal(0.0, 1.0)), other)

"""The learned schedule: monotone whatever its weights, its ends where they are said to be, gradients everywhere."""

import pytest
import torch
from pyro.infer import Trace_ELBO

from probgen.distributions.chains import GaussianChain, LearnedSchedule, NetworkDenoiser, NormalDecoder, TimeGrid
from tests.cases.networks import TinyDenoisingNetwork


def perturbed(seed, scale=3.0):
    torch.manual_seed(seed)
    schedule = LearnedSchedule(10.0, -6.0, hidden=8)
    with torch.no_grad():
        for parameter in schedule.interior_parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    return schedule


@pytest.mark.parametrize("seed", range(5))
def test_monotone_for_any_weights(seed):
    t = torch.cat([torch.logspace(-9, -3, 50), torch.linspace(0.001, 1, 2001)]).double().unique()
    assert bool((perturbed(seed).log_snr(t).diff() < 0).all())


@pytest.mark.parametrize("seed", range(5))
def test_ends_do_not_depend_on_the_interior(seed):
    schedule = perturbed(seed)
    ends = schedule.log_snr(torch.tensor([0.0, 1e-3, 1.0]).double())
    assert ends.tolist() == pytest.approx([torch.inf, 10.0, -6.0], abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_inverse_for_any_weights(seed):
    schedule = perturbed(seed)
    t = torch.cat([torch.tensor([0.0, 1e-8, 1e-4]), torch.linspace(0.001, 1, 301)]).double()
    assert torch.allclose(schedule.t_of_log_snr(schedule.log_snr(t)), t, atol=1e-9)


def test_near_the_data_noise_is_proportional_to_time():
    schedule, t = LearnedSchedule(first=0.01), torch.tensor([1e-6, 1e-4, 1e-2]).double()
    ratio = torch.exp(-schedule.log_snr(t) / 2)
    assert torch.allclose(ratio / t, (ratio / t)[0].expand(3), rtol=1e-10)


def test_gradients_reach_all_parameters_through_the_level():
    schedule = LearnedSchedule(hidden=4)
    level = schedule.level(torch.tensor([0.0, 1e-4, 0.2, 0.5, 1.0]).double())
    weights = torch.randn(5).double()
    loss = (weights * level.alpha).sum() + (level.sigma * weights.flip(0)).sum()
    gradients = torch.autograd.grad(loss, list(schedule.parameters()))
    assert all(bool(gradient.isfinite().all()) and bool((gradient != 0).any()) for gradient in gradients)


def test_gradient_of_the_inverse_is_the_implicit_one():
    """d t / d theta at fixed log-SNR is -(d lambda / d theta) / lambda'."""
    schedule, log_snr = LearnedSchedule(hidden=4), torch.tensor([3.0]).double()
    t = schedule.t_of_log_snr(log_snr)
    found = torch.autograd.grad(t.sum(), list(schedule.parameters()), retain_graph=True)
    along = torch.autograd.grad(schedule.log_snr(t.detach()).sum(), list(schedule.parameters()))
    slope = schedule.dlog_snr(t.detach()).item()
    for left, right in zip(found, along, strict=True):
        assert torch.allclose(left, -right / slope, rtol=1e-5, atol=1e-9)


def test_slope_where_the_learned_curve_begins_is_that_of_the_curve():
    """Differentiating through both clamps would add the slopes of both sides, at the very time where a grid begins."""
    schedule = LearnedSchedule(first=0.01)
    at, above, below = (schedule.dlog_snr(0.01 + shift).item() for shift in (0.0, 1e-9, -1e-9))
    assert at == pytest.approx(above, rel=1e-6)
    assert below == pytest.approx(-200, rel=1e-6)


def test_gradients_reach_parameters_through_the_slope():
    schedule = LearnedSchedule(hidden=4)
    slope = schedule.dlog_snr(torch.tensor([1e-4, 1e-3, 0.2, 0.5]))
    _, *others = schedule.parameters()  # the last log-SNR shifts the curve only
    gradients = torch.autograd.grad((slope * torch.arange(1, 5)).sum(), others)
    assert all(bool(gradient.isfinite().all()) and bool((gradient != 0).any()) for gradient in gradients)


def test_interior_can_be_trained_without_moving_the_ends():
    """The curve is flexible enough to follow a bend, by gradients through log_snr alone."""
    schedule = LearnedSchedule(10.0, -6.0, hidden=8)
    t = torch.linspace(0.001, 1, 101).double()
    goal = 10.0 - 16.0 * t.sqrt()
    optimizer = torch.optim.Adam(schedule.interior_parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        loss = (schedule.log_snr(t) - goal).square().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2
    assert schedule.log_snr(1.0).item() == pytest.approx(-6.0, abs=1e-5)


def test_groups_are_all_parameters():
    schedule = LearnedSchedule()
    groups = [*schedule.end_parameters(), *schedule.interior_parameters()]
    assert {id(parameter) for parameter in groups} == {id(parameter) for parameter in schedule.parameters()}


def test_grids_can_be_made_of_it():
    grid = TimeGrid.log_snr(LearnedSchedule(), 10)
    assert (grid.time(0), grid.time(1), grid.time(-1)) == (0.0, 1e-3, 1.0)
    assert not grid.times.requires_grad


def test_starts_almost_straight():
    schedule, t = LearnedSchedule(13.0, -5.0), torch.linspace(0.001, 1, 101).double()
    assert (schedule.log_snr(t) - (13.0 - 18.0 * (t - 0.001) / 0.999)).abs().max().item() < 0.2


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="`log_snr_min` must lie below"):
        LearnedSchedule(1.0, 1.0)
    with pytest.raises(ValueError, match="`first` must lie in"):
        LearnedSchedule(first=0.0)
    with pytest.raises(ValueError, match="`hidden` must be at least 1"):
        LearnedSchedule(hidden=0)


def test_a_chain_can_be_trained_with_its_schedule():
    """The bound of a chain gives the ends a gradient; the prior and the grids do not complain of one."""
    schedule = LearnedSchedule(5.0, -5.0, hidden=4)
    chain = GaussianChain(
        NetworkDenoiser(TinyDenoisingNetwork(2), schedule, (2,)), TimeGrid.log_snr(schedule, 4), decoder=NormalDecoder()
    )
    x = torch.randn(8, 2)
    Trace_ELBO().differentiable_loss(chain.model, chain.guide, x).backward()
    assert all(bool((parameter.grad != 0).any()) for parameter in schedule.parameters())


def test_ends_may_be_whole_numbers():
    assert LearnedSchedule(13, -5).log_snr(1.0).detach().item() == pytest.approx(-5.0)

"""Euler and Heun: their orders where the variance is not one, the folded step against the textbook, churn."""

from functools import partial

import pytest
import torch

from probgen.diffusion.audit import affine_law, audit_sampler, exact_flow
from probgen.diffusion.samplers import ddim, euler, heun
from probgen.diffusion.samplers.edm_solvers import HeunStep, heun_steps
from probgen.diffusion.samplers.levels import Levels
from probgen.distributions.chains import (
    MixtureDenoiser,
    TimeGrid,
    cosine_schedule,
    edm_schedule,
    linear_schedule,
    sub_variance_preserving_schedule,
    variance_preserving_schedule,
)
from tests.probgen.diffusion.samplers.networks import exact, oracle

CORRELATED = MixtureDenoiser(
    variance_preserving_schedule(),
    torch.zeros(1).double(),
    torch.tensor([[0.3, -0.5]]).double(),
    torch.tensor([[[0.25, 0.2], [0.2, 0.3]]]).double(),
)


@pytest.mark.parametrize(
    "bed", [oracle(), oracle(torch.tensor([0.01, 4.0]).double(), 0.3), oracle(schedule=edm_schedule()), CORRELATED]
)
def test_orders(bed):
    for factory, order in ((euler, 1.0), (heun, 2.0)):
        audit = audit_sampler(
            factory, bed, steps=(64, 128), grid_of=lambda n: TimeGrid.log_snr(bed.schedule, n, 0.1, end_at_data=False)
        )
        assert audit.order == pytest.approx(order, abs=0.1)


def test_order_on_a_mixture():
    """Data that are not Gaussian; the truth is a method of order 8."""
    bed = MixtureDenoiser(
        variance_preserving_schedule(),
        torch.tensor([0.0, 0.5]).double(),
        torch.tensor([[1.0], [-1.0]]).double(),
        torch.tensor([[[0.25]], [[0.1]]]).double(),
    )
    assert audit_sampler(heun, bed, steps=(48, 96)).order == pytest.approx(2.0, abs=0.15)


def test_heun_is_the_textbook_method():
    """In x / alpha and sigma / alpha, with slopes written out."""
    bed = oracle(0.25, 0.4, schedule=sub_variance_preserving_schedule())
    grid = TimeGrid([0.0, 0.1, 0.3, 0.6, 1.0])
    x = y = torch.tensor([[1.7], [-0.2]]).double()
    for t, s in grid:
        (a_t, r_t), (a_s, r_s) = ((bed.schedule.alpha(u), bed.schedule.sigma(u) / bed.schedule.alpha(u)) for u in (t, s))
        slope = bed(y, t).eps
        end = a_s * (y / a_t + (r_s - r_t) * slope)
        y = end if s == 0 else a_s * (y / a_t + (r_s - r_t) * (slope + bed(end, s).eps) / 2)
    assert torch.allclose(heun(bed, grid)(x), y, rtol=1e-12)


@pytest.mark.parametrize("parameterization", ["eps", "x0", "v", "score"])
def test_parameterizations_agree(parameterization):
    x, grid = torch.linspace(-2, 2, 5).double().unsqueeze(-1), TimeGrid(1000).respaced(20)
    found = heun(exact(parameterization=parameterization), grid)(x)
    assert torch.allclose(found, heun(oracle(schedule=linear_schedule()), grid)(x), rtol=1e-9)


def test_evaluations_are_counted():
    calls = []
    bed = oracle()
    predict = bed.predict
    bed.predict = lambda *args: calls.append(1) or predict(*args)
    for sampler in (heun(bed, TimeGrid(5)), euler(bed, TimeGrid(5))):
        calls.clear()
        sampler(torch.ones(2, 1).double())
        assert len(calls) == sampler.evaluations
    assert heun(bed, TimeGrid(5)).evaluations == 9


def test_first_step_without_signal_is_eulers():
    bed = oracle(schedule=cosine_schedule(terminal_log_snr=None))
    levels = Levels.of(bed, TimeGrid(4))
    sampler = heun(bed, TimeGrid(4))
    assert [isinstance(step, HeunStep) for step in sampler.steps] == [False, True, True, False]
    assert len(heun_steps(bed, levels, [*euler(bed, TimeGrid(4)).steps])) == 4
    x = torch.tensor([[1.0], [-2.0]]).double()
    fine = heun(bed, TimeGrid(2000))(x)
    assert torch.allclose(fine, exact_flow(bed, x, 1.0, 0.0), rtol=2e-3)


def test_euler_is_ddim():
    bed, x = oracle(0.3), torch.ones(3, 1).double()
    assert torch.equal(euler(bed, TimeGrid(9))(x), ddim(bed, TimeGrid(9))(x))


@pytest.mark.parametrize("schedule", [edm_schedule(), variance_preserving_schedule()])
def test_churn_keeps_the_law(schedule):
    """Adding noise and going back further leaves mean and spread, up to the order of the method."""
    bed = oracle(0.25, 0.5, schedule=schedule)
    grid = partial(TimeGrid.rho, schedule)
    for factory in (euler, heun):
        audit = audit_sampler(partial(factory, churn=30.0), bed, steps=(64, 512), grid_of=grid)
        assert abs(audit.std_ratios[1] - 1) < abs(audit.std_ratios[0] - 1) / 5
        assert abs(audit.std_ratios[1] - 1) < (0.03 if factory is euler else 0.01)
        assert max(audit.mean_bias) < 1e-9


def test_churn_only_where_it_is_asked_for():
    bed = oracle(0.25, schedule=edm_schedule())
    grid = TimeGrid.rho(bed.schedule, 10)
    assert affine_law(heun(bed, grid), bed).draws == 0
    assert affine_law(heun(bed, grid, churn=5.0), bed).draws == 10
    ratio = (bed.schedule.sigma(grid.reversed_times[:-1]) / 1.0).tolist()
    inside = sum(0.05 <= r <= 50.0 for r in ratio)
    assert affine_law(heun(bed, grid, churn=5.0, churn_range=(0.05, 50.0)), bed).draws == inside < 10


def test_churn_raises_the_noise_as_said():
    """One churned Euler step by hand: the level rises by 1 + gamma, with the noise in between, and goes down from there."""
    bed = oracle(0.25, schedule=edm_schedule())
    grid, z = TimeGrid([0.5, 0.8]), torch.tensor([[0.7]]).double()
    sigma, end, gamma = float(bed.schedule.sigma(0.8)), float(bed.schedule.sigma(0.5)), 0.3
    raised = torch.tensor([[2.0]]).double() + sigma * ((1 + gamma) ** 2 - 1) ** 0.5 * 1.003 * z
    mean = raised * 0.25 / (0.25 + (sigma * (1 + gamma)) ** 2)
    expected = mean + end / (sigma * (1 + gamma)) * (raised - mean)
    sampler = euler(bed, grid, churn=0.3, churn_noise=1.003)
    assert torch.allclose(sampler(torch.tensor([[2.0]]).double(), noise=lambda like: z), expected, rtol=1e-12)


def test_negative_churn_is_refused():
    with pytest.raises(ValueError, match=r"`churn` must not be negative; got -1.0"):
        heun(oracle(), TimeGrid(4), churn=-1.0)

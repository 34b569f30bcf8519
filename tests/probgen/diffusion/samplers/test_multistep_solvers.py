"""DPM-Solver++ and UniPC: their orders, the folded recursion against predictor and corrector written out, the limits."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from probgen.diffusion.audit import audit_sampler, exact_flow
from probgen.diffusion.samplers import ddim, dpm_solver, uni_pc
from probgen.diffusion.samplers.multistep_solvers import exponential_weights
from probgen.distributions.chains import (
    TimeGrid,
    cosine_schedule,
    flow_matching_schedule,
    linear_schedule,
    variance_exploding_schedule,
)
from tests.probgen.diffusion.samplers.networks import exact, oracle
from tests.probgen.diffusion.samplers.test_edm_solvers import CORRELATED

FOURTH = partial(uni_pc, order=3)


@pytest.mark.parametrize("bed", [oracle(), oracle(4.0, 0.3, schedule=variance_exploding_schedule()), CORRELATED])
@pytest.mark.parametrize(
    ("factory", "order"),
    [(partial(dpm_solver, order=1), 1), (dpm_solver, 2), (partial(uni_pc, order=1), 2), (uni_pc, 3), (FOURTH, 4)],
    ids=["1S", "2M", "UniPC-1", "UniPC-2", "UniPC-3"],
)
def test_orders(bed, factory, order):
    audit = audit_sampler(factory, bed, steps=(64, 128))
    assert audit.order == pytest.approx(order, abs=0.25) or (factory is FOURTH and audit.order > 2.9)


def test_second_order_at_data_variance_one_hides_nothing_here():
    """At variance one the flow stands still; a method that is wrong elsewhere can be exact there, so both are checked."""
    unit, other = oracle(1.0), oracle()
    for bed in (unit, other):
        assert audit_sampler(dpm_solver, bed, steps=(64, 128)).order > 1.8


def test_equal_steps_in_log_snr_suit_second_order():
    """32 steps for data of variance 1/16: equal steps in time leave 8 % of error, in log-SNR 0.5 %."""
    bed = oracle(schedule=linear_schedule())
    by_time = audit_sampler(dpm_solver, bed, steps=(32,), grid_of=TimeGrid(1000).respaced).errors[0]
    by_log_snr = audit_sampler(dpm_solver, bed, steps=(32,), grid_of=partial(TimeGrid.log_snr, bed.schedule)).errors[0]
    assert by_log_snr < by_time / 10
    assert by_time < audit_sampler(ddim, bed, steps=(32,), grid_of=TimeGrid(1000).respaced).errors[0]


def predicted_and_corrected(bed, grid, x, order):
    """UniPC as in the paper: predict, evaluate, correct, with the integrals of polynomials done by another quadrature."""
    half = (bed.schedule.log_snr(grid.reversed_times) / 2).tolist()
    alpha, sigma = (f(grid.reversed_times).tolist() for f in (bed.schedule.alpha, bed.schedule.sigma))
    times = grid.reversed_times.tolist()

    def advanced(x, i, nodes, means):
        coefficients = [np.polynomial.Polynomial.fit(nodes, row, len(nodes) - 1).convert() for row in np.eye(len(nodes))]
        u = np.linspace(half[i], half[i + 1], 20001)
        weights = [np.trapezoid(np.exp(u) * c(u), u) * sigma[i + 1] for c in coefficients]
        return sigma[i + 1] / sigma[i] * x + sum(w * m for w, m in zip(weights, means, strict=True))

    predicted, corrected, means = x, x, []
    for i in range(len(grid)):
        mean = bed.mean(predicted, times[i])
        if i:
            count = min(order, i)
            corrected = advanced(corrected, i - 1, [half[i], *half[i - 1 :: -1][:count]], [mean, *means[:count]])
        means.insert(0, mean)
        count = min(order, i + 1)
        predicted = advanced(corrected, i, half[i::-1][:count], means[:count])
    return predicted, alpha


@pytest.mark.parametrize("order", [1, 2, 3])
def test_one_linear_step_is_predictor_and_corrector(order):
    bed = oracle(0.25, 0.4)
    grid, x = TimeGrid.log_snr(bed.schedule, 7, 0.1, end_at_data=False), torch.tensor([[1.3], [-0.4]]).double()
    expected, _ = predicted_and_corrected(bed, grid, x, order)
    assert torch.allclose(uni_pc(bed, grid, order=order)(x), expected, rtol=1e-7)


def test_two_m_is_the_papers():
    bed = oracle(0.25, 0.4)
    grid = TimeGrid.log_snr(bed.schedule, 7)
    half = (bed.schedule.log_snr(grid.reversed_times) / 2).tolist()
    x = y = torch.tensor([[1.3], [-0.4]]).double()
    previous = None
    for i, (t, s) in enumerate(grid):
        mean, h = bed.mean(y, t), half[i + 1] - half[i]
        r = (half[i] - half[i - 1]) / h if i else math.inf
        used = mean if i == 0 or s == 0 else (1 + 1 / (2 * r)) * mean - 1 / (2 * r) * previous
        y = bed.schedule.sigma(s) / bed.schedule.sigma(t) * y - bed.schedule.alpha(s) * math.expm1(-h) * used
        previous = mean
    assert torch.allclose(dpm_solver(bed, grid)(x), y, rtol=1e-12)


def test_weights_integrate_polynomials():
    for nodes in ([-0.3], [-0.3, -0.9], [0.0, -0.3, -0.9, -1.2]):
        weights = exponential_weights(nodes, -0.3)
        u = np.linspace(-0.3, 0.0, 200_001)
        for power in range(len(nodes)):
            expected = np.trapezoid(np.exp(u) * u**power, u)
            assert sum(w * n**power for w, n in zip(weights, nodes, strict=True)) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("schedule", [cosine_schedule(terminal_log_snr=None), flow_matching_schedule()])
@pytest.mark.parametrize("factory", [dpm_solver, uni_pc, partial(uni_pc, order=3)])
def test_no_signal_at_the_start_and_none_of_the_noise_at_the_end(schedule, factory):
    bed, x = oracle(0.25, schedule=schedule), torch.tensor([[1.0], [-2.0]]).double()
    sampler = factory(bed, TimeGrid(400))
    assert all(math.isfinite(w) for step in sampler.steps for w in (step.scale, *step.weights))
    assert torch.allclose(sampler(x), exact_flow(bed, x, 1.0, 0.0), rtol=0.02)


@pytest.mark.parametrize("factory", [dpm_solver, uni_pc])
def test_parameterizations_and_recording_agree(factory):
    x, grid = torch.linspace(-2, 2, 5).double().unsqueeze(-1), TimeGrid.log_snr(linear_schedule(), 12)
    expected = factory(oracle(schedule=linear_schedule()), grid)(x)
    for parameterization in ("eps", "x0", "v"):
        sampler = factory(exact(parameterization=parameterization), grid)
        assert torch.allclose(sampler(x), expected, rtol=1e-9)
        assert torch.equal(sampler.path(x).states[:, 0], sampler(x))


def test_histories_are_no_longer_than_needed():
    steps = uni_pc(oracle(), TimeGrid.log_snr(oracle().schedule, 8)).steps
    assert [step.keeps for step in steps] == [1, 2, 2, 2, 2, 2, 0, 0]
    assert [len(step.weights) for step in steps] == [1, 2, 3, 3, 3, 3, 3, 1]


def test_orders_are_checked():
    with pytest.raises(ValueError, match="`order` must be 1 or 2; got 3"):
        dpm_solver(oracle(), TimeGrid(4), order=3)
    with pytest.raises(ValueError, match="`order` must be 1, 2 or 3; got 4"):
        uni_pc(oracle(), TimeGrid(4), order=4)

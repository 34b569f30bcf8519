"""The audit finds planted mistakes: a wrong coefficient, an order lost where the variance is not one, a wrong spread."""

import math
from functools import partial

import pytest
import torch

from probgen.diffusion import AffineLaw, SamplerAudit, affine_law, audit_sampler, exact_flow
from probgen.diffusion.samplers import Sampler, ancestral, ddim, dpm_solver, heun, predictor_corrector
from probgen.diffusion.samplers.ddim_family import one_mean_steps
from probgen.diffusion.samplers.levels import Levels
from probgen.distributions.chains import GaussianDenoiser, MixtureDenoiser, TimeGrid, variance_preserving_schedule
from tests.probgen.diffusion.samplers.networks import oracle
from tests.probgen.diffusion.samplers.test_edm_solvers import CORRELATED


def half_extrapolated(denoiser, grid):
    """DPM-Solver++ that goes only half the way from the last mean but one to the last: of first order."""

    def steps_of(denoiser, grid):
        right, first = dpm_solver(denoiser, grid).steps, dpm_solver(denoiser, grid, order=1).steps
        steps = []
        for good, low in zip(right, first, strict=True):
            weights = [(low.weights[0] + good.weights[0]) / 2, *(w / 2 for w in good.weights[1:])]
            steps.append(good._replace(weights=tuple(weights)))
        return steps

    return Sampler("half extrapolated", denoiser, grid, steps_of)


def too_fast(denoiser, grid):
    """Euler in w = arsinh(alpha / sigma) with a velocity that is a tenth too large: no order at all."""

    def steps_of(denoiser, grid):
        levels = Levels.of(denoiser, grid)
        w, end = (torch.asinh(level.alpha / level.sigma) for level in (levels.t, levels.s))
        length = 1.1 * (end - w)
        return one_mean_steps(denoiser, levels, 1 - length * torch.tanh(w), length, 0 * length)

    return Sampler("too fast", denoiser, grid, steps_of)


def test_a_lost_order_is_found():
    assert audit_sampler(dpm_solver, oracle(), steps=(128, 256)).order > 1.9
    assert audit_sampler(half_extrapolated, oracle(), steps=(128, 256)).order < 1.3


def test_variance_one_hides_a_mistake_that_other_variances_show():
    """The flow of unit-variance data stands still, whatever the velocity is multiplied by."""
    assert audit_sampler(too_fast, oracle(1.0), steps=(64,)).errors[0] < 1e-12
    found = audit_sampler(too_fast, oracle(), steps=(128, 256))
    assert found.errors[1] > 0.1
    assert found.order < 0.5


def test_a_wrong_noise_is_found():
    def noisy(denoiser, grid):
        def steps_of(denoiser, grid):
            return [step._replace(noise=1.1 * step.noise) for step in ddim(denoiser, grid, eta=1.0).steps]

        return Sampler("noisy", denoiser, grid, steps_of)

    right, wrong = (audit_sampler(factory, oracle(), steps=(400,)).std_ratios[0] for factory in (partial(ddim, eta=1.0), noisy))
    assert abs(right - 1) < 0.02 < abs(wrong - 1)


def test_a_shifted_mean_is_found():
    wrong = GaussianDenoiser(variance_preserving_schedule(), torch.full((1,), 0.1).double(), torch.tensor(1 / 16).double())
    law = affine_law(ddim(wrong, TimeGrid(200)), oracle())
    assert float(law.mean) == pytest.approx(0.1, abs=0.01)


def test_affine_laws_are_those_of_samples():
    """Covariance included, on correlated data."""
    sampler = ancestral(CORRELATED, TimeGrid(6), last="sample")
    law = affine_law(sampler, CORRELATED)
    assert isinstance(law, AffineLaw)
    assert law.draws == 6
    assert torch.allclose(law.covariance, CORRELATED.covariances[0], atol=1e-9)
    assert torch.allclose(law.mean, CORRELATED.means[0], atol=1e-9)
    assert torch.allclose(law.std, CORRELATED.covariances[0].diagonal().sqrt())


def test_maps_that_are_not_affine_are_recognized():
    assert affine_law(predictor_corrector(oracle(), TimeGrid(4)), oracle()) is None


def test_exact_flow_solves_the_differential_equation():
    """dx/dt = f x - g^2 score / 2, by central differences, for a diagonal, a full and a mixed covariance."""
    mixture = MixtureDenoiser(
        variance_preserving_schedule(),
        torch.zeros(2).double(),
        torch.tensor([[1.0, 0.0], [-1.0, 0.3]]).double(),
        0.1 * torch.eye(2).double().expand(2, 2, 2),
    )
    for bed in (oracle(torch.tensor([0.1, 3.0]).double(), 0.4), CORRELATED, mixture):
        x, t, h = torch.tensor([[0.3, -0.8]]).double(), 0.4, 1e-4
        slope = (exact_flow(bed, x, t, t + h) - exact_flow(bed, x, t, t - h)) / (2 * h)
        velocity = bed.schedule.drift(t) * x - bed.schedule.squared_diffusion(t) / 2 * bed(x, t).score
        assert torch.allclose(slope, velocity, rtol=1e-5)


def test_table_and_order():
    audit = audit_sampler(heun, oracle(), steps=(16, 32))
    assert isinstance(audit, SamplerAudit)
    assert str(audit).splitlines()[0].startswith("heun(churn=0.0), observed order 2")
    assert len(str(audit).splitlines()) == 4
    assert math.isnan(audit_sampler(heun, oracle(), steps=(16,)).order)
    assert math.isnan(audit_sampler(partial(ddim, eta=1.0), oracle(), steps=(8, 16)).order)
    with pytest.raises(ValueError, match=r"`steps` must increase; got \(32, 16\)"):
        audit_sampler(heun, oracle(), steps=(32, 16))

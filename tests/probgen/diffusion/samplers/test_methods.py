"""The samplers as methods of a model, and the grids they choose."""

import pytest
import torch

import probgen as pg
from probgen.diffusion.audit import audit_sampler
from probgen.diffusion.samplers import SamplerSpacing, ddim, dpm_solver, heun, sampling_grid, uni_pc
from probgen.diffusion.samplers.methods import SamplingMethods
from probgen.distributions.chains import (
    TimeGrid,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
    sigmoid_schedule,
    variance_exploding_schedule,
)
from tests.cases.networks import TinyDenoisingNetwork
from tests.probgen.diffusion.samplers.networks import Tenth, exact, oracle

METHODS = [
    "ancestral",
    "ddim",
    "euler",
    "heun",
    "dpm_solver",
    "uni_pc",
    "euler_maruyama",
    "predictor_corrector",
    "annealed_langevin",
    "inversion",
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("schedule", [cosine_schedule(), edm_schedule()])
def test_methods_sample(method, schedule):
    d = pg.diffusion.Diffusion(Tenth(), schedule, event_shape=(3, 4, 4), grid=20)
    assert isinstance(d, SamplingMethods)
    sampler = getattr(d, method)(6)
    assert len(sampler.grid) == 6
    x = sampler(d.prior.sample((5,)))
    assert x.shape == (5, 3, 4, 4)
    assert bool(x.isfinite().all())
    assert float(sampler.grid.times[-1]) == 1.0
    assert getattr(d, method)(grid=TimeGrid(3)).grid == TimeGrid(3)
    assert getattr(d, method)(None).grid == d.grid


@pytest.mark.parametrize("method", METHODS)
def test_methods_under_autocast(method):
    """States and coefficients stay in float32; only the layers of the network are computed in bfloat16."""
    d = pg.diffusion.Diffusion(TinyDenoisingNetwork(3), cosine_schedule(), event_shape=(3,), grid=20)
    sampler, noise = getattr(d, method)(6), d.prior.sample((4,))
    drawn = []
    for enabled in (False, True):
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            drawn.append(sampler(noise))
    assert drawn[1].dtype == torch.float32
    assert not torch.equal(*drawn)
    assert torch.allclose(*drawn, rtol=0.05, atol=0.05)


def test_the_program_of_the_design():
    d = pg.diffusion.Diffusion(Tenth(), pg.diffusion.cosine_schedule(), event_shape=(2,), grid=TimeGrid(1000))
    assert d.ddim(steps=20)(d.prior.sample((64,))).shape == (64, 2)


def test_another_denoiser():
    d = pg.diffusion.Diffusion(Tenth(), linear_schedule(), event_shape=(2,))
    guided = exact(event_shape=(2,))
    assert d.ddim(steps=5, denoiser=guided).denoiser is guided


@pytest.mark.parametrize("spacing", ["even", "trailing", "quadratic", "log_snr", "rho"])
@pytest.mark.parametrize(
    "schedule",
    [
        linear_schedule(),
        cosine_schedule(),
        edm_schedule(),
        sigmoid_schedule(),
        flow_matching_schedule(),
        variance_exploding_schedule(),
    ],
)
def test_grids_start_at_the_noise_and_end_at_the_data(schedule, spacing: SamplerSpacing):
    for steps in (3, 7, 50):
        grid = sampling_grid(schedule, TimeGrid(1000), steps, spacing)
        assert len(grid) == steps
        assert (float(grid.times[0]), float(grid.times[-1])) == (0.0, 1.0)


@pytest.mark.parametrize(
    "schedule", [linear_schedule(), cosine_schedule(), edm_schedule(), sigmoid_schedule(), flow_matching_schedule()]
)
def test_default_spacings_suit_their_samplers(schedule):
    """20 steps on data of variance 1/4: DDIM within 17 %, the others within 6 %, for every schedule."""
    bed = oracle(0.25, schedule=schedule)
    for factory, spacing, bound in (
        (ddim, "even", 0.17),
        (heun, "rho", 0.06),
        (dpm_solver, "log_snr", 0.03),
        (uni_pc, "log_snr", 0.03),
    ):

        def grid_of(steps, spacing=spacing):
            return sampling_grid(schedule, TimeGrid(1000), steps, spacing)

        assert audit_sampler(factory, bed, steps=(20,), grid_of=grid_of).errors[0] < bound


def test_leading_starts_below_the_noise():
    """As in the paper on DDIM; the default does not."""
    assert float(sampling_grid(linear_schedule(), TimeGrid(1000), 10, "leading").times[-1]) == pytest.approx(0.901)


def test_too_few_or_many_steps_are_refused():
    with pytest.raises(ValueError, match="`steps` must be at least 3"):
        sampling_grid(linear_schedule(), TimeGrid(1000), 2, "rho")
    with pytest.raises(ValueError, match=r"`steps` must lie in 1 \.\. 10; got 20"):
        sampling_grid(linear_schedule(), TimeGrid(10), 20)

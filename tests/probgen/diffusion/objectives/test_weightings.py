"""Weightings: closed forms on the error of x_0, limits without NaN."""

import math

import pytest
import torch

from probgen.diffusion.objectives import WEIGHTINGS, Weighting, min_snr, p2, sigmoid_weight
from probgen.diffusion.objectives.weightings import resolve_weighting
from probgen.distributions.chains import (
    GaussianDenoiser,
    NetworkDenoiser,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
)

STRAIGHT = GaussianDenoiser(flow_matching_schedule(), torch.zeros(1).double(), torch.tensor(1.0).double())
SNR = {
    "simple": lambda r: r,
    "eps": lambda r: r,
    "x0": torch.ones_like,
    "v": lambda r: r + 1,
    "truncated-snr": lambda r: r.clamp(min=1),
    "min-snr": lambda r: r.clamp(max=5),
    "p2": lambda r: r / (1 + r),
    "edm": lambda r: r + 1,
    "velocity": lambda r: (1 + r.sqrt()) ** 2,
    "sigmoid": lambda r: r / (1 + r * math.exp(-2)),
}


@pytest.mark.parametrize("name", SNR)
def test_closed_forms(name):
    level = STRAIGHT.schedule.level(torch.linspace(0.01, 0.999, 50))
    weighting: Weighting = resolve_weighting(name)
    assert torch.allclose(weighting(STRAIGHT, level).exp(), SNR[name](level.snr), rtol=1e-10)


def test_likelihood_is_minus_half_the_derivative_of_the_snr():
    t = torch.linspace(0.05, 0.95, 10).double()
    level = STRAIGHT.schedule.level(t)
    derivative = -2 * (1 - t) / t**3  # of ((1 - t) / t)^2
    assert torch.allclose(WEIGHTINGS["likelihood"](STRAIGHT, level).exp(), -derivative / 2)


def test_likelihood_at_the_times_of_a_chain():
    denoiser = GaussianDenoiser(linear_schedule(), torch.zeros(1).double(), torch.tensor(1.0).double())
    times = torch.arange(1, 1000).double() / 1000
    at, beside = (WEIGHTINGS["likelihood"](denoiser, denoiser.schedule.level(t)).exp() for t in (times, times + 1e-7))
    assert torch.allclose(at, beside, rtol=1e-3)


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_no_nan_where_no_signal_is_left(name):
    weight = WEIGHTINGS[name](STRAIGHT, STRAIGHT.schedule.level(torch.tensor([1.0, 0.5]))).exp()
    assert weight.isfinite().all()
    assert (weight >= 0).all()


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_finite_next_to_the_data(name):
    assert WEIGHTINGS[name](STRAIGHT, STRAIGHT.schedule.level(1e-9)).isfinite()


def test_edm_knows_the_scale_of_the_data():
    denoiser = NetworkDenoiser(torch.nn.Identity(), edm_schedule(), (1,), parameterization="edm", data_std=0.5)
    level = denoiser.schedule.level(0.7)
    sigma = level.sigma
    by_karras = (sigma**2 + 0.25) / (sigma * 0.5) ** 2
    assert torch.allclose(WEIGHTINGS["edm"](denoiser, level).exp(), by_karras)


def test_options():
    level = linear_schedule().level(torch.linspace(0.01, 1, 9))
    assert torch.allclose(min_snr(2.0)(STRAIGHT, level).exp(), level.snr.clamp(max=2))
    assert torch.allclose(p2(0.5, 2.0)(STRAIGHT, level).exp(), level.snr / (0.5 + level.snr) ** 2)
    assert torch.allclose(p2(gamma=0.0)(STRAIGHT, level), level.log_snr)
    assert torch.allclose(sigmoid_weight(-1.0)(STRAIGHT, level).exp(), level.snr / (1 + level.snr * math.e))


@pytest.mark.parametrize(
    ("make", "message"),
    [(lambda: min_snr(0.0), "`gamma`"), (lambda: p2(0.0), "`k`"), (lambda: resolve_weighting("best"), "`weighting`")],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()

"""Errors in the network's own coordinates."""

import pytest
import torch

from probgen.diffusion.objectives.prediction_error import PredictionError, noised, prediction_error
from probgen.distributions.chains import NetworkDenoiser, TimeGrid, cosine_schedule
from probgen.distributions.chains.parameterization import PARAMETERIZATIONS

SCHEDULE, GRID = cosine_schedule(), TimeGrid(100)
NAMES = [*PARAMETERIZATIONS, "mean"]


def denoiser_of(name):
    return NetworkDenoiser(torch.nn.Identity(), SCHEDULE, (3,), parameterization=name, grid=GRID, data_std=0.7)


@pytest.mark.parametrize("name", NAMES)
def test_scale_times_error_is_the_error_of_the_mean(name):
    denoiser = denoiser_of(name)
    x_0, noise, prediction = torch.randn(3, 20, 3).double()
    level = SCHEDULE.level(torch.linspace(0.03, 0.97, 20))
    result = prediction_error(denoiser, prediction, x_0, noise, level)
    assert isinstance(result, PredictionError)
    skip, out = denoiser.coefficients(level)
    mean = skip.unsqueeze(-1) * noised(x_0, noise, level, 1) + out.unsqueeze(-1) * prediction
    assert torch.allclose(result.scale.unsqueeze(-1) * result.error, mean - x_0, atol=1e-10)


@pytest.mark.parametrize("name", ["eps", "v", "velocity", "edm", "x0", "score"])
@pytest.mark.parametrize("t", [1e-6, 0.999])
def test_single_precision_keeps_its_digits_at_both_ends(name, t):
    denoiser, level = denoiser_of(name), SCHEDULE.level(torch.full((50,), t))
    x_0, noise, prediction = torch.randn(3, 50, 3)
    single = prediction_error(denoiser, prediction, x_0, noise, level).error
    double = prediction_error(denoiser, prediction.double(), x_0.double(), noise.double(), level).error
    size = double.abs().max()
    assert (single - double).abs().max() < 5e-7 * size  # while x_0 and its mean differ by 1e-6 here, the rounding of float32

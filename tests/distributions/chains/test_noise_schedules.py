"""Schedules given by the noise: closed forms of their noise and their rates."""

import pytest
import torch

from probgen.distributions.chains import (
    GeometricNoise,
    PowerNoise,
    StraightPath,
    edm_schedule,
    flow_matching_schedule,
    variance_exploding_schedule,
)

T = torch.tensor([1e-9, 1e-4, 0.1, 0.5, 0.999, 1.0], dtype=torch.float64)


def test_geometric_noise():
    schedule = GeometricNoise(0.01, 50.0)
    expected = 0.01**2 * torch.expm1(2 * T * torch.log(torch.tensor(5000.0, dtype=torch.float64)))
    assert torch.allclose(schedule.sigma(T).square(), expected, rtol=1e-13)
    assert torch.equal(schedule.alpha(T), torch.ones_like(T))
    rate = 2 * 0.01**2 * 8.517193191416238 * (50.0 / 0.01) ** (2 * T)  # sigma_min^2 2 log(r) r^(2t)
    assert torch.allclose(schedule.squared_diffusion(T), rate, rtol=1e-10)
    assert torch.equal(schedule.drift(T), torch.zeros_like(T))


def test_power_noise():
    schedule = PowerNoise(80.0, 7.0)
    assert torch.allclose(schedule.sigma(T), 80.0 * T**7, rtol=1e-12)
    assert torch.allclose(schedule.squared_diffusion(T), 2 * 7 * 80.0**2 * T**13, rtol=1e-12)


def test_straight_path():
    schedule = StraightPath()
    assert torch.allclose(schedule.alpha(T), 1 - T, rtol=1e-12)
    assert torch.allclose(schedule.sigma(T), T, rtol=1e-12)
    inside = T[:-1]
    assert torch.allclose(schedule.drift(inside), -1 / (1 - inside), rtol=1e-12)
    assert torch.allclose(schedule.squared_diffusion(inside), 2 * inside / (1 - inside), rtol=1e-12)
    assert schedule.level(1.0).alpha.item() == 0.0


def test_functions_make_the_classes():
    made = [type(make()) for make in (variance_exploding_schedule, edm_schedule, flow_matching_schedule)]
    assert made == [GeometricNoise, PowerNoise, StraightPath]


@pytest.mark.parametrize("noise", [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0)])
def test_noise_must_grow(noise):
    with pytest.raises(ValueError, match="0 < `sigma_min` < `sigma_max` must hold"):
        GeometricNoise(*noise)


@pytest.mark.parametrize("arguments", [(0.0, 1.0), (1.0, 0.0)])
def test_power_must_be_positive(arguments):
    with pytest.raises(ValueError, match="must be positive"):
        PowerNoise(*arguments)

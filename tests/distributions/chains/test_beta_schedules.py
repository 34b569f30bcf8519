"""Schedules given by a rate: the published chain, its tables to full precision, the closed forms of the two processes."""

import mpmath
import pytest
import torch

from probgen.distributions.chains import (
    BetaTable,
    LinearRate,
    linear_schedule,
    sub_variance_preserving_schedule,
    transition_coefficients,
    variance_preserving_schedule,
)

DENSE = torch.tensor([1e-9, 1e-6, 1e-3, 0.3, 0.7, 1 - 1e-6, 1.0], dtype=torch.float64)


def test_published_linear_chain():
    schedule = linear_schedule(1000)
    assert schedule.steps == 1000
    assert schedule.alpha(1.0).item() == pytest.approx(0.00635, abs=5e-6)
    assert schedule.sigma(1.0).item() ** 2 == pytest.approx(0.99996, abs=5e-6)


def test_own_times_reproduce_every_beta():
    """The chain's variances come back from the levels to 1e-13, first to last: no cancellation near the data."""
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    schedule, times = BetaTable(betas), torch.arange(1001, dtype=torch.float64) / 1000
    found = transition_coefficients(schedule.level(times[:-1]), schedule.level(times[1:]))
    assert torch.allclose(found.variance, betas, rtol=1e-12)
    assert torch.allclose(found.scale, (1 - betas).sqrt(), rtol=1e-13)


def test_signal_near_the_data_against_high_precision():
    """A table of float32 products is wrong by 1.7e-4 in 1 - alpha^2 at the first step; ours is right to 1e-14."""
    betas, schedule = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), linear_schedule(1000)
    with mpmath.workdps(50):
        product = mpmath.mpf(1)
        for index, beta in enumerate(betas.tolist(), 1):
            product *= 1 - mpmath.mpf(beta)
            if index in (1, 2, 10, 500, 1000):
                level = schedule.level(index / 1000)
                assert float(level.sigma.item() ** 2 / (1 - product) - 1) == pytest.approx(0.0, abs=1e-13)
                assert float(level.log_snr.item() - mpmath.log(product / (1 - product))) == pytest.approx(0, abs=1e-13)
    single = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float32)
    naive = 1 - (1 - single).cumprod(0)
    assert abs(naive[0].item() / 1e-4 - 1) > 1e-4  # the bug that this test would see


def test_rate_is_constant_within_a_step():
    schedule = BetaTable([0.1, 0.5])
    t = torch.tensor([0.1, 0.3, 0.49, 0.6, 0.9], dtype=torch.float64)
    rate = -2 * torch.log1p(-torch.tensor([0.1, 0.1, 0.1, 0.5, 0.5], dtype=torch.float64))
    assert torch.allclose(schedule.squared_diffusion(t), rate)
    assert torch.allclose(schedule.drift(t), -rate / 2)


@pytest.mark.parametrize("betas", [[], [0.0, 0.1], [0.5, 1.0], [[0.1]], [float("nan")]])
def test_betas_that_are_none(betas):
    with pytest.raises(ValueError, match="`betas` must be a non-empty list of variances"):
        BetaTable(betas)


def test_variance_preserving_process():
    """f = -beta / 2 and g^2 = beta, with beta rising linearly."""
    schedule, t = variance_preserving_schedule(0.1, 20.0), torch.linspace(0.01, 1, 9, dtype=torch.float64)
    beta = 0.1 + 19.9 * t
    assert torch.allclose(schedule.drift(t), -beta / 2, rtol=1e-12)
    assert torch.allclose(schedule.squared_diffusion(t), beta, rtol=1e-12)
    assert torch.allclose(schedule.alpha(t).square() + schedule.sigma(t).square(), torch.ones(9, dtype=torch.float64))


def test_sub_variance_preserving_process():
    """Same signal, noise sigma = 1 - alpha^2, and g^2 = beta (1 - exp(-2 B))."""
    schedule, t = sub_variance_preserving_schedule(0.1, 20.0), torch.linspace(0.01, 1, 9, dtype=torch.float64)
    beta, attenuation = 0.1 + 19.9 * t, 0.1 * t + 9.95 * t.square()
    assert torch.allclose(schedule.alpha(t), variance_preserving_schedule(0.1, 20.0).alpha(t), rtol=1e-13)
    assert torch.allclose(schedule.sigma(t), -torch.expm1(-attenuation), rtol=1e-12)
    assert torch.allclose(schedule.drift(t), -beta / 2, rtol=1e-12)
    assert torch.allclose(schedule.squared_diffusion(t), -beta * torch.expm1(-2 * attenuation), rtol=1e-11)


@pytest.mark.parametrize("sub", [False, True])
def test_processes_against_high_precision(sub):
    schedule = LinearRate(0.1, 20.0, sub=sub)
    for t in DENSE.tolist():
        level = schedule.level(t)
        with mpmath.workdps(40):
            attenuation = mpmath.mpf(0.1) * t + (mpmath.mpf(20.0) - mpmath.mpf(0.1)) * mpmath.mpf(t) ** 2 / 2
            alpha, lost = mpmath.exp(-attenuation / 2), -mpmath.expm1(-attenuation)
            sigma = lost if sub else mpmath.sqrt(lost)
            assert float(level.alpha.item() / alpha - 1) == pytest.approx(0, abs=1e-14)
            assert float(level.sigma.item() / sigma - 1) == pytest.approx(0, abs=1e-13)
            assert float(level.log_snr.item() - 2 * mpmath.log(alpha / sigma)) == pytest.approx(0, abs=1e-13 * 40)


def test_without_any_rate_at_the_data():
    schedule = LinearRate(0.0, 10.0)
    t = torch.tensor([1e-4, 0.5], dtype=torch.float64)
    assert torch.allclose(schedule.t_of_log_snr(schedule.log_snr(t)), t, rtol=1e-10)


@pytest.mark.parametrize("rates", [(-1.0, 1.0), (1.0, -1.0), (0.0, 0.0)])
def test_rates_that_are_none(rates):
    with pytest.raises(ValueError, match="rates must be non-negative and not both zero"):
        LinearRate(*rates)

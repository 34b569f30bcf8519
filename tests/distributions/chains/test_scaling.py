"""Scalings: the identities of signal and noise, to full relative precision over the whole range of log-SNR."""

import mpmath
import pytest
import torch

from probgen.distributions.chains.scaling import SCALINGS, SIGNAL_SLOPES, Scaling

LOG_SNR = torch.tensor([-700.0, -40.0, -1.0, 0.0, 1e-8, 3.0, 40.0, 700.0], dtype=torch.float64)
IDENTITY = {
    "variance preserving": lambda alpha, sigma: alpha**2 + sigma**2,
    "sub-variance preserving": lambda alpha, sigma: alpha**2 + sigma,
    "variance exploding": lambda alpha, sigma: alpha,
    "linear": lambda alpha, sigma: alpha + sigma,
}


def test_names_are_those_of_the_type():
    assert set(SCALINGS) == set(SIGNAL_SLOPES) == set(Scaling.__args__) == set(IDENTITY)


@pytest.mark.parametrize("name", sorted(SCALINGS))
def test_identity_and_ratio(name):
    log_alpha, log_sigma = SCALINGS[name](LOG_SNR)
    assert torch.allclose(2 * (log_alpha - log_sigma), LOG_SNR, rtol=1e-14, atol=1e-13)
    assert torch.allclose(IDENTITY[name](log_alpha.exp(), log_sigma.exp()), torch.ones_like(LOG_SNR), rtol=1e-14)


@pytest.mark.parametrize("name", sorted(SCALINGS))
def test_slope_of_the_signal_is_its_derivative(name):
    log_snr = LOG_SNR.clone().requires_grad_()
    log_alpha = SCALINGS[name](log_snr)[0]
    slope = torch.autograd.grad(log_alpha.sum(), log_snr)[0] if name != "variance exploding" else torch.zeros_like(LOG_SNR)
    assert torch.allclose(SIGNAL_SLOPES[name](LOG_SNR), slope, rtol=1e-12, atol=1e-150)


@pytest.mark.parametrize("log_snr", LOG_SNR.tolist())
def test_small_numbers_are_exact(log_snr):
    """-log alpha near the data and log sigma everywhere, against forty digits."""
    log_alpha, log_sigma = (value.item() for value in SCALINGS["sub-variance preserving"](torch.tensor(log_snr).double()))
    with mpmath.workdps(700):
        sigma = 2 / (1 + mpmath.sqrt(1 + 4 * mpmath.exp(mpmath.mpf(log_snr))))
        assert float(log_sigma - mpmath.log(sigma)) == pytest.approx(0, abs=1e-12)
        assert float(log_alpha / (mpmath.log(1 - sigma) / 2) - 1) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", sorted(SCALINGS))
def test_limits(name):
    log_alpha, log_sigma = SCALINGS[name](torch.tensor([torch.inf, -torch.inf], dtype=torch.float64))
    assert log_alpha[0].item() == 0.0
    assert log_sigma[0].item() == -torch.inf
    if name != "variance exploding":
        assert log_alpha[1].item() == -torch.inf
        assert log_sigma[1].item() == 0.0

"""The cosine and the sigmoid schedule: published values, accuracy at both ends, zero terminal signal."""

import math

import mpmath
import pytest
import torch

from probgen.distributions.chains import CosineSchedule, SigmoidSchedule, cosine_schedule, sigmoid_schedule

TIMES = [1e-12, 1e-9, 1e-6, 1e-3, 0.2, 0.5, 0.9, 1 - 1e-6, 1 - 1e-9]


def test_cosine_is_that_of_its_authors():
    schedule, t = CosineSchedule(terminal_log_snr=None), torch.linspace(0, 1, 11, dtype=torch.float64)
    f = torch.cos((t + 0.008) / 1.008 * math.pi / 2).square()
    assert torch.allclose(schedule.alpha(t).square(), f / f[0], atol=1e-15)


@pytest.mark.parametrize("t", TIMES)
def test_cosine_against_high_precision(t):
    level = CosineSchedule(terminal_log_snr=None).level(t)
    with mpmath.workdps(50):
        s = mpmath.mpf(0.008)
        signal = (mpmath.cos((t + s) / (1 + s) * mpmath.pi / 2) / mpmath.cos(s / (1 + s) * mpmath.pi / 2)) ** 2
        assert float(level.alpha.item() ** 2 / signal - 1) == pytest.approx(0, abs=1e-12)
        assert float(level.sigma.item() ** 2 / (1 - signal) - 1) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("t", TIMES)
def test_sigmoid_against_high_precision(t):
    level = SigmoidSchedule(-3.0, 3.0, 0.9, terminal_log_snr=None).level(t)
    with mpmath.workdps(50):
        low, high = mpmath.mpf(-3.0 / 0.9), mpmath.mpf(3.0 / 0.9)
        logistic = lambda x: 1 / (1 + mpmath.exp(-x))  # noqa: E731
        signal = (logistic(high) - logistic(low + t * (high - low))) / (logistic(high) - logistic(low))
        assert float(level.alpha.item() ** 2 / signal - 1) == pytest.approx(0, abs=1e-12)
        assert float(level.sigma.item() ** 2 / (1 - signal) - 1) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("make", [cosine_schedule, sigmoid_schedule])
def test_time_is_rescaled_to_end_where_asked(make):
    for end in (-6.0, -20.0):
        assert make(terminal_log_snr=end).log_snr(1.0).item() == pytest.approx(end, abs=1e-7)
    assert make(terminal_log_snr=None).alpha(1.0).item() == 0.0
    early = torch.tensor(0.3, dtype=torch.float64)
    assert make().alpha(early).item() == pytest.approx(make(terminal_log_snr=None).alpha(early).item(), abs=1e-3)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="`offset` must be at least 0"):
        CosineSchedule(-0.1)
    with pytest.raises(ValueError, match="`end` must lie above `start`"):
        SigmoidSchedule(1.0, 1.0)
    with pytest.raises(ValueError, match="`temperature` above 0"):
        SigmoidSchedule(temperature=0.0)

"""Corruptions: their moments, their ends, their errors."""

import pytest
import torch

from probgen.vae import MaskingCorruption, NormalCorruption


@pytest.mark.statistical(false_alarm=1e-9)
def test_moments():
    """Means of 40 000 draws within 6.2 standard errors."""
    x = torch.full((40_000,), 2.0, dtype=torch.float64)
    noise = NormalCorruption(0.5)(x) - x
    assert abs(noise.mean()) < 6.2 * 0.5 / 200
    assert abs(noise.square().mean() / 0.25 - 1) < 6.2 * 2**0.5 / 200
    lost = (MaskingCorruption(0.3, value=-1.0)(x) == -1.0).double()
    assert abs(lost.mean() - 0.3) < 6.2 * 0.21**0.5 / 200


def test_masked_or_kept():
    x = torch.arange(100.0).reshape(10, 10)
    masked = MaskingCorruption(0.5, value=-1.0)(x)
    assert bool(((masked == x) | (masked == -1.0)).all())


def test_ends():
    x = torch.randn(4, 3)
    assert torch.equal(NormalCorruption(0.0)(x), x)
    assert torch.equal(MaskingCorruption(0.0)(x), x)
    assert torch.equal(MaskingCorruption(1.0)(x), torch.zeros(4, 3))
    assert NormalCorruption(1.0)(x[:0]).shape == (0, 3)


def test_printed():
    assert str(NormalCorruption(0.5)) == "NormalCorruption(scale=0.5)"
    assert str(MaskingCorruption(0.5)) == "MaskingCorruption(rate=0.5, value=0.0)"


@pytest.mark.parametrize("scale", [-1.0, float("nan"), float("inf")])
def test_scale_is_checked(scale):
    with pytest.raises(ValueError, match="`scale` must be finite and not negative"):
        NormalCorruption(scale)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_rate_is_checked(rate):
    with pytest.raises(ValueError, match=r"`rate` must lie in \[0, 1\]"):
        MaskingCorruption(rate)

"""Bits per dimension against closed forms."""

import math

import pytest
import torch

from probgen.distributions import Quantization
from probgen.metrics import bits_per_dim, cross_entropy, mean_and_error


@pytest.mark.statistical(false_alarm=2e-9)
def test_gaussian_entropy():
    """For a standard normal the mean is log2(2 pi e) / 2; 6 standard errors, false alarm 2e-9."""
    x = torch.randn(20_000, 4, dtype=torch.float64)
    result = bits_per_dim(torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(-1), 4)
    assert abs(result.mean - 0.5 * math.log2(2 * math.pi * math.e)) < 6 * result.error
    assert result.error < 0.01


def test_rescaling_to_levels_is_a_change_of_variables():
    """A density on [0, L)^D, rescaled to the unit cube, gives the same bits for the integers."""
    levels, dims = 17, 3
    v = torch.rand(50, dims, dtype=torch.float64) * levels
    wide = torch.distributions.Normal(8.0, 3.0)
    on_cube = wide.log_prob(v).sum(-1) + dims * math.log(levels)
    assert bits_per_dim(on_cube, dims, levels=levels).mean == pytest.approx(bits_per_dim(wide.log_prob(v).sum(-1), dims).mean)


def test_standard_error_shrinks_like_the_root():
    values = torch.tensor([0.0, 1.0] * 50)
    assert mean_and_error(values).error == pytest.approx(0.5 / math.sqrt(99))


def test_errors():
    with pytest.raises(ValueError, match="at least 2"):
        mean_and_error(torch.ones(1))
    with pytest.raises(ValueError, match="dims"):
        bits_per_dim(torch.ones(3), 0)


def test_levels_may_stand_on_any_interval():
    log_prob = torch.randn(20, dtype=torch.float64)
    number = bits_per_dim(log_prob, 3, levels=256)
    assert number.mean == pytest.approx(bits_per_dim(log_prob, 3, levels=Quantization.from_cells(256)).mean, abs=1e-12)
    bare = bits_per_dim(log_prob, 3)
    assert bits_per_dim(log_prob, 3, levels=Quantization(256, -1.0, 1.0)).mean == pytest.approx(bare.mean + math.log2(127.5))


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_cross_entropy_is_the_mean_cost_however_it_is_cut(rows):
    torch.manual_seed(0)
    x, scale, sizes = torch.randn(20, 3), torch.ones(3, requires_grad=True), []

    def log_prob(part):
        sizes.append(len(part))
        return torch.distributions.Normal(0.0, scale).log_prob(part).sum(-1)

    found = cross_entropy(log_prob, x, rows=rows)
    expected = 1.5 * math.log(2 * math.pi) + 0.5 * x.square().sum(-1)
    assert found == pytest.approx((expected.mean().item(), expected.std().item() / math.sqrt(20)), rel=1e-5)
    assert max(sizes) == min(rows, 20)
    with pytest.raises(ValueError, match="`rows` must be at least 1; got 0"):
        cross_entropy(log_prob, x, rows=0)

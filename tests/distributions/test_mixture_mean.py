"""Mean colors: sums over levels, their integrals, and the representation of earlier colors."""

import pytest
import torch

from probgen.distributions import DiscretizedLogistic, DiscretizedLogisticMixture, Quantization
from probgen.distributions._mixture_mean import expected_center, expected_colors


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_sum_of_tails_is_the_mean(dtype):
    levels = Quantization(40, -3.0, 5.0)
    loc = torch.tensor([-1e3, -3.0, 0.2, 5.0, 40.0], dtype=dtype)[:, None]
    law = DiscretizedLogistic(loc, torch.tensor([1e-6, 0.1, 1.0, 1e4], dtype=dtype), levels)
    assert torch.allclose(expected_center(law), law.mean, atol=2e-4 if dtype == torch.float32 else 1e-12)


def test_the_integral_is_exact_for_scales_above_a_width_and_half_a_width_off_below():
    levels = Quantization(64, -1.0, 1.0)
    loc = torch.linspace(-1.5, 1.5, 61, dtype=torch.float64)[:, None]
    wide = DiscretizedLogistic(loc.clamp(-0.5, 0.5), torch.tensor([1.0, 1.5]).double() * levels.width, levels)
    assert torch.allclose(expected_center(wide, exact=False), expected_center(wide), atol=1e-8)
    narrow = DiscretizedLogistic(loc, torch.tensor([1e-9, 0.3 * levels.width, 1e3, 1e8]).double(), levels)
    gap = (expected_center(narrow, exact=False) - expected_center(narrow)).abs()
    assert float(gap.max()) <= 0.5 * levels.width * (1 + 1e-6)


def by_enumeration(law):
    pixels = law.enumerate_support()
    return (law.log_prob(pixels).exp().unsqueeze(-1) * pixels).sum(0)


def mixture(levels, channels, scale):
    generator = torch.Generator().manual_seed(5)
    shape, pairs = (2, 4, channels), channels * (channels - 1) // 2
    return DiscretizedLogisticMixture(
        torch.randn(2, 4, generator=generator).double(),
        torch.randn(shape, generator=generator).double(),
        torch.full(shape, scale).double(),
        levels,
        coefficients=torch.randn(2, 4, pairs, generator=generator).double(),
    )


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("scale", [0.01, 0.3, 3.0])
def test_few_levels_are_enumerated_exactly(channels, scale):
    law = mixture(Quantization(5, -1.0, 1.0), channels, scale)
    assert torch.allclose(law.mean, by_enumeration(law), atol=1e-13)


@pytest.mark.parametrize("scale", [0.01, 0.1, 0.5, 2.0])
def test_many_levels_are_within_a_hundredth_of_the_range(scale):
    law = mixture(Quantization(40, -1.0, 1.0), 3, scale)
    assert float((law.mean - by_enumeration(law)).abs().max()) < 0.02


def test_independent_colors_are_exact():
    levels = Quantization(30, 0.0, 1.0)
    loc = torch.tensor([[0.1, 0.8], [0.5, 2.0]])
    laws = [DiscretizedLogistic(loc[0], 0.2, levels), DiscretizedLogistic(loc[1], 0.01, levels)]
    found = expected_colors(lambda channel, earlier: laws[channel], 2, dependent=False)
    assert torch.allclose(found, torch.stack([law.mean for law in laws], -1), atol=1e-6)

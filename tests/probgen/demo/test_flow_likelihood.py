"""The probability flow on Gaussian data: its density is known, and both ways to leave the levels bound the code length."""

import math

import pytest
import torch

from probgen.demo import FlowBits, flow_bits, flow_log_prob
from probgen.diffusion import Diffusion, TimeGrid, cosine_schedule
from probgen.distributions import Quantization
from probgen.distributions.chains import DiscretizedDecoder, GaussianDenoiser

LEVELS = Quantization(17, -1.0, 1.0)


@pytest.fixture(scope="module")
def diffusion():
    schedule = cosine_schedule()
    oracle = GaussianDenoiser(schedule, torch.zeros(3).double(), torch.tensor(0.25).double())
    return Diffusion(oracle, schedule, (3,), TimeGrid.log_snr(schedule, 100, 0.02, 0.999), decoder=DiscretizedDecoder(LEVELS))


def test_density_at_the_stop(diffusion):
    torch.manual_seed(0)
    level = diffusion.schedule.level(0.02)
    std = float(torch.sqrt(0.25 * level.alpha**2 + level.sigma**2))
    x = std * torch.randn(20, 3).double()
    exact = torch.distributions.Normal(0.0, std).log_prob(x).sum(-1)
    assert torch.allclose(flow_log_prob(diffusion, x, None, 0.02, steps=40, rows=7), exact, atol=1e-4)


def test_both_bound_the_entropy_of_the_levels_and_are_near(diffusion):
    """Levels of a fine-grained normal law have nearly the entropy of the density; neither bound is below it."""
    torch.manual_seed(1)
    x = LEVELS.snap((0.5 * torch.randn(1000, 3)).double().clamp(-1, 1))
    entropy = (0.5 * math.log(2 * math.pi * math.e * 0.25) - math.log(LEVELS.width)) / math.log(2)
    found = flow_bits(diffusion, x, None, LEVELS, steps=10)
    assert isinstance(found, FlowBits)
    for bits in (found.uniform, found.decoder):
        assert -0.05 < bits.mean - entropy < 0.5
    assert found.uniform_stop >= found.decoder_stop
    assert flow_bits(diffusion, x, None, LEVELS, steps=10).decoder == found.decoder


def test_a_decoder_is_needed(diffusion):
    bare = Diffusion(diffusion.denoiser, diffusion.schedule, (3,), diffusion.grid)
    with pytest.raises(ValueError, match="decoder"):
        flow_bits(bare, torch.zeros(2, 3).double(), None, LEVELS)

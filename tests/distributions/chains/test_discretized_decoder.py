"""The decoder of integers: mass one, the byte's floor, its default scale."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import Quantization
from probgen.distributions.chains import Denoised, DiscretizedDecoder, linear_schedule

BYTES = Quantization(256, -1.0, 1.0)


def denoised(mean):
    return Denoised(dist.Delta(mean, event_dim=1), mean, linear_schedule().level(0.001))


@pytest.mark.parametrize("scale", [None, 0.002, 1.0])
def test_masses_sum_to_one_for_any_mean(scale):
    centers = BYTES.centers(torch.float64)
    for mean in (-3.0, 0.1234, 0.999):
        law = DiscretizedDecoder(BYTES, scale)(denoised(torch.full((1,), mean).double()))
        assert abs(law.log_prob(centers.unsqueeze(-1)).exp().sum() - 1) < 1e-13


@pytest.mark.parametrize(("scale", "bits"), [(None, 1.713), (0.00738, 1.305)])
def test_the_floor_of_a_byte(scale, bits):
    x = BYTES.decode(torch.tensor([100, 30])).double()
    law = DiscretizedDecoder(BYTES, scale)(denoised(x))
    assert law.event_shape == (2,)
    assert abs(-law.log_prob(BYTES.snap(x)) / (2 * math.log(2)) - bits) < 5e-4


def test_gradients_survive_far_away():
    mean = torch.full((1,), -0.9, requires_grad=True)
    DiscretizedDecoder(BYTES, 0.005)(denoised(mean)).log_prob(torch.ones(1)).backward()
    assert mean.grad.isfinite().all()
    assert mean.grad > 0


def test_errors():
    with pytest.raises(TypeError, match="Quantization"):
        DiscretizedDecoder(256)
    with pytest.raises(ValueError, match="`scale`"):
        DiscretizedDecoder(BYTES, 0.0)
    assert repr(DiscretizedDecoder(BYTES, 0.5)).endswith("scale=0.5)")

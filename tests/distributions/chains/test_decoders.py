"""The last step: which law of the data a decoder makes of what the denoiser says."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions.chains import Denoised, NormalDecoder, cosine_schedule, default_decoder, linear_schedule
from probgen.distributions.chains.decoders import Decoder


def point(t=0.001, shape=(4, 1, 2)):
    mean = torch.randn(shape)
    return Denoised(dist.Delta(mean, event_dim=len(shape) - 1), torch.randn(shape), linear_schedule().level(t))


def test_normal_decoder_has_the_spread_of_unit_data():
    """At the first step of the published chain: the root of beta_1."""
    denoised = point()
    law = NormalDecoder()(denoised)
    assert torch.equal(law.mean, denoised.mean)
    assert torch.allclose(law.stddev, torch.tensor(0.01), rtol=1e-5)
    assert law.event_shape == (1, 2)


def test_normal_decoder_of_a_given_scale():
    law = NormalDecoder(0.3)(point())
    assert torch.allclose(law.stddev, torch.tensor(0.3))
    assert repr(NormalDecoder(0.3)) == "NormalDecoder(0.3)"
    assert repr(NormalDecoder()) == "NormalDecoder()"


def test_default_decoder_asks_whether_the_law_has_a_density():
    decoder: Decoder = default_decoder
    assert decoder(point()).log_prob(torch.zeros(4, 1, 2)).shape == (4,)
    law = dist.Normal(torch.zeros(2), 0.1).to_event(1)
    assert decoder(Denoised(law, torch.zeros(2), cosine_schedule().level(0.01))) is law


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_scale_must_be_positive(scale):
    with pytest.raises(ValueError, match="`scale` must be positive"):
        NormalDecoder(scale)

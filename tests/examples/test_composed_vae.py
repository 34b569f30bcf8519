"""A flow prior and a pixel decoder make one law: mass by enumeration and quadrature; what a narrow decoder sees."""

import pytest
import torch

from probgen.distributions import standard_normal
from tests.examples.loading import load


@pytest.fixture(scope="module")
def example():
    return load("composed_vae")


@pytest.fixture(scope="module")
def tiny(example):
    """A model of 2x2 images with two latents, away from where it starts."""
    parts = example.Parts(flow_prior=True, pixels=True, narrow=True)
    vae = example.build(parts, (2, 2), 2, torch.zeros(2, 2)).double()
    for part in (vae.prior_modules, vae.decoder):
        for parameter in part.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
    return vae.requires_grad_(requires_grad=False)


def exact(vae, images):
    """log p(x) by a grid of the noise behind the flow, which takes no density of the flow."""
    axis = torch.linspace(-6, 6, 61, dtype=torch.float64)
    noise = torch.cartesian_prod(axis, axis)
    weight = standard_normal(2).log_prob(noise) + 2 * (axis[1] - axis[0]).log()
    given = vae.decode(vae.prior.bijector(noise)[:, None]).log_prob(images)
    return (weight[:, None] + given).logsumexp(0)


def test_the_whole_has_mass_one_and_the_estimates_are_of_it(tiny):
    torch.manual_seed(0)
    images = tiny.decode(torch.zeros(2).double()).enumerate_support()
    log_p = exact(tiny, images)
    assert len(images) == 16
    torch.testing.assert_close(log_p.exp().sum(), torch.ones(()).double(), atol=1e-6, rtol=0)
    estimate = tiny.distribution().log_prob_estimate(images, 1000, draws_at_once=500)
    torch.testing.assert_close(estimate.value, log_p, atol=0.3, rtol=0)
    assert (tiny.distribution().elbo(images, 100, closed_form=False) < log_p).all()


def interaction(law, first, last):
    """How the log-odds of the last pixel change with an earlier one."""
    images = torch.zeros(2, 2, *law.event_shape, dtype=torch.float64)
    images[1, :, first[0], first[1]] = 1.0
    images[:, 1, last[0], last[1]] = 1.0
    value = law.log_prob(images.unsqueeze(2)).squeeze(-1).detach()
    return float((value[1, 1] - value[1, 0] - value[0, 1] + value[0, 0]).abs())


def test_a_narrow_decoder_sees_the_nearest_pixels_and_the_code(example):
    torch.manual_seed(0)
    z = torch.randn(1, 3).double()
    narrow, wide = (example.PixelDecoder(3, (4, 4), narrow=kind).double() for kind in (True, False))
    assert interaction(narrow(z), (0, 0), (3, 3)) < 1e-12
    assert interaction(narrow(z), (3, 2), (3, 3)) > 1e-6
    assert interaction(narrow(z), (2, 2), (3, 3)) > 1e-6
    assert interaction(wide(z), (0, 0), (3, 3)) > 1e-9
    x = torch.zeros(4, 4).double()
    assert not torch.equal(narrow(z).log_prob(x), narrow(z + 1).log_prob(x))


def test_codes_of_any_batch(example):
    decoder = example.PixelDecoder(3, (4, 4))
    assert decoder(torch.zeros(3)).batch_shape == ()
    assert decoder(torch.zeros(5, 2, 3)).batch_shape == (5, 2)
    assert decoder(torch.zeros(5, 2, 3)).log_prob(torch.zeros(2, 4, 4)).shape == (5, 2)

"""Learned priors: the aggregate posterior as a special case, shared encoders, and what training moves."""

import copy
import math

import pyro.distributions as dist
import pytest
import torch

import probgen as pg
from probgen.distributions import standard_normal
from probgen.distributions.bijectors import Affine
from probgen.distributions.elements import BernoulliElement, NetworkLaw, NormalElement
from probgen.distributions.latent import FlowPrior, MixturePrior, VampPrior, aggregate_posterior, rate_terms


def encode(x):
    return dist.Normal(x, 0.3).to_event(1)


def test_with_the_data_as_pseudo_inputs_it_is_the_aggregate_posterior():
    """N = 50, s = 0.3: the rate is then the mutual information, 2.3 nats of at most log 50 = 3.912."""
    torch.manual_seed(0)
    data = torch.randn(50, 1, dtype=torch.float64)
    prior = VampPrior(encode, data)()
    z = torch.linspace(-3, 3, 9, dtype=torch.float64).unsqueeze(-1)
    torch.testing.assert_close(prior.log_prob(z), aggregate_posterior(encode(data)).log_prob(z))
    terms = rate_terms(encode(data), prior, num_draws=200, rows=500)
    torch.testing.assert_close(terms.rate.value, terms.mutual_information.value)
    assert abs(float(terms.marginal_divergence.value.detach())) < 1e-12
    assert 1.0 < float(terms.rate.value) < math.log(50)
    elsewhere = rate_terms(encode(data), standard_normal(1), num_draws=200, rows=500)
    assert float(elsewhere.rate.value) > float(terms.rate.value)


def test_one_pseudo_input_is_one_normal_law():
    prior = VampPrior(encode, torch.full((1, 2), 0.7))()
    z = torch.randn(5, 2)
    torch.testing.assert_close(prior.log_prob(z), encode(torch.full((2,), 0.7)).log_prob(z))


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize("make", [lambda: VampPrior(encode, torch.tensor([[-2.0], [1.0]])), lambda: MixturePrior(3, 1)])
def test_mixtures_draw_what_they_score(make):
    """20 000 draws: mean and variance within 6 standard errors of quadrature."""
    torch.manual_seed(0)
    law = make()()
    z = torch.linspace(-12, 12, 20_001).unsqueeze(-1)
    mass = law.log_prob(z).exp()
    assert abs(float(torch.trapezoid(mass, z[:, 0]).detach()) - 1) < 1e-4
    mean = torch.trapezoid(mass * z[:, 0], z[:, 0]).detach()
    variance = torch.trapezoid(mass * (z[:, 0] - mean) ** 2, z[:, 0]).detach()
    drawn = law.sample((20_000,))
    assert abs(float(drawn.mean() - mean)) < 6 * float(variance.sqrt()) / math.sqrt(20_000)
    fourth = (drawn - mean).square()
    assert abs(float(fourth.mean() - variance)) < 6 * float(fourth.std()) / math.sqrt(20_000)


def model(make_prior):
    encoder = NetworkLaw(pg.nn.MLP(5, 4, hidden=(8,)), NormalElement(), event_shape=(2,), input_shape=(5,))
    decoder = NetworkLaw(pg.nn.MLP(2, 5, hidden=(8,)), BernoulliElement(), event_shape=(5,), input_shape=(2,))
    return pg.vae.VAE(make_prior(encoder), decoder, encoder)


def vamp(encoder):
    return VampPrior(encoder, torch.rand(7, 5), interval=(0.0, 1.0), learned_weights=True)


def mixture(encoder):
    return MixturePrior(4, 2)


def flow(encoder):
    return FlowPrior(standard_normal(2), pg.flows.masked_autoregressive_flow(2, layers=2, hidden=(8,)))


@pytest.mark.parametrize("make", [vamp, mixture, flow])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_they_train_with_the_model(make, dtype):
    """The autoregressive prior of continuous latents is the flow with a masked autoregressive bijector."""
    torch.manual_seed(0)
    vae = model(make).to(dtype)
    x = (torch.rand(16, 5) < 0.5).to(dtype)
    before = [parameter.detach().clone() for parameter in vae.prior.parameters()]
    pg.infer.fit(vae.loss(), [x] * 3, lambda p: torch.optim.Adam(p, lr=0.01), progress=False)
    assert before
    assert all(not torch.equal(old, new) for old, new in zip(before, vae.prior.parameters(), strict=True))
    law = vae.distribution()
    assert law.sample((3,)).shape == (3, 5)
    assert law.sample().dtype == dtype
    assert law.log_prob_estimate(x, 4).value.shape == (16,)
    assert law.elbo(x[:0]).shape == (0,)


def test_the_encoder_is_shared_not_copied():
    vae = model(vamp)
    assert vae.prior.encoder is vae.encoder
    assert copy.deepcopy(vae).prior.encoder is not vae.encoder
    copied = copy.deepcopy(vae)
    assert copied.prior.encoder is copied.encoder
    assert len(list(vae.parameters())) == len(list(vae.encoder.parameters())) + len(list(vae.decoder.parameters())) + 2
    fresh = model(vamp)
    fresh.load_state_dict(vae.state_dict())
    z = torch.randn(3, 2)
    torch.testing.assert_close(fresh.prior().log_prob(z), vae.prior().log_prob(z))


def test_pseudo_inputs_stay_in_the_interval():
    prior = VampPrior(lambda x: dist.Normal(x, 1e-3).to_event(1), torch.tensor([[-5.0], [9.0]]), interval=(0.0, 1.0))
    assert sorted({round(value, 1) for value in prior().sample((50,)).flatten().tolist()}) == [0.0, 1.0]
    assert prior.logits.requires_grad is False
    assert VampPrior(encode, torch.zeros(2, 1, dtype=torch.uint8)).pseudo_inputs.dtype == torch.float32


def test_flow_prior_is_the_flow():
    prior = FlowPrior(standard_normal(2), Affine(torch.tensor(1.0), torch.tensor(2.0)))
    z = torch.randn(4, 2)
    torch.testing.assert_close(prior().log_prob(z), dist.Normal(torch.ones(2), 2.0).to_event(1).log_prob(z))


def test_misuse():
    with pytest.raises(ValueError, match=r"`pseudo_inputs` must be \[K, \*event\]"):
        VampPrior(encode, torch.zeros(0, 2))
    with pytest.raises(ValueError, match="`interval` must go from"):
        VampPrior(encode, torch.zeros(2, 2), interval=(1.0, 1.0))
    with pytest.raises(ValueError, match="`num_components` must be at least 1; got 0"):
        MixturePrior(0, 2)
    assert MixturePrior(2, (3, 4))().event_shape == (3, 4)

"""A diffusion law as a prior: the gain that the closed form says, mass one, and objectives that leave the encoder alone."""

import math

import pyro.distributions as dist
import pytest
import torch
from torch import nn

import probgen as pg
from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine
from probgen.distributions.chains import GaussianDenoiser, cosine_schedule
from probgen.distributions.elements import BernoulliElement, NetworkLaw
from tests.examples.loading import load


@pytest.fixture(scope="module")
def example():
    return load("diffusion_prior")


class Linear(nn.Module):
    """x -> N(gain x, std^2)."""

    def __init__(self, gain, std):
        super().__init__()
        self.gain, self.std = gain, std

    def forward(self, x):
        return dist.Normal(self.gain * x, torch.full_like(x, self.std)).to_event(1)


def flow_of(variance, size=1):
    """The probability flow of data N(0, variance), as a law."""
    oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(size).double(), torch.tensor(variance).double())
    return TransformedDistribution(standard_normal(size), pg.diffusion.probability_flow(oracle))


def test_the_bound_gains_the_divergence_of_the_codes_from_the_old_prior():
    """Data N(0, v), encoder N(ax, s^2): codes N(0, c), c = a^2 v + s^2; the gain is KL(N(0, c) || N(0, 1)) on average."""
    v, a, s = 2.0, 0.9, 0.4
    c = a**2 * v + s**2
    nodes = torch.linspace(-14, 14, 2001, dtype=torch.float64)[:, None]
    weight = dist.Normal(0.0, v**0.5).log_prob(nodes).exp().squeeze(-1) * (nodes[1] - nodes[0])
    unit = torch.tensor([-1.0, 1.0]).double()  # two draws of the code stand for N(ax, s^2): quadratic functions are exact
    codes = a * nodes + s * unit
    new, old = (law.log_prob(codes.reshape(-1, 1)).reshape(codes.shape).mean(-1) for law in (flow_of(c), standard_normal(1)))
    assert float((weight * (new - old)).sum()) == pytest.approx(0.5 * (c - 1 - math.log(c)), abs=2e-4)


def test_a_vae_with_the_flow_as_its_prior_has_the_bound_of_the_normal_law():
    decoder, encoder = Linear(1.0, 0.7), Linear(0.5, 0.6)
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    bounds = []
    for prior in (flow_of(1.7), dist.Normal(torch.zeros(1).double(), 1.7**0.5).to_event(1)):
        torch.manual_seed(0)
        vae = pg.vae.VAE(prior, decoder, encoder, event_shape=(1,)).double()
        bounds.append(vae.distribution().elbo(x, 3, closed_form=False))
    torch.testing.assert_close(*bounds, atol=2e-3, rtol=0)


def test_the_whole_has_mass_one():
    """Two binary pixels, codes on a line whose law is a probability flow in units of its own."""
    torch.manual_seed(0)
    prior = TransformedDistribution(standard_normal(1), flow_of(1.7).bijector >> Affine(0.3, 1.4))
    decoder = NetworkLaw(nn.Linear(1, 2), BernoulliElement(), (2,), (1,)).double()
    z = torch.linspace(-15, 15, 1501, dtype=torch.float64)[:, None]
    x = torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0)).double()
    with torch.no_grad():
        joint = prior.log_prob(z)[:, None] + decoder(z[:, None]).log_prob(x)
    assert float(joint.exp().sum() * (z[1] - z[0])) == pytest.approx(1.0, abs=1e-3)


def test_losses_of_codes_train_the_prior_alone(example):
    torch.manual_seed(0)
    encoder = pg.vae.mlp_vae((8, 8), 2, hidden=(8,)).encoder
    flow = example.FlowPrior(standard_normal(2), Affine(shape=(2,)))
    loss = example.OnCodes(example.MaximumLikelihood(flow), encoder, Affine(torch.zeros(2), torch.ones(2)))
    (player,) = loss.players.values()
    assert {id(p) for p in player.parameters} == {id(p) for p in flow.parameters()}
    loss(torch.rand(5, 8, 8)).backward()
    assert all(p.grad is None for p in encoder.parameters())
    assert all(p.grad is not None for p in flow.parameters())

"""Latent diffusion against a linear Gaussian model, where everything is known; the two stages; the programs."""

import copy
import pickle

import pyro.distributions as dist
import pytest
import torch
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch.distributions import kl_divergence

import probgen as pg
from probgen.diffusion import (
    AutoencoderLoss,
    Diffusion,
    LatentDenoisingLoss,
    LatentDiffusion,
    LatentDiffusionLaw,
    LatentDiffusionLoss,
)
from probgen.diffusion.latent_losses import modules_among
from probgen.distributions import DensityUnavailable
from probgen.distributions.chains import GaussianDenoiser
from probgen.infer.objective import players_of


class Normal(torch.nn.Module):
    """A linear map and a spread, as a law."""

    def __init__(self, gain, std, shift=0.0):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(gain, dtype=torch.float64))
        self.log_std = torch.nn.Parameter(torch.tensor(std, dtype=torch.float64).log())
        self.shift = shift

    def forward(self, x):
        return dist.Normal(self.gain * x + self.shift, self.log_std.exp()).to_event(1)


def linear_model(gain=0.5, std=0.5**0.5, scale=1.0, shift=0.0):
    """z = shift + scale u with u ~ N(0, 1), x ~ N(z - shift, scale^2); the posterior of z has gain 1/2."""
    schedule = pg.diffusion.linear_schedule(20, 0.1, 0.5)
    oracle = GaussianDenoiser(schedule, torch.zeros(1).double(), torch.tensor(1.0).double())
    chain = Diffusion(oracle, schedule, event_shape=(1,), grid=20)
    encoder, decoder = Normal(gain, scale * std, shift), Normal(1.0, scale, -shift)
    model = LatentDiffusion(encoder, decoder, chain, (1,)).double()
    model.scale.fill_(scale)
    model.shift.fill_(shift)
    return model


def truth(x, scale=1.0):
    return dist.Normal(torch.zeros(()).double(), scale * 2**0.5).log_prob(x).squeeze(-1)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (3.0, 5.0)])
def test_bounds_are_tight_at_the_exact_posterior(scale, shift):
    model = linear_model(scale=scale, shift=shift)
    x = torch.tensor([[0.3], [-1.0], [2.5]]).double() * scale
    estimate = model.distribution().log_prob_estimate(x)
    torch.testing.assert_close(estimate.value, truth(x, scale))
    assert estimate.kind == "lower"
    for _ in range(3):
        loss = Trace_ELBO().loss(model.model, model.guide, x)
        assert abs(loss + float(truth(x, scale).sum())) < 1e-8


@pytest.mark.statistical(false_alarm=1e-10)
def test_bound_and_its_gradient_are_unbiased_for_the_elbo():
    """A wrong encoder; the gap and its gradient are a divergence in closed form. Detects 7 standard errors, about 0.05 nats."""
    model = linear_model(gain=0.3, std=0.9)
    n = 40_000
    x = torch.full((n, 1), 1.5).double()
    value = model.bound(x)
    q, exact = model.encoder(x[:1]), dist.Normal(x[:1] / 2, 0.5**0.5).to_event(1)
    elbo = truth(x[:1]) - kl_divergence(q, exact)
    assert abs(value.mean() - elbo) < 7 * value.std() / n**0.5
    (expected,) = torch.autograd.grad(elbo.sum(), model.encoder.gain)
    halves = [torch.autograd.grad(part.mean(), model.encoder.gain, retain_graph=True)[0] for part in value.split(n // 40)]
    got = torch.stack(halves)
    error = got.std() / len(halves) ** 0.5
    assert abs(got.mean() - expected) < 8 * error + 1e-9
    assert float(error) < 0.1 * abs(float(expected)) + 0.05
    torch.testing.assert_close(LatentDiffusionLoss(model)(x), -elbo.squeeze(), atol=0.1, rtol=0.0)


def test_more_draws_tighten_the_bound():
    torch.manual_seed(0)
    model, x = linear_model(gain=0.3, std=0.9), torch.full((500, 1), 1.5).double()
    one, many = (model.distribution().log_prob_estimate(x, n).value.mean() for n in (1, 16))
    assert one < many - 0.05
    assert many < truth(x[:1]) + 0.02


@pytest.mark.statistical(false_alarm=1e-9)
def test_draws_have_the_law_of_the_data():
    """Variance 2 within 7 standard errors, 0.2."""
    x = linear_model().distribution().sample((5000,))
    assert x.shape == (5000, 1)
    assert abs(float(x.var()) - 2.0) < 7 * 2.0 * (2 / 5000) ** 0.5


@pytest.mark.filterwarnings("ignore:Failed to verify mean field")
def test_site_wise_divergences_are_refused():
    model = linear_model()
    with pytest.raises(ValueError, match="this guide draws forward in time"):
        TraceMeanField_ELBO().loss(model.model, model.guide, torch.zeros(2, 1).double())


def test_law_refuses_a_density():
    model = linear_model()
    law = model.distribution()
    assert isinstance(law, LatentDiffusionLaw)
    assert law.log_prob_kind == "lower"
    with pytest.raises(DensityUnavailable, match="log_prob_estimate"):
        law.log_prob(torch.zeros(1).double())
    with pytest.raises(ValueError, match="`num_draws` must be at least 1"):
        law.log_prob_estimate(torch.zeros(1, 1).double(), 0)
    assert law.expand((3,)).sample((2,)).shape == (2, 3, 1)
    assert law.support.event_dim == 1
    torch.testing.assert_close(copy.deepcopy(law).model.scale, model.scale)
    assert pickle.loads(pickle.dumps(model)).event_shape == (1,)


def test_two_stages_train_their_own_parts():
    torch.manual_seed(0)
    schedule = pg.diffusion.cosine_schedule()
    chain = Diffusion(pg.nn.DenoisingMLP(1, hidden=(24, 24), embedding_features=16), schedule, (1,), grid=20)
    model = LatentDiffusion(Normal(0.1, 1.0), Normal(0.5, 1.0), chain, (1,))
    model.double()
    x = torch.where(torch.rand(256, 1) < 0.5, -4.0, 4.0).double() + 0.1 * torch.randn(256, 1).double()
    first = model.autoencoder_loss(kl_weight=1e-2)
    assert isinstance(first, AutoencoderLoss)
    before = [p.detach().clone() for p in chain.parameters()]
    pg.infer.fit(first, [x] * 150, lambda p: torch.optim.Adam(p, lr=4e-2), progress=False)
    assert all(torch.equal(old, new) for old, new in zip(before, chain.parameters(), strict=True))
    assert float(first(x).detach()) < 2.0
    model.standardize(x)
    u = model.encode(x).sample()
    assert abs(float(u.mean().detach())) < 0.1
    assert abs(float(u.std().detach()) - 1) < 0.1
    frozen = model.encoder.gain.detach().clone()
    second = model.denoising_loss()
    assert isinstance(second, LatentDenoisingLoss)
    assert len(players_of(second)["model"].parameters) == len(before)
    pg.infer.fit(second, [x] * 250, lambda p: torch.optim.Adam(p, lr=1e-2), progress=False)
    assert torch.equal(frozen, model.encoder.gain)
    drawn = model.distribution().sample((400,))
    assert float(((drawn.abs() - 4).abs() < 2).double().mean()) > 0.6, "both modes; a normal prior of x would give 0.4"
    before_joint = float(model.loss()(x.repeat(8, 1)).detach())
    pg.infer.fit(model.loss(), [x] * 80, lambda p: torch.optim.Adam(p, lr=1e-2), progress=False)
    assert float(model.loss()(x.repeat(8, 1)).detach()) < before_joint


@pytest.mark.parametrize("batch", [(0,), (2, 0)])
def test_no_data(batch):
    law = linear_model().distribution()
    assert law.sample(batch).shape == (*batch, 1)
    estimate = law.log_prob_estimate(torch.zeros(*batch, 1).double(), 3)
    assert estimate.value.shape == estimate.stderr.shape == batch


def test_misuse():
    model = linear_model()
    with pytest.raises(ValueError, match="`kl_weight` must be at least 0"):
        model.autoencoder_loss(-1.0)
    constant = LatentDiffusion(lambda x: dist.Delta(torch.zeros(len(x), 1), event_dim=1), model.decoder, model.diffusion, (1,))
    with pytest.raises(ValueError, match="latents that vary"):
        constant.standardize(torch.zeros(4, 1))
    assert model.model(size=3).shape == (3, 1)


def test_the_second_stage_leaves_the_encoder_as_it_is():
    """Batch statistics would move, and units be dropped, in training mode."""
    model = linear_model()
    counted = torch.nn.BatchNorm1d(1).double()
    encoder = model.encoder
    model.encoder = torch.nn.Sequential(counted, encoder)
    loss = LatentDenoisingLoss(model)
    loss.train()
    loss(torch.randn(16, 1).double())
    model.standardize(torch.randn(16, 1).double())
    assert counted.num_batches_tracked == 0
    assert counted.training


def test_losses_refuse_an_empty_batch():
    model, nothing = linear_model(), torch.zeros(0, 1).double()
    for loss in (LatentDiffusionLoss(model), AutoencoderLoss(model), LatentDenoisingLoss(model)):
        with pytest.raises(ValueError, match="at least one datum"):
            loss(nothing)


def test_the_plate_without_data_is_that_of_a_chain():
    with pytest.raises(ValueError, match="must not be empty"):
        linear_model().model(size=0)


def test_functions_among_the_parts_of_a_model_have_no_mode():
    net = torch.nn.Tanh()
    assert modules_among(net, torch.tanh, None) == [net]

"""Terms of the bound: closed forms on the Gaussian bed, every spread, every kind of law."""

import math

import pyro.distributions as dist
import pytest
import torch

import probgen as pg
from probgen.diffusion.objectives import StepTerm, prior_term, step_term
from probgen.distributions.chains import (
    FittedVariance,
    LearnedVariance,
    MixtureDenoiser,
    NormalDecoder,
    PointMass,
    TimeGrid,
    TweedieCovariance,
    UnitPrior,
    posterior_coefficients,
)
from tests.probgen.diffusion.beds import Constant, bed, expected_gap


def nothing(level):
    return torch.zeros_like(level.t)


def unit(level):
    return 1 / (level.snr + 1)


def second(level):
    """The posterior variance of the second step, DDPM's variance of the first."""
    schedule = pg.diffusion.linear_schedule(1000)
    return posterior_coefficients(schedule.level(0.001), schedule.level(0.002)).variance


@pytest.mark.parametrize(
    ("name", "model", "decoder", "bits"),
    [
        ("fixed small", nothing, second, 0.798),
        ("fixed large, first step mended", unit, second, 0.171),
        ("fixed large", unit, unit, 0.0075),
    ],
)
def test_gaps_of_the_fixed_variances(name, model, decoder, bits):
    gap = expected_gap(1 / 16, pg.diffusion.linear_schedule(1000), TimeGrid(1000), model, decoder) / math.log(2)
    assert abs(gap - bits) < 0.0005 + 0.001 * (name != "fixed large")


SPREADS = {
    "exact": (None, None, None),
    "fixed small": (PointMass(), None, (nothing, unit)),
    "fixed large": (UnitPrior(), None, (unit, unit)),
    "learned": (LearnedVariance(), -1.0, None),
    "fitted": (FittedVariance(torch.tensor([0.0]).double(), torch.tensor([1 / 16]).double().log()), None, None),
    "Tweedie": (TweedieCovariance(), None, None),
}


def expected_of(name):
    spread, raw, variances = SPREADS[name]
    if name == "learned":
        kappa = math.exp(15 * math.tanh(raw / 15))
        variances = (lambda level: 1 / (level.snr + 1 / kappa),) * 2
    return spread, raw, variances


@pytest.mark.parametrize("name", SPREADS)
@pytest.mark.statistical(false_alarm=1e-8)
def test_expected_bound_in_closed_form(name):
    # 6 standard errors, about 0.15 nats of one coordinate: a wrong variance of the model costs more
    spread, raw, variances = expected_of(name)
    schedule, grid = pg.diffusion.linear_schedule(50, 1e-3, 0.2), TimeGrid(50)
    d, oracle = bed(1 / 16, schedule, 50, spread, raw)
    gap = 0.0 if variances is None else expected_gap(1 / 16, schedule, grid, *variances)
    count = 1000 if name == "Tweedie" else 3000
    x = oracle.data.sample((count,))
    terms = pg.diffusion.bound_terms(d, x)
    excess = terms.total + oracle.data.log_prob(x)  # the entropy, taken at the same data
    assert abs(excess.mean() - gap) < 6 * excess.std() / math.sqrt(count) + 1e-3


@pytest.mark.parametrize("schedule", [pg.diffusion.linear_schedule(10, 0.1, 0.9), pg.diffusion.edm_schedule(sigma_max=3.0)])
def test_prior_term_is_the_divergence_from_the_prior(schedule):
    d, _ = bed(1.0, schedule, 10, dims=3)
    x = torch.randn(5, 3).double()
    exact = torch.distributions.kl_divergence(d.process.marginal(x, 1.0), d.prior.like(x))
    assert torch.allclose(prior_term(d, x), exact)
    given = pg.diffusion.Diffusion(d.denoiser, schedule, (3,), 10, prior=pg.distributions.standard_normal(3))
    assert (prior_term(given, x) >= 0).all()


def test_prior_term_of_a_given_prior_without_closed_form():
    torch.manual_seed(0)
    d, _ = bed(1.0, pg.diffusion.linear_schedule(10, 0.1, 0.9), 10)
    given = pg.diffusion.Diffusion(
        d.denoiser,
        d.schedule,
        (1,),
        10,
        prior=dist.MixtureSameFamily(
            dist.Categorical(torch.ones(1).double()), dist.Normal(torch.zeros(1, 1).double(), 1.0).to_event(1)
        ),
    )
    x = torch.full((20_000, 1), 0.5).double()
    exact, drawn = prior_term(d, x)[0], prior_term(given, x)
    assert abs(drawn.mean() - exact) < 6 * drawn.std() / math.sqrt(20_000)


def test_a_mixture_posterior_is_estimated_by_a_draw():
    # the exact chain of mixture data: the bound with true kernels is exact on average over the data's own states
    schedule = pg.diffusion.linear_schedule(20, 0.05, 0.4)
    means = torch.tensor([[-1.0], [1.0]]).double()
    oracle = MixtureDenoiser(schedule, torch.zeros(2).double(), means, 0.05 * torch.eye(1).double().expand(2, 1, 1))
    d = pg.diffusion.Diffusion(oracle, schedule, (1,), 20)
    x = oracle.data.sample((4000,))
    excess = pg.diffusion.bound_terms(d, x).total + oracle.data.log_prob(x)
    end = float(d.schedule.level(1.0).alpha ** 2) * (1.05 - 1)  # KL of the last marginal from N(0, 1) is second order in this
    assert abs(excess.mean()) < 6 * excess.std() / math.sqrt(4000) + abs(end)


def test_the_sum_over_the_steps_telescopes_for_a_constant_prediction():
    schedule = pg.diffusion.cosine_schedule()
    d = pg.diffusion.Diffusion(Constant(schedule, (2,)), schedule, (2,), 30)
    x = torch.randn(5, 2).double()
    terms = pg.diffusion.bound_terms(d, x)
    first, last = schedule.level(1 / 30), schedule.level(1.0)
    wanted = (first.snr - last.snr) / 2 * (x - 0.3).square().sum(-1)
    assert torch.allclose(terms.nats[:, 1:-1].sum(-1), wanted)


def test_steps_of_a_batch_may_have_any_shape():
    d, _ = bed(grid=10, dims=2)
    term = step_term(d, torch.randn(3, 4, 2).double(), torch.randint(1, 11, (3, 4)), torch.randn(3, 4, 2).double())
    assert isinstance(term, StepTerm)
    assert term.nats.shape == (3, 4)
    assert term.prediction.error.shape == (3, 4, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("step", [1, 2, 1000])
def test_gradients_are_finite_at_both_ends(dtype, step):
    network = pg.nn.DenoisingMLP(2, hidden=(8,), out_features=4)
    d = pg.diffusion.Diffusion(
        network, pg.diffusion.cosine_schedule(), (2,), 1000, spread=LearnedVariance(), decoder=NormalDecoder(1e-3)
    ).to(dtype)
    x = torch.randn(4, 2, dtype=dtype)
    step_term(d, x, torch.full((4,), step), torch.randn_like(x)).nats.sum().backward()
    gradients = [parameter.grad for parameter in d.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_single_precision_agrees_with_double():
    network = pg.nn.DenoisingMLP(2, hidden=(16,)).double()
    torch.nn.init.normal_(list(network.parameters())[-2], std=0.3)
    d = pg.diffusion.Diffusion(network, pg.diffusion.cosine_schedule(), (2,), 1000)
    x, noise = torch.randn(2, 1000, 2).double()
    steps = torch.arange(1, 1001)
    double = step_term(d, x, steps, noise).nats
    single = step_term(d.float(), x.float(), steps, noise.float()).nats
    assert (single[1:] / double[1:].float() - 1).abs().max() < 1e-4
    assert abs(single[0] - double[0]) < 1e-2  # the decoder subtracts x_0 and its mean, 1e-3 apart, in float32

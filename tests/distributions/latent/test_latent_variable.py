"""Latent-variable models whose marginal law is known: bounds, weights, draws, and what does not work says so."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from torch import nn

from probgen.distributions import DensityUnavailable, LatentVariable, TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine, Bijector
from probgen.distributions.events import checked
from tests.cases.latent import batched, decoder, encoder, scalar

EXACT = -1.5155121234846454  # log N(1; 0, 2)


def double(value):
    return torch.tensor(value, dtype=torch.float64)


def exact_encoder(x):
    return dist.Normal(x / 2, 0.5**0.5)


def fixed(mean, std):
    """The bench: z ~ N(0, 1), x ~ N(z, 1), and an encoder that does not look at x."""

    def q(x):
        return dist.Normal(torch.full_like(x, mean), std)

    return LatentVariable(standard_normal(), decoder, q)


@pytest.mark.statistical(false_alarm=1e-8)
def test_bounds_have_their_known_values():
    """q = N(0.3, 0.81) at x = 1, 200 000 draws each; the L_K are known to 5e-5. Finds errors above 0.004."""
    torch.manual_seed(0)
    p, x = fixed(0.3, 0.9), double(1.0)
    exact = {1: -1.62429905, 2: -1.5543, 5: -1.5288, 50: -1.5168}
    for count, value in exact.items():
        bounds = p.iwae(x.expand(200_000 // count), count)
        assert abs(float(bounds.mean()) - value) < 6 * float(bounds.std()) / math.sqrt(len(bounds)) + 1e-4
    elbo = p.elbo(x.expand(200_000))
    assert abs(float(elbo.mean()) - exact[1]) < 6 * float(elbo.std()) / math.sqrt(len(elbo))


@pytest.mark.statistical(false_alarm=1e-8)
def test_bound_is_per_datum():
    """Four data, K = 10: the sum of their bounds is -6.464; the logarithm of a batch's weights would give -6.497."""
    torch.manual_seed(0)
    x = double([1.0, -0.5, 2.0, 0.3])
    bounds = fixed(0.3, 0.9).iwae(x.expand(20_000, 4), 10).sum(-1)
    assert abs(float(bounds.mean()) + 6.464) < 6 * float(bounds.std()) / math.sqrt(20_000) + 5e-4


def test_exact_posterior_makes_every_weight_the_density():
    p = LatentVariable(standard_normal(), decoder, exact_encoder)
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    expected = dist.Normal(double(0.0), 2**0.5).log_prob(x)
    torch.testing.assert_close(p.log_weights(x, 4), expected.expand(4, 7))
    torch.testing.assert_close(p.iwae(x, 3), expected)
    estimate = p.log_prob_estimate(x, 130)
    torch.testing.assert_close(estimate.value, expected)
    assert float(estimate.stderr.max()) < 1e-12
    assert estimate.kind == "lower"


@pytest.mark.statistical(false_alarm=1e-8)
def test_standard_error_covers():
    """The error of 4000 estimates of 500 draws lies within two standard errors 95.4 % of the time; finds 15 % too much."""
    torch.manual_seed(0)
    estimate = fixed(0.3, 0.9).log_prob_estimate(double(1.0).expand(4000), 500)
    covered = ((estimate.value - EXACT).abs() < 2 * estimate.stderr).double().mean()
    assert 0.93 < float(covered) < 0.975


def test_draws_in_several_passes_are_all_used():
    p, calls = scalar(), []
    p.encoder = lambda x: calls.append(1) or encoder(x)
    assert p.log_prob_estimate(torch.zeros(5), 130, draws_at_once=64).value.shape == (5,)
    assert len(calls) == 3


# ------------------------------------------------------------------------------------------------------------------ discrete


class Component(nn.Module):
    """A discrete latent: one of three places."""

    def forward(self, z):
        return dist.Normal(torch.tensor([-2.0, 0.0, 3.0], dtype=torch.float64)[z], 1.0)


def discrete(encoder):
    prior = dist.Categorical(double([0.2, 0.5, 0.3]))
    return LatentVariable(prior, Component(), encoder, event_shape=())


def responsibilities(x):
    return double([0.2, 0.5, 0.3]).log() + Component()(torch.arange(3)).log_prob(x.unsqueeze(-1))


def exact_responsibilities(x):
    logits = responsibilities(x)
    return dist.Categorical(logits=logits, validate_args=checked(logits))  # torch's check refuses an empty batch


def test_discrete_latents_are_evaluated_and_not_differentiated():
    x = torch.linspace(-2, 2, 5, dtype=torch.float64)
    exact = responsibilities(x).logsumexp(-1)
    p = discrete(exact_responsibilities)
    torch.testing.assert_close(p.log_prob_estimate(x, 3).value, exact)
    with pytest.raises(ValueError, match=r"`encoder` must return a law with `rsample`.*Categorical"):
        p.elbo(x)
    with torch.no_grad():
        assert p.elbo(x).shape == (5,)
    assert p.sample((4,)).shape == (4,)
    assert p.log_prob_estimate(x[:0], 3).value.shape == (0,)


@pytest.mark.statistical(false_alarm=1e-8)
def test_discrete_latents_with_another_encoder():
    """Within 6 standard errors: finds a bias of 1 %."""
    torch.manual_seed(0)
    x = torch.linspace(-2, 2, 5, dtype=torch.float64)
    estimate = discrete(lambda x: dist.Categorical(logits=torch.zeros(*x.shape, 3).double())).log_prob_estimate(x, 20_000)
    assert ((estimate.value - responsibilities(x).logsumexp(-1)).abs() < 6 * estimate.stderr).all()


def test_discrete_data():
    p = LatentVariable(
        standard_normal(2), lambda z: dist.Bernoulli(logits=z).to_event(1), lambda x: dist.Normal(x, 1.0).to_event(1)
    )
    assert p.support.is_discrete
    assert p.support.check(p.sample((100,))).all()


# ---------------------------------------------------------------------------------------------------------------------- flows


class Counting(Bijector):
    """A shift by one that counts how often it is inverted."""

    domain = codomain = torch.distributions.constraints.real

    def __init__(self):
        super().__init__()
        self.inversions = 0

    def _forward_and_log_det(self, x, context=None):
        return x + 1, torch.zeros_like(x)

    def _inverse_and_log_det(self, y, context=None):
        self.inversions += 1
        return y - 1, torch.zeros_like(y)


@pytest.mark.parametrize("closed_form", [True, False])
def test_flow_posterior_is_scored_without_inverting(closed_form):
    bijector = Counting()
    p = LatentVariable(
        standard_normal(), decoder, lambda x: TransformedDistribution(dist.Normal(x / 2 - 1, 0.5**0.5), bijector)
    )
    x = torch.linspace(-1, 1, 4, dtype=torch.float64)
    torch.testing.assert_close(p.elbo(x, 3, closed_form=closed_form), dist.Normal(double(0.0), 2**0.5).log_prob(x))
    assert bijector.inversions == 0


def test_flow_prior_needs_no_closed_form():
    prior = TransformedDistribution(standard_normal(), Affine(double(1.0), double(2.0)))
    p = LatentVariable(prior, decoder, lambda x: dist.Normal(0.2 + 0.8 * x, 0.8**0.5))
    x = torch.linspace(-1, 1, 4, dtype=torch.float64)
    torch.testing.assert_close(p.elbo(x, 2), dist.Normal(double(1.0), 5**0.5).log_prob(x))


# ----------------------------------------------------------------------------------------------------------------------- sites


def test_a_site_draws_and_refuses_to_be_scored():
    p = scalar()

    def model():
        with pyro.plate("data", 3):
            return pyro.sample("x", p)

    trace = poutine.trace(model).get_trace()
    assert trace.nodes["x"]["value"].shape == (3,)
    with pytest.raises(DensityUnavailable, match=r"integral over the latents.*log_prob_estimate.*elbo.*iwae.*with_estimates"):
        trace.compute_log_prob()


def test_a_site_with_estimates_is_scored_by_the_bound():
    x = torch.linspace(-1, 1, 3, dtype=torch.float64)
    tight = LatentVariable(standard_normal(), decoder, exact_encoder, allow_estimate=True)

    def model():
        with pyro.plate("data", 3):
            pyro.sample("x", tight, obs=x)

    torch.manual_seed(0)
    found = poutine.trace(model).get_trace().log_prob_sum()
    torch.manual_seed(0)
    torch.testing.assert_close(found, tight.elbo(x).sum())
    assert tight.log_prob_kind == "lower"
    loose = scalar()
    assert loose.with_estimates().log_prob(x).shape == (3,)
    with pytest.raises(DensityUnavailable):
        loose.log_prob(x)


# ------------------------------------------------------------------------------------------------------------ shapes, gradients


class LinearNormal(nn.Module):
    """A linear map with unit noise."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        return dist.Normal(self.linear(x), 1.0).to_event(1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [(), (0,), (5,), (2, 0), (2, 3)])
def test_any_batch_and_dtype(dtype, batch):
    p = LatentVariable(standard_normal(2), LinearNormal(2, 4).to(dtype), LinearNormal(4, 2).to(dtype))
    assert p.event_shape == (4,)
    x = p.sample(batch)
    assert x.shape == (*batch, 4)
    assert x.dtype == dtype
    for value in (p.elbo(x), p.elbo(x, 3, closed_form=False), p.iwae(x, 2), p.log_prob_estimate(x, 3).stderr):
        assert value.shape == batch
        assert value.dtype == dtype
    assert p.log_weights(x, 3).shape == (3, *batch)
    joint = p.sample_joint(batch)
    assert p.log_joint(joint["x"], {"z": joint["z"]}).shape == batch
    p.elbo(x).sum().backward()
    trained = (*p.encoder.parameters(), *(p.decoder.parameters() if x.numel() else ()))
    assert all(parameter.grad is not None for parameter in trained)


def test_batches_of_the_law_broadcast_with_those_of_the_data():
    p = batched()
    assert p.batch_shape == (3,)
    assert p.sample((2,)).shape == (2, 3, 1)
    assert p.elbo(torch.zeros(5, 1, 1)).shape == (5, 3)
    assert p.iwae(torch.zeros(1), 4).shape == (3,)
    assert p.expand((4, 3)).sample().shape == (4, 3, 1)
    assert p.expand((4, 3)).log_prob_estimate(torch.zeros(3, 1), 2).value.shape == (4, 3)
    assert p.log_prior({"z": torch.zeros(6, 3, 1)}).shape == (6, 3)


@pytest.mark.parametrize("ask", ["elbo", "posterior"])
def test_wrong_shapes_are_refused(ask):
    p = LatentVariable(standard_normal(2), LinearNormal(2, 4), LinearNormal(4, 2))
    with pytest.raises(ValueError, match=r"`value` of LatentVariable must have event shape \(4,\); got \(5, 3\)"):
        getattr(p, ask)(torch.zeros(5, 3))
    with pytest.raises(ValueError, match="event shape"):
        p.log_joint(torch.zeros(3), {"z": torch.zeros(2)})
    with pytest.raises(ValueError, match="does not broadcast"):
        batched().elbo(torch.zeros(2, 1))


@pytest.mark.parametrize("count", [0, -1])
def test_numbers_of_draws_are_positive(count):
    p, x = scalar(), torch.zeros(2)
    for ask in (p.elbo, p.iwae, p.log_weights, p.log_prob_estimate):
        with pytest.raises(ValueError, match=f"`num_draws` must be at least 1; got {count}"):
            ask(x, count)
    with pytest.raises(ValueError, match="`draws_at_once`"):
        p.log_prob_estimate(x, 2, draws_at_once=count)


def test_gradient_of_the_bound_is_the_known_one():
    """At the exact posterior the gradient of IWAE by the decoder's gain is that of log p: no draw matters."""
    torch.manual_seed(0)
    gain, x = double(1.3).requires_grad_(), double(0.7)
    slope, variance = gain.detach() / (1 + gain.detach() ** 2), 1 / (1 + gain.detach() ** 2)
    p = LatentVariable(
        standard_normal(),
        lambda z: dist.Normal(gain * z, 1.0),
        lambda x: dist.Normal(slope * x, variance.sqrt()),
    )
    (exact,) = torch.autograd.grad(dist.Normal(0.0, (1 + gain**2).sqrt()).log_prob(x), gain)
    (found,) = torch.autograd.grad(p.iwae(x.expand(100_000), 1).mean(), gain)
    torch.testing.assert_close(found, exact, atol=0.03, rtol=0)

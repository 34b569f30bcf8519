"""Mixtures."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import Dequantized, Mixture, MixtureOfFlows, standard_normal
from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import Affine, Exp
from probgen.flows import neural_spline_coupling


def test_agrees_with_torchs_mixture():
    logits, loc, scale = torch.tensor([0.3, -1.0, 0.5]), torch.tensor([-2.0, 0.0, 3.0]), torch.tensor([0.5, 1.0, 2.0])
    ours = Mixture([dist.Normal(m, s) for m, s in zip(loc, scale, strict=True)], logits)
    theirs = dist.MixtureSameFamily(dist.Categorical(logits=logits), dist.Normal(loc, scale))
    x = torch.linspace(-5, 6, 9)
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x))
    torch.testing.assert_close(ours.cdf(x), theirs.cdf(x))
    torch.testing.assert_close(ours.mean, theirs.mean)
    torch.testing.assert_close(ours.variance, theirs.variance)


def test_posterior_is_bayes_rule():
    d = Mixture([dist.Normal(-1.0, 1.0), dist.Normal(1.0, 1.0)], torch.tensor([0.0, 1.0]))
    x = torch.tensor([-0.5, 0.0, 2.0])
    torch.testing.assert_close(d.component_posterior(x)[:, 1], torch.sigmoid(2 * x + 1))


@pytest.mark.statistical(false_alarm=1e-8)
def test_draws_follow_the_distribution_function():
    """DKW: the gap of 20000 draws exceeds 0.022 with probability below 1e-8."""
    d = Mixture([dist.Normal(-2.0, 0.5), dist.Normal(1.0, 1.0)], torch.tensor([0.0, 1.0]))
    uniform = d.cdf(d.sample((20_000,))).sort().values
    gap = (uniform - (torch.arange(20_000) + 0.5) / 20_000).abs().max()
    assert gap < 0.022


def test_shapes_and_expansion():
    d = Mixture([standard_normal(2), dist.Normal(torch.ones(3, 2), 1.0).to_event(1)], torch.zeros(4, 1, 2))
    assert (d.batch_shape, d.event_shape) == ((4, 3), (2,))
    x = d.expand((5, 4, 3)).sample((6,))
    assert x.shape == (6, 5, 4, 3, 2)
    assert d.log_prob(x).shape == (6, 5, 4, 3)
    assert d.component_posterior(x).shape == (6, 5, 4, 3, 2)
    assert d.mean.shape == (4, 3, 2)


def test_impossible_values_have_no_nan_gradient():
    logits = torch.zeros(2, requires_grad=True)
    d = Mixture([dist.Uniform(0.0, 1.0, validate_args=False), dist.Uniform(0.0, 1.0, validate_args=False)], logits)
    log_prob = d.log_prob(torch.tensor([2.0, 0.5]))
    assert log_prob.tolist() == [-torch.inf, 0.0]
    log_prob[1].backward()
    assert logits.grad.isfinite().all()


def test_refusals():
    with pytest.raises(ValueError, match="event_shape"):
        Mixture([standard_normal(2), standard_normal(3)], torch.zeros(2))
    with pytest.raises(ValueError, match="support"):
        Mixture([dist.Normal(0.0, 1.0), dist.LogNormal(0.0, 1.0)], torch.zeros(2))
    with pytest.raises(ValueError, match="`logits` must have one entry for each of 2"):
        Mixture([standard_normal(), standard_normal()], torch.zeros(3))
    assert Mixture([Dequantized(standard_normal())] * 2, torch.zeros(2)).log_prob_kind == "lower"


def test_a_mixture_of_flows_learns_its_weights():
    model = MixtureOfFlows(standard_normal(1), [Affine(torch.tensor([-3.0]), 1.0), Affine(torch.tensor([3.0]), 1.0)])
    data = torch.cat([torch.randn(300, 1) - 3, torch.randn(100, 1) + 3])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        (-model().log_prob(data).mean()).backward()
        optimizer.step()
    assert model().log_weights.exp()[0].item() == pytest.approx(0.75, abs=0.01)


def test_conditional_weights_and_components():
    flows = [neural_spline_coupling(2, context_shape=(3,), layers=1, hidden=(8,)), Affine(shape=(2,))]
    model = MixtureOfFlows(standard_normal(2), flows, weights=torch.nn.Linear(3, 2))
    law = model(torch.randn(5, 3))
    assert law.batch_shape == (5,)
    assert law.log_prob(law.sample((4,))).shape == (4, 5)
    with pytest.raises(ContextError, match="got None"):
        model()
    with pytest.raises(ContextError, match="takes a context"):
        MixtureOfFlows(standard_normal(2), [Affine(shape=(2,))] * 2, context_shape=(3,))
    with pytest.raises(ContextError, match="context_shape"):
        MixtureOfFlows(standard_normal(2), [Exp()], weights=torch.nn.Linear(3, 1))

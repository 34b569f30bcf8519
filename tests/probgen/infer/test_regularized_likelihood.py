"""Regularized likelihood: its terms against closed forms, and what the penalties do."""

import math

import pytest
import torch

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import ContinuousFlow, Scale
from probgen.flows import continuous_flow
from probgen.infer import LikelihoodTerms, RegularizedLikelihood


def test_terms_of_a_linear_field():
    """x' = a x: from x back to x e^-a; kinetic a (1 - e^-2a) |x|^2 / 2, Jacobian D a^2."""
    a, x = 0.7, torch.randn(9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    flow = ContinuousFlow(lambda t, x: a * x, (3,), rtol=1e-9, atol=1e-9)
    terms = RegularizedLikelihood(flow, kinetic=0.3, jacobian=0.2).terms(x)
    assert isinstance(terms, LikelihoodTerms)
    assert torch.allclose(terms.nats, -standard_normal(3).log_prob(x * math.exp(-a)) + 3 * a, atol=1e-7)
    assert torch.allclose(terms.kinetic, a * (1 - math.exp(-2 * a)) / 2 * x.square().sum(-1), atol=1e-7)
    assert torch.allclose(terms.jacobian, torch.full((9,), 3 * a**2, dtype=torch.float64), atol=1e-8)
    loss = RegularizedLikelihood(flow, kinetic=0.3, jacobian=0.2)(x)
    assert torch.allclose(loss, (terms.nats + 0.3 * terms.kinetic + 0.2 * terms.jacobian).mean())


def test_compositions_contexts_and_batches():
    torch.manual_seed(0)
    flow = continuous_flow(2, hidden=(6,), context_shape=(1,)) >> Scale(2.0) >> continuous_flow(2, hidden=(6,))
    x, context = torch.randn(4, 5, 2), torch.randn(5, 1)
    terms = RegularizedLikelihood(flow).terms(x, context)
    expected = TransformedDistribution(standard_normal(2), flow.condition(context)).log_prob(x)
    assert torch.allclose(terms.nats, -expected, atol=1e-3)
    assert terms.kinetic.shape == terms.jacobian.shape == (4, 5)


@pytest.mark.parametrize("options", [{}, {"divergence": "hutchinson"}, {"adjoint": True}])
def test_every_parameter_of_the_field_learns(options):
    torch.manual_seed(0)
    flow = continuous_flow(3, hidden=(5, 5), solver="rk4", steps=4, **options)
    RegularizedLikelihood(flow, kinetic=0.1, jacobian=0.1)(torch.randn(8, 3)).backward()
    assert all(parameter.grad is not None and bool(parameter.grad.isfinite().all()) for parameter in flow.parameters())


def test_a_penalty_lowers_the_energy():
    """The same ten steps with and without: the way from the base is shorter."""
    found = []
    for weight in (0.0, 1.0):
        torch.manual_seed(0)
        flow = continuous_flow(2, hidden=(8, 8), solver="rk4", steps=2)
        loss = RegularizedLikelihood(flow, kinetic=weight, jacobian=0.0)
        optimizer = torch.optim.Adam(flow.parameters(), lr=4e-2)
        for _ in range(10):
            optimizer.zero_grad()
            loss(2 + 0.5 * torch.randn(64, 2)).backward()
            optimizer.step()
        found.append(loss.terms(2 + 0.5 * torch.randn(64, 2)).kinetic.mean())
    assert found[1] < 0.5 * found[0]


def test_errors_name_what_came():
    with pytest.raises(ValueError, match="it has none"):
        RegularizedLikelihood(Scale(2.0))
    with pytest.raises(ValueError, match="must not be negative; got -1"):
        RegularizedLikelihood(continuous_flow(2), kinetic=-1.0)
    with pytest.raises(ValueError, match="`x`"):
        RegularizedLikelihood(continuous_flow(2))(torch.zeros(5, 3))
    assert "kinetic=0.01" in repr(RegularizedLikelihood(continuous_flow(2)))


def test_a_context_with_more_axes_than_the_data_scores_every_context():
    torch.manual_seed(0)
    flow = Scale(2.0) >> continuous_flow(2, context_shape=(3,), hidden=(4,), solver="rk4", steps=20)
    x, context = torch.randn(2, 2), torch.randn(4, 1, 3)
    nats = RegularizedLikelihood(flow).terms(x, context).nats
    expected = -TransformedDistribution(standard_normal(2), flow.condition(context)).log_prob(x)
    torch.testing.assert_close(nats, expected, rtol=1e-3, atol=1e-3)
    one = RegularizedLikelihood(flow).terms(x[0], context[:, 0]).nats
    torch.testing.assert_close(one, expected[:, 0], rtol=1e-3, atol=1e-3)


def test_a_base_of_other_events_is_refused():
    flow = continuous_flow(2, hidden=(4,))
    with pytest.raises(ValueError, match=r"`base` must have events of shape \(2,\); got \(\) with batch shape \(2,\)"):
        RegularizedLikelihood(flow, torch.distributions.Normal(torch.zeros(2), 1.0))

"""Flows as learned laws, with and without a context."""

import pyro.distributions as dist
import pytest
import torch
from pyro.distributions.conditional import ConditionalDistribution as PyroConditional

from probgen.distributions import TransformedDistribution, TransformedLaw, standard_normal
from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import Affine, Exp
from probgen.flows import neural_spline_coupling


class ClassMean(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.loc = torch.nn.Linear(3, 2)

    def forward(self, context):
        return dist.Normal(self.loc(context), 1.0).to_event(1)


def test_bijector_and_base_may_both_take_the_context():
    f = neural_spline_coupling(2, context_shape=(3,), layers=2, hidden=(8,))
    p = TransformedLaw(ClassMean(), f)
    context, x = torch.randn(5, 3), torch.randn(5, 2)
    law = p(context)
    z, ildj = f.inverse_and_log_det(x, context)
    torch.testing.assert_close(law.log_prob(x), p.base(context).log_prob(z) + ildj)
    assert law.batch_shape == (5,)
    assert p.condition(context).sample((4,)).shape == (4, 5, 2)
    assert {name.split(".")[0] for name, _ in p.named_parameters()} == {"base", "bijector"}
    assert isinstance(p, PyroConditional)


def test_context_is_checked():
    p = TransformedLaw(lambda c: dist.Normal(c, 1.0).to_event(1), Exp(), context_shape=(2,))
    with pytest.raises(ContextError, match="got None"):
        p()
    with pytest.raises(ContextError, match=r"trailing shape \(2,\); got shape \(5, 3\)"):
        p(torch.zeros(5, 3))
    with pytest.raises(ContextError, match="bijector takes none"):
        TransformedLaw(lambda c: dist.Normal(c, 1.0).to_event(1), Affine(0.0, 1.0))
    f = neural_spline_coupling(2, context_shape=(3,), layers=1, hidden=(4,))
    with pytest.raises(ContextError, match=r"\(3,\); got \(2,\)"):
        TransformedLaw(standard_normal(2), f, context_shape=(2,))


def test_without_a_context_it_is_the_flow():
    f = neural_spline_coupling(2, layers=2, hidden=(8,))
    law, x = TransformedLaw(standard_normal(2), f), torch.randn(5, 2)
    torch.testing.assert_close(law().log_prob(x), TransformedDistribution(standard_normal(2), f).log_prob(x))
    with pytest.raises(ContextError, match="takes no context"):
        law(torch.zeros(5, 3))


def test_in_pyros_conditional_distribution():
    base = TransformedLaw(lambda c: dist.Normal(c, 1.0).to_event(1), Affine(1.0, 2.0), context_shape=(2,))
    theirs = dist.ConditionalTransformedDistribution(base, [torch.distributions.ExpTransform()])
    assert theirs.condition(torch.zeros(5, 2)).sample().shape == (5, 2)


def test_a_context_that_nobody_takes_is_refused():
    with pytest.raises(ContextError, match="neither `base` nor `bijector` takes a context"):
        TransformedLaw(standard_normal(2), Affine(0.0, 1.0), context_shape=(3,))
    with pytest.raises(TypeError, match="`bijector` must be a Bijector; got Linear"):
        TransformedLaw(standard_normal(2), torch.nn.Linear(2, 2))


def test_a_context_shape_may_be_a_list():
    flow = neural_spline_coupling(2, context_shape=(3,), layers=1, hidden=(4,))
    assert TransformedLaw(standard_normal(2), flow, [3]).context_shape == (3,)

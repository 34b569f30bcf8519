"""A wrapped law is the law."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import Dequantized
from probgen.distributions.chains import WithoutDivergence
from probgen.distributions.chains.wrapped_law import WrappedLaw


def test_answers_are_those_of_the_law():
    law = dist.Normal(torch.randn(4, 2), 0.5).to_event(1)
    wrapped: WrappedLaw = WithoutDivergence(law)
    x = torch.randn(4, 2)
    assert torch.equal(wrapped.log_prob(x), law.log_prob(x))
    assert torch.equal(wrapped.mean, law.mean)
    assert torch.equal(wrapped.variance, law.variance)
    assert torch.equal(wrapped.entropy(), law.entropy())
    assert str(wrapped.support) == str(law.support)
    assert wrapped.has_rsample
    assert wrapped.expand((3, 4)).rsample((5,)).shape == (5, 3, 4, 2)


def test_enumeration():
    wrapped = WithoutDivergence(dist.Categorical(torch.ones(3)))
    assert wrapped.has_enumerate_support
    assert wrapped.enumerate_support().tolist() == [0, 1, 2]


def test_kind_of_the_density():
    law = Dequantized(dist.Normal(torch.zeros(()) + 2, 1.0), levels=5)
    assert WithoutDivergence(law).log_prob_kind == law.log_prob_kind


def test_shape_of_a_value():
    with pytest.raises(ValueError, match="`value` of WithoutDivergence must have event shape"):
        WithoutDivergence(dist.Normal(torch.zeros(2), 1.0).to_event(1)).log_prob(torch.zeros(3))

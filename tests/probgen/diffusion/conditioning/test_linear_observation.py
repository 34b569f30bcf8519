"""Observations: values, projections, likelihoods."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.diffusion.conditioning import LinearObservation, Masking, observe, observe_known
from tests.probgen.diffusion.conditioning.beds import OPERATORS


@pytest.mark.parametrize("name", OPERATORS)
def test_the_projection_agrees_with_the_observation_and_is_the_nearest(name):
    torch.manual_seed(0)
    operator, x = OPERATORS[name](), torch.randn(6, 3, 4, 4, dtype=torch.float64)
    seen = observe(torch.randn_like(x), operator)
    projected = seen.project(x)
    assert seen.residual(projected).abs().max() < 1e-12
    other = projected + operator.null_space(torch.randn_like(x))
    assert ((x - projected).flatten(1).norm(dim=-1) < (x - other).flatten(1).norm(dim=-1)).all()


@pytest.mark.parametrize("name", OPERATORS)
def test_the_likelihood_counts_only_what_was_seen(name):
    torch.manual_seed(0)
    operator, x = OPERATORS[name](), torch.randn(6, 3, 4, 4, dtype=torch.float64)
    seen = observe(x, operator, noise=0.5)
    terms = dist.Normal(operator.apply(x), 0.5).log_prob(seen.value)
    present = operator.present(x).expand_as(terms)
    torch.testing.assert_close(seen.log_likelihood(x), (terms * present).flatten(1).sum(-1))
    with pytest.raises(ValueError, match="`noise` must be positive"):
        observe(x, operator).log_likelihood(x)


def test_what_a_mask_hides_may_be_anything():
    x = torch.tensor([[1.0, math.nan, 3.0], [math.nan, 2.0, 4.0]])
    seen = observe_known(x, event_dim=1)
    assert seen.value.tolist() == [[1.0, 0.0, 3.0], [0.0, 2.0, 4.0]]
    assert seen.project(torch.zeros(2, 3))[0].tolist() == [1.0, 0.0, 3.0]
    hidden = LinearObservation(torch.tensor([1.0, math.inf, -math.inf]), Masking(torch.tensor([1, 0, 0])))
    assert hidden.value.tolist() == [1.0, 0.0, 0.0]


def test_wrong_values_are_named():
    with pytest.raises(ValueError, match=r"`value` must end in \(2,\)"):
        LinearObservation(torch.zeros(3), Masking(torch.ones(2)))
    for noise in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="`noise` must be a finite number, not negative"):
            LinearObservation(torch.zeros(2), Masking(torch.ones(2)), noise=noise)
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="`value` must be finite where it was seen"):
            LinearObservation(torch.tensor([value, 0.0]), Masking(torch.ones(2)))

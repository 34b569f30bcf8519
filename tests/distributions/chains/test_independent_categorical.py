"""Independent categorical coordinates against torch, with and without impossible states."""

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from probgen.distributions.chains import IndependentCategorical


def laws():
    torch.manual_seed(0)
    p, q = torch.randn(4, 2, 3, 5).double(), torch.randn(4, 2, 3, 5).double()
    p[..., 2] = -torch.inf
    q[0, ..., 2] = -torch.inf
    return p, q


def test_agrees_with_torch():
    p, q = laws()
    ours, theirs = IndependentCategorical(p, 2), Categorical(logits=p)
    x = ours.sample((3,))
    assert x.shape == (3, 4, 2, 3)
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x).sum((-1, -2)))
    torch.testing.assert_close(ours.entropy(), theirs.entropy().sum((-1, -2)))
    expected = kl_divergence(theirs, Categorical(logits=q)).sum((-1, -2))
    torch.testing.assert_close(kl_divergence(ours, IndependentCategorical(q, 2)), expected)
    assert bool((ours.mode == theirs.mode).all())


def test_divergence_is_infinite_where_the_other_rules_it_out_and_gradients_stay_finite():
    p, q = laws()
    assert bool(kl_divergence(IndependentCategorical(q, 2), IndependentCategorical(p, 2))[1:].isinf().all())
    free = torch.randn(4, 2, 3, 5).double().requires_grad_()
    masked = torch.where(p == -torch.inf, -torch.inf, free)
    kl_divergence(IndependentCategorical(p, 2), IndependentCategorical(masked, 2)).sum().backward()
    assert bool(free.grad.isfinite().all())
    assert float(free.grad[..., 2].abs().max()) == 0.0


def test_divergence_is_infinite_also_where_the_mass_that_is_ruled_out_underflows():
    p = IndependentCategorical(torch.tensor([0.0, -200.0]), 0)
    q = IndependentCategorical(torch.tensor([0.0, -torch.inf]), 0)
    assert kl_divergence(p, q) == torch.inf


def test_values_off_the_integers_have_no_mass():
    law = IndependentCategorical(torch.zeros(3), 0, validate_args=False)
    assert law.log_prob(torch.tensor([-1.0, 0.5, 3.0, 1.0])).exp().tolist() == [0.0, 0.0, 0.0, pytest.approx(1 / 3)]
    with pytest.raises(ValueError, match="at least 3 dimensions"):
        IndependentCategorical(torch.zeros(3, 3), 2)


def test_the_states_of_single_coordinates_can_be_listed():
    law = IndependentCategorical(torch.randn(5, 3), 0)
    assert law.has_enumerate_support
    assert torch.equal(law.enumerate_support(), torch.arange(3)[:, None].expand(3, 5))
    assert law.enumerate_support(expand=False).shape == (3, 1)
    torch.testing.assert_close(law.log_prob(law.enumerate_support()).logsumexp(0), torch.zeros(5), atol=1e-6, rtol=0)
    wide = IndependentCategorical(torch.randn(5, 3), 1)
    assert not wide.has_enumerate_support
    with pytest.raises(NotImplementedError, match="only single coordinates"):
        wide.enumerate_support()

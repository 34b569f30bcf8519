"""FactorOut: one flat latent for all levels, exact bookkeeping, learned priors."""

import math

import pytest
import torch
from torch import nn

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import (
    ActNorm,
    Affine,
    Compose,
    ConditionalElementwise,
    FactorOut,
    Reshape,
    SplitCoupling,
    Squeeze,
)


def test_levels_share_one_flat_latent():
    inner = FactorOut(Reshape((2,), (1, 1, 2)), (1, 1, 2))
    flow = Compose(FactorOut(Compose(inner, Squeeze((1, 2)).inv), (1, 1, 4)), Squeeze((2, 1)).inv)
    z = torch.arange(8.0)
    assert flow.domain_shape == (8,)
    assert flow.codomain_shape == (1, 2, 4)
    assert torch.equal(flow.inverse(flow(z)), z)
    assert torch.equal(flow(z).flatten().sort()[0], z)


def test_a_coupling_after_it_is_the_prior_of_the_fine_channels():
    """Its density is that of the coarse channels times a conditional normal law of the fine ones."""
    torch.manual_seed(0)
    network = nn.Conv2d(1, 4, 1)
    flow = Compose(FactorOut(Reshape((2,), (1, 1, 2)), (2, 1, 2)), SplitCoupling(Affine(), network, (1, 2)))
    y = torch.randn(5, 3, 1, 2)
    coarse, fine = y[:, :1], y[:, 1:]
    loc, raw = network(3.0 * torch.tanh(coarse / 3.0)).split(2, dim=1)
    bound = math.log(1e3)
    scale = (bound * torch.tanh(raw / bound)).exp()
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(coarse).flatten(1).sum(1)
    expected = expected + torch.distributions.Normal(loc, scale).log_prob(fine).flatten(1).sum(1)
    torch.testing.assert_close(TransformedDistribution(standard_normal(6), flow).log_prob(y), expected)


def test_the_coarse_log_determinant_counts():
    coarse = Compose(Reshape((2,), (1, 2)), ActNorm((1, 1)))
    with torch.no_grad():
        coarse[1].raw_scale.fill_(1.0)
    _, log_det = FactorOut(coarse, (1, 2)).forward_and_log_det(torch.zeros(3, 4))
    torch.testing.assert_close(log_det, 2 * coarse[1].log_scale.sum().expand(3))


@pytest.mark.parametrize(("base", "fine"), [(Affine(), (1, 2)), (Reshape((2,), (1, 2)), (1, 3)), (Reshape((2,), (1, 2)), ())])
def test_refuses_shapes_that_do_not_join(base, fine):
    with pytest.raises(ValueError, match="to join"):
        FactorOut(base, fine)


def test_starting_from_data_of_another_shape_says_so():
    f = FactorOut(Reshape((4,), (1, 2, 2)), (1, 2, 2))
    with pytest.raises(ValueError, match=r"`y` needs at least 3 event dimension\(s\); got shape \(3, 5\)"):
        f.initialize_from(torch.zeros(3, 5))
    with pytest.raises(ValueError, match=r"`y` must have event shape \(2, 2, 2\)"):
        f.initialize_from(torch.zeros(3, 3, 2, 2))


def test_the_coarse_flow_starts_from_the_coarse_channels_and_the_context():
    torch.manual_seed(0)
    told = ConditionalElementwise(Affine(), nn.Linear(2, 2), context_shape=(2,))
    f = FactorOut(Compose(Reshape((4,), (1, 2, 2)), ActNorm((1, 2, 2)), told), (2, 2, 2))
    y, context = 3.0 + torch.randn(50, 3, 2, 2), torch.randn(50, 2)
    y[:, 1:] += 100.0
    f.initialize_from(y, context)
    latents = f.inverse(y, context)[:, :4]
    torch.testing.assert_close(latents.mean(0), torch.zeros(4), rtol=0, atol=1e-4)
    torch.testing.assert_close(latents.std(0, correction=0), torch.ones(4), rtol=0, atol=1e-3)

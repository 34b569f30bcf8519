"""Recipes of residual flows: shapes, contexts, training by an unbiased estimate, inverses after training."""

import pytest
import torch

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Residual
from probgen.flows import image_residual_flow, invertible_resnet, residual_flow


def test_every_part_is_a_contraction_and_the_log_det_that_of_the_map():
    torch.manual_seed(0)
    flow = residual_flow(3, layers=3, hidden=(8,), log_det="exact", context_shape=(2,)).double()
    x, context = torch.randn(4, 3).double(), torch.randn(4, 2).double()
    flow.initialize_from(x, context)
    z, ildj = flow.inverse_and_log_det(x, context)
    jacobian = torch.func.vmap(torch.func.jacrev(flow.inverse))(x, context)
    assert torch.allclose(ildj, torch.linalg.slogdet(jacobian)[1], atol=1e-10)
    assert torch.allclose(flow(z, context), x, atol=1e-10)
    assert all(part.lipschitz == 0.97 for part in flow.modules() if isinstance(part, Residual))


def test_training_by_roulette_improves_the_density_and_keeps_the_inverse():
    """Two heaps: the exact density of the trained parameters, and 1e-5 in single precision after training."""
    torch.manual_seed(0)
    data = torch.randn(128, 2) * 0.3 + torch.tensor([2.0, 0.0]) * torch.randn(128, 1).sign()
    flow = residual_flow(2, layers=3, hidden=(32,))
    flow.initialize_from(data)
    law = TransformedDistribution(standard_normal(2), flow, allow_estimate=True)
    exact = residual_flow(2, layers=3, hidden=(32,), log_det="exact")

    def score():
        exact.load_state_dict(flow.state_dict())
        with torch.no_grad():
            return float(TransformedDistribution(standard_normal(2), exact).log_prob(data).mean())

    before = score()
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-2)
    for _ in range(50):
        optimizer.zero_grad()
        (-law.log_prob(data).mean()).backward()
        optimizer.step()
    assert score() > before + 0.3
    with torch.no_grad():
        estimate = TransformedDistribution(standard_normal(2), flow.eval()).log_prob_estimate(data, 16)
        assert abs(float(estimate.value.mean()) - score()) < 0.02
        z = flow.inverse(data)
        assert (flow(z) - data).abs().max() < 1e-5 * 4


@pytest.mark.parametrize(("features", "kind"), [(1, "exact"), (3, "exact"), (4, "biased")])
def test_the_first_recipe_says_when_it_is_biased(features, kind):
    flow = invertible_resnet(features, layers=2, hidden=(8,))
    assert flow.log_det_kind == kind
    z = torch.randn(3, features)
    assert torch.allclose(flow.inverse(flow(z)), z, atol=1e-5)


def test_image_flow_in_two_levels_with_classes():
    torch.manual_seed(0)
    flow = image_residual_flow((1, 4, 4), levels=2, layers=1, channels=4, context_shape=(3,), log_det="exact")
    x, label = torch.randn(1, 1, 4, 4), torch.eye(3)[:1]
    flow.initialize_from(torch.randn(8, 1, 4, 4), torch.eye(3)[torch.arange(8) % 3])
    z, ildj = flow.inverse_and_log_det(x, label)
    jacobian = torch.stack(
        [torch.func.jacrev(lambda v, c=c: flow.inverse(v[None], c[None])[0])(v) for v, c in zip(x, label, strict=True)]
    )
    assert torch.allclose(ildj, torch.linalg.slogdet(jacobian.reshape(1, 16, 16))[1], atol=1e-4)
    assert torch.allclose(flow(z, label), x, atol=1e-4)


@pytest.mark.parametrize("make", [lambda: residual_flow(0), lambda: residual_flow(2, layers=0)])
def test_sizes_must_be_positive(make):
    with pytest.raises(ValueError, match="must be positive"):
        make()


def test_image_flow_needs_layers():
    with pytest.raises(ValueError, match="`layers` must be positive"):
        image_residual_flow((1, 4, 4), layers=0)

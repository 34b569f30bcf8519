"""Block autoregressive networks: triangular, onto, invertible, of mass one."""

import math

import pytest
import torch

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import BlockAutoregressive
from probgen.distributions.testing import REGIMES
from probgen.flows import block_neural_autoregressive_flow


def moved(regime="strong", **given):
    torch.manual_seed(0)
    return REGIMES[regime].apply(BlockAutoregressive(4, **given))


@pytest.mark.parametrize("context_shape", [None, (2,)])
def test_the_jacobian_is_lower_triangular_and_its_diagonal_is_the_log_det(context_shape):
    f = moved(context_shape=context_shape).double()
    context = None if context_shape is None else torch.randn(2, dtype=torch.float64)
    for x in 3 * torch.randn(5, 4, dtype=torch.float64):
        jacobian = torch.autograd.functional.jacobian(lambda v: f(v, context), x)
        assert torch.equal(jacobian, jacobian.tril())
        assert bool((jacobian.tril(-1).abs().sum(-1)[1:] > 0).all())
        torch.testing.assert_close(jacobian.diagonal().log().sum(), f.forward_log_det_jacobian(x, context))


@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("layers", [1, 3])
def test_inverts_at_every_scale_after_weights_moved(scale, layers):
    f = moved(layers=layers, units=6)
    x = scale * torch.randn(100, 4)
    torch.testing.assert_close(f.inverse(f(x)), x, rtol=1e-5, atol=1e-5)


def test_it_is_onto_where_hyperbolic_tangents_alone_are_bounded():
    f = moved().double()
    y = torch.tensor([[1e4, -1e4, 1e4, -1e4], [0.0, 0.0, 0.0, 1e6]], dtype=torch.float64)
    torch.testing.assert_close(f(f.inverse(y)), y)
    far = torch.full((1, 4), 1e9, dtype=torch.float64)
    bounded = f(far) - f._prepared(far, None)[2] * far  # without the leak
    assert bounded.abs().max() < 1e3


def trained(steps=60):
    """A flow after some training on a ring, where the map is far from where it started."""
    torch.manual_seed(0)
    flow = block_neural_autoregressive_flow(2, layers=2, units=6)
    optimizer = torch.optim.Adam(flow.parameters(), 1e-2)
    angle = 2 * math.pi * torch.rand(512)
    x = 2 * torch.stack([angle.cos(), angle.sin()], -1) + 0.2 * torch.randn(512, 2)
    first = last = 0.0
    for step in range(steps):
        loss = -TransformedDistribution(standard_normal(2), flow).log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = (loss.item(), 0.0) if step == 0 else (first, loss.item())
    assert last < first - 0.5
    return flow


def test_trained_it_integrates_to_one_and_draws_what_it_scores():
    flow = trained()
    law = TransformedDistribution(standard_normal(2), flow)
    axis = torch.linspace(-7, 7, 281)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        density = law.log_prob(grid).exp()
        mass = density.sum() * (axis[1] - axis[0]) ** 2
        assert abs(mass - 1) < 2e-3
        z = torch.cat([scale * torch.randn(100, 2) for scale in (1.0, 10.0, 100.0)])
        torch.testing.assert_close(flow.inverse(flow(z)), z, rtol=1e-4, atol=1e-4)


def test_rejects_bad_arguments():
    with pytest.raises(ValueError, match="`units` and `layers` must be at least 1; got 0 and 2"):
        BlockAutoregressive(2, 0)
    with pytest.raises(ValueError, match="`features` must be at least 1; got 0"):
        BlockAutoregressive(0)


@pytest.mark.parametrize("layers", [1, 3])
def test_a_context_enters_the_first_layer_in_both_directions(layers):
    torch.manual_seed(0)
    f = BlockAutoregressive(2, units=3, layers=layers, context_shape=(2,)).double()
    x, context = torch.randn(4, 2, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    y, log_det = f.forward_and_log_det(x, context)
    assert (y - f(x, 0 * context)).abs().min() > 1e-4
    jacobian = torch.func.jacrev(lambda row: f(row, context[0]))(x[0])
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(jacobian)[1])
    torch.testing.assert_close(f.inverse(y, context), x)

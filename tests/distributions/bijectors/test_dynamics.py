"""The right-hand sides that a continuous flow integrates."""

import pytest
import torch

from probgen.distributions.bijectors._dynamics import Dynamics
from probgen.distributions.numerics.divergence import draw_probes

MATRIX = torch.tensor([[1.0, 2.0, 0.0], [0.5, -1.0, 3.0], [0.0, 1.0, 0.5]], dtype=torch.float64)
TIME = torch.tensor(0.5, dtype=torch.float64)


def field(t, x):
    return t * x @ MATRIX.T


def points():
    return torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_all_right_hand_sides_agree():
    x, dynamics = points(), Dynamics(field, event_dim=1)
    velocity = dynamics.velocity(TIME, x)
    value, divergence = dynamics.with_divergence(TIME, (x, torch.zeros(4, 1)))
    slopes = dynamics.with_energies(TIME, (x, torch.zeros(4, 1), torch.zeros(4), torch.zeros(4)))
    assert torch.equal(velocity, field(TIME, x))
    assert torch.equal(dynamics.velocities(TIME, (x,))[0], velocity)
    assert torch.allclose(divergence, 0.5 * MATRIX.trace().expand(4, 1))
    for got, expected in zip(slopes, (value, divergence, velocity.square().sum(-1)), strict=False):
        assert torch.allclose(got, expected)
    assert torch.allclose(slopes[3], 0.25 * MATRIX.square().sum().expand(4))


@pytest.mark.statistical(false_alarm=1e-9)
def test_probes_estimate_divergence_and_norm():
    """A CLT test of 20000 probes each; detects a bias of 5 % of one probe's standard deviation."""
    x = points()[:1]
    probes = draw_probes(20_000, x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    dynamics = Dynamics(field, event_dim=1, probes=probes)
    _, divergence, _, norm = dynamics.with_energies(TIME, (x, torch.zeros(1, 20_000), torch.zeros(1), torch.zeros(1)))
    products = 0.5 * probes[:, 0] @ MATRIX
    for got, expected, draws in (
        (divergence.mean(), 0.5 * MATRIX.trace(), divergence[0]),
        (norm[0], 0.25 * MATRIX.square().sum(), products.square().sum(-1)),
    ):
        assert abs(got - expected) < 6.5 * draws.std() / 20_000**0.5


def test_closed_form_needs_no_differentiation():
    class Known:
        def __call__(self, t, x, context):
            return (context * x).detach()

        def divergence(self, t, x, context):
            return 3 * context[:, 0]

    context = torch.full((4, 1), 2.0, dtype=torch.float64)
    value, divergence = Dynamics(Known(), context, 1).with_divergence(TIME, (points(), torch.zeros(4, 1)))
    assert torch.equal(value, 2 * points())
    assert torch.equal(divergence, torch.full((4, 1), 6.0, dtype=torch.float64))

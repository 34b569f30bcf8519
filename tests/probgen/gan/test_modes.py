"""Modes of a posterior, and what each holds."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import ImplicitDistribution
from probgen.gan import InverseProblem, Modes, find_modes
from tests.probgen.gan import linear_problem as linear


def test_a_linear_generator_has_one_mode_and_laplace_is_exact():
    problem = InverseProblem(linear.law(), linear.mask, noise=linear.NOISE, observed_shape=(2,))
    modes = find_modes(problem, linear.Y, num_restarts=3)
    assert modes.z.shape == (3, 3, 2)
    torch.testing.assert_close(modes.z, linear.posterior()[0].expand(3, 3, 2), atol=1e-3, rtol=0.0)
    torch.testing.assert_close(modes.log_evidence, linear.log_evidence().expand(3, 3), atol=1e-4, rtol=0.0)


def two_sheets():
    """|z| seen with little noise, z being N(1/2, 1): z = 1 is e times as likely as z = -1."""
    law = ImplicitDistribution(dist.Normal(torch.tensor([0.5]).double(), 1.0).to_event(1), torch.abs, (1,))
    return InverseProblem(law, noise=0.1), torch.ones(1, dtype=torch.float64)


def test_both_modes_are_found_with_their_shares():
    problem, y = two_sheets()
    modes = find_modes(problem, y, num_restarts=12).distinct()
    assert modes.z.flatten().sign().tolist() == [1.0, -1.0], "the likelier one first"
    ends = torch.tensor([(1 + 0.005) / 1.01, -(1 - 0.005) / 1.01], dtype=torch.float64)  # (y +- m s^2)/(1 + s^2)
    torch.testing.assert_close(modes.z.flatten(), ends, atol=1e-3, rtol=0.0)
    grid = torch.linspace(-8, 8, 100_001, dtype=torch.float64).unsqueeze(-1)
    joint = problem.log_joint(grid, y).exp().flatten() * (16 / 100_000)
    halves = torch.stack([joint[grid.flatten() > 0].sum(), joint[grid.flatten() < 0].sum()])
    torch.testing.assert_close(modes.log_evidence, halves.log(), atol=1e-4, rtol=0.0)


def test_a_saddle_has_no_evidence():
    """At z = 0 the posterior of z^2 = 4 has a minimum: the search ends elsewhere, and Laplace there would be NaN."""
    from probgen.gan.modes import _laplace_volume

    law = ImplicitDistribution(dist.Normal(torch.zeros(1), 3.0).to_event(1), torch.square, (1,))
    problem, y = InverseProblem(law, noise=0.5), torch.tensor([4.0])
    assert _laplace_volume(problem, torch.zeros(1, 1), y).isnan().all()
    assert find_modes(problem, y, num_restarts=6).log_evidence.isfinite().all()


def test_the_best_stands_first_for_every_observation():
    law = ImplicitDistribution(dist.Normal(torch.zeros(1), 1.0).to_event(1), lambda z: (3 * z).sin() + z, (1,))
    modes = find_modes(InverseProblem(law, noise=0.1), torch.randn(4, 1), num_restarts=8, num_steps=50)
    assert (modes.log_joint[:-1] >= modes.log_joint[1:]).all()
    assert modes.log_joint.shape == (8, 4)
    with pytest.raises(ValueError, match=r"of one observation; these are of a batch \(4,\)"):
        modes.distinct()


def test_networks_get_no_gradients_and_images_are_fine():
    network = torch.nn.Sequential(torch.nn.Linear(4, 12), torch.nn.Tanh(), torch.nn.Unflatten(1, (3, 2, 2)))
    law = ImplicitDistribution(dist.Normal(torch.zeros(2, 2), 1.0).to_event(2), lambda z: network(z.flatten(1)), (3, 2, 2))
    modes = find_modes(InverseProblem(law, noise=0.5), torch.zeros(3, 2, 2), num_restarts=2, num_steps=5)
    assert modes.z.shape == (2, 2, 2)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not modes.z.requires_grad


def test_distances_between_modes():
    z = torch.tensor([[0.0, 0.0], [0.0, 0.3], [1.0, 0.0]])
    modes = Modes(z, torch.tensor([3.0, 2.0, 1.0]), torch.zeros(3))
    assert modes.distinct(0.5).log_joint.tolist() == [3.0, 1.0]
    assert len(modes.distinct(0.1).z) == 3


def test_errors():
    problem, y = two_sheets()
    with pytest.raises(ValueError, match=r"must be positive; got 0, 300 and 0\.1"):
        find_modes(problem, y, num_restarts=0)
    assert math.isfinite(float(find_modes(problem, y, num_restarts=1, num_steps=1).log_joint))

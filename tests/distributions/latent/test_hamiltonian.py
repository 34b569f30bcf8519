"""Hamiltonian transitions leave their density invariant, whatever the step size, and are tuned on chains of their own."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import standard_normal
from probgen.distributions.latent import (
    HamiltonianMove,
    HamiltonianTransition,
    geometric_path,
    hamiltonian_move,
    tuned_hamiltonian,
)


def vector_law():
    factor = torch.tensor([[1.0, 0.0], [0.8, 0.5]], dtype=torch.float64)
    return dist.MultivariateNormal(torch.tensor([1.0, -2.0], dtype=torch.float64), scale_tril=factor)


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize("step_size", [0.15, 0.6])
def test_draws_of_the_density_stay_draws_of_it(step_size):
    """40 000 chains, two moves: first and second moments within 6 standard errors (3 % of a variance)."""
    torch.manual_seed(0)
    law, count = vector_law(), 40_000
    z = law.sample((count,))
    for _ in range(2):
        z = hamiltonian_move(z, law.log_prob, torch.tensor(step_size), event_dim=1, num_leapfrog=4).z
    white = torch.linalg.solve_triangular(law.scale_tril, (z - law.mean).mT, upper=False)
    assert (white.mean(-1).abs() < 6 / math.sqrt(count)).all()
    second = white @ white.mT / count
    room = 6 * torch.tensor([[2.0**0.5, 1.0], [1.0, 2.0**0.5]]).double() / math.sqrt(count)
    assert ((second - torch.eye(2)).abs() < room).all()


def test_without_rejection_the_law_would_be_another():
    """What the statistical test above rests on: at the large step some proposals are refused."""
    torch.manual_seed(0)
    law = vector_law()
    move = hamiltonian_move(law.sample((2000,)), law.log_prob, torch.tensor(0.6), event_dim=1, num_leapfrog=4)
    assert isinstance(move, HamiltonianMove)
    assert 0.3 < float(move.acceptance.mean()) < 0.97
    assert ((move.acceptance >= 0) & (move.acceptance <= 1)).all()


def test_leapfrog_is_reversible_and_of_second_order():
    """The energy error, hence the refusals, fall with the square of the step."""
    torch.manual_seed(0)
    law = vector_law()
    z = law.sample((4000,))
    loss = []
    for size, steps in ((0.2, 5), (0.1, 10)):
        torch.manual_seed(1)
        move = hamiltonian_move(z, law.log_prob, torch.tensor(size), event_dim=1, num_leapfrog=steps)
        loss.append(float(1 - move.acceptance.mean()))
    assert 3 < loss[0] / loss[1] < 5.5


def test_divergence_is_a_refusal():
    """A huge step leaves the chains where they were, without NaN and without an error from the law."""
    z = torch.ones(5, 2)
    move = hamiltonian_move(z, lambda z: -(z**4).sum(-1).exp(), torch.tensor(1e3), event_dim=1)
    assert torch.equal(move.z, z)
    assert float(move.acceptance.max()) == 0.0
    checked = hamiltonian_move(z, dist.Normal(torch.zeros(2), 1e-4).to_event(1).log_prob, torch.tensor(1e6), event_dim=1)
    assert torch.equal(checked.z, z)


def test_every_target_has_its_own_step():
    """A batch of a wide and a narrow law: one size for both would refuse the one or crawl in the other."""
    torch.manual_seed(0)
    scales = torch.tensor([1.0, 0.001])
    start = dist.Normal(torch.zeros(2), 1.0)
    path = geometric_path(start, dist.Normal(torch.zeros(2), scales).log_prob, 60)
    move = tuned_hamiltonian(path, start.sample((20,)), event_dim=0, num_leapfrog=5)
    assert move.step_sizes.shape == (61, 2)
    last = move.step_sizes[60]
    assert 20 < float(last[0] / last[1]) < 20_000
    z = dist.Normal(torch.zeros(2), scales).sample((500,))
    acceptance = hamiltonian_move(z, path.at(60).log_prob, last, event_dim=0, num_leapfrog=5).acceptance.mean(0)
    assert (acceptance > 0.4).all()
    assert torch.equal(move(z, path.at(60)), z) is False


@pytest.mark.parametrize("shape", [(4, 0, 2), (0, 3, 2)])
def test_nothing_to_move(shape):
    law = standard_normal(2)
    move = hamiltonian_move(torch.zeros(shape), law.log_prob, torch.tensor(0.1), event_dim=1)
    assert move.z.shape == shape
    assert move.acceptance.shape == shape[:-1]


def test_parameters_get_no_gradient():
    weight = torch.ones(2, requires_grad=True)
    move = hamiltonian_move(torch.zeros(3, 2), lambda z: -(weight * z.square()).sum(-1), torch.tensor(0.1), event_dim=1)
    assert weight.grad is None
    assert not move.z.requires_grad


def test_misuse():
    start = standard_normal(2)
    path = geometric_path(start, start.log_prob, 3)
    with pytest.raises(ValueError, match="`num_leapfrog` must be at least 1"):
        hamiltonian_move(torch.zeros(1, 2), start.log_prob, torch.tensor(0.1), event_dim=1, num_leapfrog=0)
    for wrong in ({"target": 1.0}, {"first_size": 0.0}, {"rate": -1.0}):
        with pytest.raises(ValueError, match="`target` must lie between 0 and 1"):
            tuned_hamiltonian(path, torch.zeros(1, 2), event_dim=1, **wrong)
    assert HamiltonianTransition(torch.tensor(0.1), 1).num_leapfrog == 10

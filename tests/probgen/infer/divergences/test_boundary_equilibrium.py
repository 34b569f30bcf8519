"""Boundary equilibrium: the balance follows its rule, and the critic reconstructs."""

import pytest
import torch

from probgen.infer import BoundaryEquilibrium, ReconstructionCritic


def test_losses_are_the_paper_s():
    divergence, real, fake = BoundaryEquilibrium(0.7, 0.1), torch.rand(5), torch.rand(6)
    divergence.balance.fill_(0.3)
    torch.testing.assert_close(divergence.critic_loss(real, fake), real.mean() - 0.3 * fake.mean())
    torch.testing.assert_close(divergence.generator_loss(fake), fake.mean())
    measure = real.mean() + (0.7 * real.mean() - fake.mean()).abs()
    torch.testing.assert_close(divergence.estimate(real, fake), measure)


def test_balance_moves_by_the_imbalance_and_stays_in_the_unit_interval():
    divergence = BoundaryEquilibrium(0.5, 0.1)
    divergence.advance(torch.tensor([4.0]), torch.tensor([1.0]))
    assert divergence.balance == pytest.approx(0.1)
    divergence.advance(torch.tensor([4.0]), torch.tensor([3.0]))
    assert divergence.balance == pytest.approx(0.0)
    divergence.advance(torch.tensor([4.0]), torch.tensor([9.0]))
    assert divergence.balance == 0
    for _ in range(10):
        divergence.advance(torch.tensor([4.0]), torch.tensor([0.0]))
    assert divergence.balance == 1


def test_balance_holds_where_the_ratio_is_gamma():
    divergence = BoundaryEquilibrium(0.5, 0.1)
    divergence.balance.fill_(0.4)
    divergence.advance(torch.tensor([4.0, 2.0]), torch.tensor([1.5]))
    assert divergence.balance == pytest.approx(0.4)


def test_balance_is_saved_and_carries_no_graph():
    divergence, real = BoundaryEquilibrium(0.5, 0.1), torch.ones(3, requires_grad=True)
    divergence.advance(real, 0 * real)
    assert not divergence.balance.requires_grad
    fresh = BoundaryEquilibrium(0.5, 0.1)
    fresh.load_state_dict(divergence.state_dict())
    assert fresh.balance == divergence.balance == pytest.approx(0.05)


def test_advance_does_not_spoil_the_loss_that_was_taken():
    divergence, fake = BoundaryEquilibrium(0.5, 0.1), torch.ones(2, requires_grad=True)
    loss = divergence.critic_loss(torch.full((2,), 9.0), fake)
    divergence.advance(torch.full((2,), 9.0), fake.detach())
    loss.backward()
    assert torch.equal(fake.grad, torch.zeros(2))  # the balance was zero when the loss was taken


@pytest.mark.parametrize(("power", "errors"), [(1.0, [1.5, 0.0]), (2.0, [4.5, 0.0])])
def test_reconstruction_errors_are_means_over_the_event(power, errors):
    critic = ReconstructionCritic(torch.nn.ReLU(), power)
    x = torch.tensor([[[1.0], [-3.0]], [[0.0], [2.0]]])
    assert torch.equal(critic(x), torch.tensor(errors))
    assert critic(x[:0]).shape == (0,)
    assert torch.equal(critic(torch.tensor([-2.0, 1.0])), torch.tensor([2.0**power, 0.0]))


def test_reconstruction_takes_a_context():
    class Add(torch.nn.Module):
        def forward(self, x, context):
            return x + context

    assert torch.equal(ReconstructionCritic(Add())(torch.zeros(2, 3), torch.ones(2, 1)), torch.ones(2))


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="`gamma` must be in"):
        BoundaryEquilibrium(gamma=0.0)
    with pytest.raises(ValueError, match="`rate` must be positive"):
        BoundaryEquilibrium(rate=0.0)
    with pytest.raises(ValueError, match="`power` must be at least 1"):
        ReconstructionCritic(torch.nn.Identity(), 0.5)
    with pytest.raises(ValueError, match="`autoencoder` must return shape"):
        ReconstructionCritic(torch.nn.Linear(3, 2))(torch.zeros(4, 3))

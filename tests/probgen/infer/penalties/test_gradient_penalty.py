"""The gradient penalty: zero for a critic of slope one, one norm for each example."""

import pytest
import torch

from probgen.infer import GradientPenalty, Wasserstein
from probgen.infer.penalties.penalty import gradient_at


def of_slope(size, features=16):
    """A linear critic whose gradient has the given norm."""
    direction = torch.randn(features, dtype=torch.float64)
    direction = size * direction / direction.norm()
    return lambda x: x @ direction


@pytest.mark.parametrize("batch", [1, 64])
def test_a_critic_of_slope_one_costs_nothing(batch):
    real, fake = torch.randn(2, batch, 16, dtype=torch.float64)
    assert float(GradientPenalty(1.0)(of_slope(1.0), real, fake)) == pytest.approx(0.0, abs=1e-24)


def test_a_norm_over_the_batch_would_be_found():
    # A known mistake: one norm for the whole batch; 64 gradients of norm one make (8 - 1)^2.
    real, critic = torch.randn(64, 16, dtype=torch.float64), of_slope(1.0)
    mistaken = (gradient_at(critic, real).norm(2) - 1).square()
    assert float(mistaken) == pytest.approx(49.0)


@pytest.mark.parametrize(("size", "two_sided", "one_sided"), [(3.0, 4.0, 4.0), (0.5, 0.25, 0.0), (0.0, 1.0, 0.0)])
def test_linear_critics(size, two_sided, one_sided):
    real, fake = torch.randn(2, 64, 16, dtype=torch.float64)
    critic = of_slope(size)
    assert float(GradientPenalty(1.0)(critic, real, fake)) == pytest.approx(two_sided)
    assert float(GradientPenalty(1.0, one_sided=True)(critic, real, fake)) == pytest.approx(one_sided)


def test_points_lie_between_and_each_has_its_own_place():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.sum((1, 2))

    real, fake = torch.zeros(50, 2, 3), torch.ones(50, 2, 3)
    GradientPenalty()(critic, real, fake)
    (x,) = seen
    assert torch.equal(x, x[:, :1, :1].expand_as(x))
    assert ((x >= 0) & (x <= 1)).all()
    assert len(x[:, 0, 0].unique()) == 50


def test_on_the_line_the_wrong_slope_is_held_unless_one_sided():
    real, fake = torch.zeros(8, 1, dtype=torch.float64), torch.full((8, 1), 2.0, dtype=torch.float64)

    def push(slope, **settings):
        """Minus the derivative of the critic's loss by its slope: right is -1."""
        slope, divergence = torch.tensor(slope, dtype=torch.float64, requires_grad=True), Wasserstein(**settings)
        loss = divergence.critic_loss(slope * real, slope * fake)
        loss = loss + divergence.penalties[0](lambda x: slope * x, real, fake)
        return -float(torch.autograd.grad(loss, slope)[0])

    assert push(0.5, gradient_penalty=10.0) > 0 > push(0.95, gradient_penalty=10.0)
    assert push(0.9, gradient_penalty=10.0) == pytest.approx(0.0)
    assert push(0.5, lipschitz_penalty=10.0) == push(0.01, lipschitz_penalty=10.0) == -2


def test_unequal_numbers_are_refused():
    with pytest.raises(ValueError, match="points between data and draws need equal shapes"):
        GradientPenalty()(of_slope(1.0), torch.zeros(3, 16), torch.zeros(4, 16))

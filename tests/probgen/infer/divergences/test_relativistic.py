"""Relativistic divergences: pairs, averages, and the papers' formulas."""

import pytest
import torch
from torch.nn.functional import logsigmoid, relu

from probgen.infer import EnergyDistance, FDivergence, Hinge, LeastSquares, Minimax, NonSaturating, Relativistic, Wasserstein
from tests.probgen.infer.divergences.line import LOG_RATIO, expected_estimate, normal

REAL, FAKE = torch.tensor([0.3, -1.2, 2.0]), torch.tensor([0.9, 0.1, -0.4])


def test_pairs_of_a_cross_entropy_are_the_paper_s():
    divergence = Relativistic(NonSaturating())
    torch.testing.assert_close(divergence.critic_loss(REAL, FAKE), -logsigmoid(REAL - FAKE).mean())
    torch.testing.assert_close(divergence.generator_loss(FAKE, REAL), -logsigmoid(FAKE - REAL).mean())


def test_averages_are_the_paper_s():
    real, fake = REAL - FAKE.mean(), FAKE - REAL.mean()
    hinge, squares = Relativistic(Hinge(), average=True), Relativistic(LeastSquares(-1.0, 1.0, 1.0), average=True)
    entropy = Relativistic(NonSaturating(), average=True)
    torch.testing.assert_close(entropy.critic_loss(REAL, FAKE), -logsigmoid(real).mean() - logsigmoid(-fake).mean())
    torch.testing.assert_close(entropy.generator_loss(FAKE, REAL), -logsigmoid(fake).mean() - logsigmoid(-real).mean())
    torch.testing.assert_close(hinge.critic_loss(REAL, FAKE), relu(1 - real).mean() + relu(1 + fake).mean())
    torch.testing.assert_close(hinge.generator_loss(FAKE, REAL), relu(1 - fake).mean() + relu(1 + real).mean())
    both = ((real - 1).square().mean() + (fake + 1).square().mean()) / 2
    torch.testing.assert_close(squares.critic_loss(REAL, FAKE), both)


@pytest.mark.parametrize("average", [False, True])
def test_a_constant_added_to_the_critic_changes_nothing(average):
    divergence = Relativistic(FDivergence("pearson"), average=average)
    torch.testing.assert_close(divergence.critic_loss(REAL + 5, FAKE + 5), divergence.critic_loss(REAL, FAKE))
    torch.testing.assert_close(divergence.estimate(REAL + 5, FAKE + 5), divergence.estimate(REAL, FAKE))


def test_other_bases_give_bounds_of_their_divergence_of_pairs():
    # log-ratio of pairs is y - x: N(1, 2) and N(-1, 2), so normal laws sqrt 2 apart
    total_variation = 2 * torch.distributions.Normal(0.0, 1.0).cdf(torch.tensor(0.5**0.5)) - 1
    p, q = normal(0.0), normal(2.0**0.5)
    triangular = float(((p - q).square() / (p + q)).nan_to_num().sum())
    for slope in (0.1, 0.3, 0.5):
        assert 0 < expected_estimate(Relativistic(Hinge()), slope * LOG_RATIO) < total_variation
        assert 0 < expected_estimate(Relativistic(LeastSquares(-1.0, 1.0)), slope * LOG_RATIO) < triangular


def test_average_of_a_convex_loss_is_not_more_than_that_of_pairs():
    # Jensen: the mean stands inside.
    pairs = torch.cartesian_prod(REAL, FAKE)
    of_pairs = 2 * Relativistic(NonSaturating()).critic_loss(pairs[:, 0], pairs[:, 1])
    assert Relativistic(NonSaturating(), average=True).critic_loss(REAL, FAKE) < of_pairs


def test_average_over_two_states_is_a_divergence():
    # p = (1/4, 3/4), q = (3/4, 1/4): the best difference of outputs is positive where p is larger, and gains.
    divergence = Relativistic(NonSaturating(), average=True)
    differences = torch.linspace(-3, 3, 121)
    gains = []
    for d in differences:
        real, fake = torch.stack([0 * d, d, d, d]), torch.stack([0 * d, 0 * d, 0 * d, d])
        gains.append(divergence.estimate(real, fake))
    gains = torch.stack(gains)
    assert gains.max() > 0.1
    assert differences[gains.argmax()] > 0.1
    assert gains[60] == 0


def test_generator_is_moved_by_data_too():
    real = REAL.clone().requires_grad_()
    gradient = torch.autograd.grad(Relativistic(NonSaturating()).generator_loss(FAKE, real), real)[0]
    assert (gradient > 0).all()


def test_what_is_best_is_known_for_pairs_of_a_cross_entropy_only():
    assert torch.equal(Relativistic(Minimax()).best_output(REAL), REAL)
    for other in (Relativistic(Hinge()), Relativistic(Minimax(), average=True)):
        with pytest.raises(NotImplementedError):
            other.best_output(REAL)


def test_arguments_are_checked():
    with pytest.raises(TypeError, match="`base` must be a pointwise divergence"):
        Relativistic(EnergyDistance())
    with pytest.raises(ValueError, match="as many draws as data"):
        Relativistic(Hinge()).critic_loss(REAL, FAKE[:2])
    assert Relativistic(Hinge(), average=True).critic_loss(REAL, FAKE[:2]).isfinite()


def test_what_holds_the_base_s_critic_holds_it_in_pairs_too():
    (penalty,) = Relativistic(Wasserstein(gradient_penalty=10.0)).penalties
    assert penalty.weight == 10.0
    assert not Relativistic(Hinge()).penalties
    critic = torch.nn.Linear(2, 1)
    Relativistic(Wasserstein(clip=0.01)).constrain(critic)
    assert max(float(parameter.detach().abs().max()) for parameter in critic.parameters()) <= 0.01

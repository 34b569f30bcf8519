"""The Dirac-GAN: data are a point at zero, draws a point at theta, the critic is psi x. Which methods converge?

The vector field of a game is how its players move: each by minus the gradient of its own loss. Its Jacobian at the
equilibrium says what happens near it. Everything is taken from our losses by automatic differentiation.
"""

import math

import numpy
import pytest
import torch

from probgen.infer import R1, FDivergence, GradientPenalty, Minimax, NonSaturating, Relativistic, Wasserstein

STEP = 0.1


def field(divergence, penalty=None, level=0.0):
    """How (theta, psi) move: ``[2]`` to ``[2]``, differentiable; the critic is level + psi x."""

    def moves(players):
        theta, psi = players
        real, fake = torch.zeros(1, 1, dtype=torch.float64), theta.reshape(1, 1)

        def critic(x):
            return level + psi * x[:, 0]

        of_critic = divergence.critic_loss(critic(real), critic(fake))
        if penalty is not None:
            of_critic = of_critic + penalty(critic, real, fake)
        of_generator = divergence.generator_loss(critic(fake), critic(real))
        by_theta = torch.autograd.grad(of_generator, theta, create_graph=True)[0]
        by_psi = torch.autograd.grad(of_critic, psi, create_graph=True)[0]
        return torch.stack([-by_theta, -by_psi])

    return moves


def jacobian(moves):
    """The Jacobian of one round at the equilibrium."""
    return torch.autograd.functional.jacobian(moves, torch.zeros(2, dtype=torch.float64))


def eigenvalues(matrix):
    found = numpy.linalg.eigvals(matrix.numpy())
    return sorted(found, key=lambda value: (value.imag, value.real))


def together(moves):
    """Both players step at once."""
    return lambda players: players + STEP * moves(players)


def in_turn(moves):
    """The critic steps, then the generator, who sees where the critic has gone."""

    def step(players):
        moved = players[1] + STEP * moves(players)[1]
        return torch.stack([players[0] + STEP * moves(torch.stack([players[0], moved]))[0], moved])

    return step


def extrapolated(moves):
    """Extra-gradient: a step from where the gradient points to, with the gradient found there."""
    return lambda players: players + STEP * moves(players + STEP * moves(players))


def radius(step):
    return max(abs(value) for value in eigenvalues(jacobian(step)))


@pytest.mark.parametrize("divergence", [Minimax(), NonSaturating()], ids=["minimax", "non_saturating"])
def test_without_a_penalty_the_game_turns_and_steps_lead_away(divergence):
    moves = field(divergence)
    assert eigenvalues(jacobian(moves)) == pytest.approx([-0.5j, 0.5j])
    assert radius(together(moves)) == pytest.approx(1.001249, abs=1e-6)
    assert radius(together(moves)) == pytest.approx(math.sqrt(1 + (STEP / 2) ** 2))


@pytest.mark.parametrize(
    ("weight", "expected"), [(1.0, [-0.5, -0.5]), (0.3, [-0.15 - 0.47696960j, -0.15 + 0.47696960j])], ids=["1", "0.3"]
)
def test_zero_centered_penalty_turns_the_circle_into_a_spiral_inwards(weight, expected):
    moves = field(Minimax(), R1(weight))
    assert eigenvalues(jacobian(moves)) == pytest.approx(expected, abs=1e-7)
    assert radius(together(moves)) < 1


def test_alternation_keeps_its_distance_and_extrapolation_approaches():
    moves = field(Minimax())
    assert radius(in_turn(moves)) == pytest.approx(1.0, abs=1e-12)
    expected = abs(1 + 0.5j * STEP + (0.5j * STEP) ** 2)
    assert radius(extrapolated(moves)) == pytest.approx(expected)
    assert expected < 1


def test_wasserstein_turns_twice_as_fast_and_a_slope_of_one_does_not_help():
    moves = field(Wasserstein())
    assert eigenvalues(jacobian(moves)) == pytest.approx([-1j, 1j])
    # With a penalty towards slope one the critic has no equilibrium at psi = 0: it is pushed away from it.
    pushed = field(Wasserstein(), GradientPenalty(1.0))
    near = torch.tensor([0.0, 0.01], dtype=torch.float64, requires_grad=True)
    assert pushed(near)[1] > 0.5


@pytest.mark.parametrize("name", ["kl", "reverse_kl", "hellinger", "jensen_shannon", "pearson"])
def test_f_divergences_turn_with_the_curvature_of_their_function(name):
    # At the equilibrium outputs are those of equal laws; the frequency is T'(v) there.
    divergence = FDivergence(name)
    level = divergence.best_output(torch.zeros((), dtype=torch.float64))

    at = level.clone().requires_grad_()
    slope = torch.autograd.grad(divergence.activation(at), at)[0].item()
    assert eigenvalues(jacobian(field(divergence, level=level))) == pytest.approx([-1j * slope, 1j * slope])


def test_relativistic_pairs_turn_as_the_plain_game():
    assert eigenvalues(jacobian(field(Relativistic(NonSaturating())))) == pytest.approx([-0.5j, 0.5j])


def test_trajectories_do_what_the_eigenvalues_say():
    start = torch.tensor([0.0, 0.3], dtype=torch.float64)

    def after(step, rounds=150):
        players = start
        for _ in range(rounds):
            players = step(players.detach().requires_grad_()).detach()
        return float(players.norm())

    assert after(together(field(Minimax()))) > 0.35
    assert after(together(field(Minimax(), R1(1.0)))) < 2e-3
    assert 0.25 < after(in_turn(field(Minimax()))) < 0.35

"""Objectives and players."""

import pytest
import torch

from probgen.infer import Objective, Player
from probgen.infer.objective import only_player, players_of
from tests.probgen.infer.programs import Game, Gaussian


class Empty(Objective):
    pass


def test_one_player_by_default():
    model = Gaussian()
    assert players_of(model)["model"].parameters == tuple(model.parameters())
    assert list(players_of(Game())) == ["critic", "model"]


def test_a_player_needs_parameters_and_steps():
    with pytest.raises(ValueError, match="the player 'model' of Empty has no parameters"):
        players_of(Empty())
    with pytest.raises(ValueError, match="'critic' must take at least one step in a round; got 0"):
        players_of(Game(critic_steps=0))


def test_only_player_restores_flags_and_keeps_frozen_parameters_frozen():
    game = Game()
    game.critic.bias.requires_grad_(False)
    with only_player(game, Player((game.shift,))):
        assert [p.requires_grad for p in game.parameters()] == [True, False, False]
    assert [p.requires_grad for p in game.parameters()] == [True, True, False]
    assert torch.is_grad_enabled()

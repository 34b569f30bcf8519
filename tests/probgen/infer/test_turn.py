"""What each player brings along."""

import pytest
import torch

from probgen.infer import EMA
from probgen.infer.turn import OptimizerFactory, ScheduleFactory, Turn, adam, turns_of
from tests.probgen.infer.programs import Game, Gaussian


class Fabric:
    """What of a launched Fabric is used, with one device, but not said to be bare."""

    strategy = None
    backward = staticmethod(torch.Tensor.backward)

    def setup_module(self, module):
        self.free = [*getattr(self, "free", []), [p.requires_grad for p in module.parameters()]]
        return module

    def setup_optimizers(self, optimizer):
        return optimizer


def decay(optimizer):
    return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)


def test_default_optimizer_is_fused_adam():
    factory: OptimizerFactory = adam
    optimizer = factory(Gaussian().parameters())
    assert optimizer.defaults["fused"]
    assert optimizer.defaults["lr"] == 1e-3


def test_every_player_gets_what_is_its_own():
    game, fabric = Game(critic_steps=2), Fabric()
    rate: ScheduleFactory = decay
    turns = turns_of(game, fabric, None, rate, {"critic": 2.0, "model": None})
    assert [turn.name for turn in turns] == ["critic", "critic", "model"]
    assert [turn.clip_norm for turn in turns] == [2.0, 2.0, None]
    assert fabric.free == [[False, True, True], [True, False, False]]  # data-parallel wrappers reduce what wants a gradient
    first, _, last = turns
    assert isinstance(first, Turn)
    assert first.schedule is not last.schedule
    with last.only():
        assert [p.requires_grad for p in game.parameters()] == [True, False, False]
    assert all(p.requires_grad for p in game.parameters())


def test_an_average_moves_with_its_own_player():
    game = Game()
    critic, _, model = turns_of(game, Fabric(), None, None)
    assert [critic.moves(EMA(game)), model.moves(EMA(game))] == [True, True]
    assert [critic.moves(EMA(game.critic)), model.moves(EMA(game.critic))] == [True, False]
    assert not critic.moves(None)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="`clip_norm` has no entry for the player 'model'"):
        turns_of(Game(), Fabric(), None, None, {"critic": 1.0})
    with pytest.raises(ValueError, match="a factory each"):
        turns_of(Game(), Fabric(), torch.optim.SGD([torch.zeros(1)], 0.1), None)
    with pytest.raises(TypeError, match="must return a torch optimizer for player 'critic'; got float"):
        turns_of(Game(), Fabric(), lambda p: 0.1, None)

r"""What belongs to one player of a training run, found once, before the first step.

A *turn* is one step of one player on one batch. In it only the player's parameters want gradients, its optimizer, schedule and
clipping apply, and those moving averages advance that average some of its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from probgen.infer.ema import EMA
from probgen.infer.objective import Player, constant, only_player, players_of

__all__ = ["OptimizerFactory", "ScheduleFactory", "Turn", "adam", "is_bare", "turns_of"]

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
ScheduleFactory = Callable[[Optimizer], Any]


def adam(parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Return the default optimizer: fused Adam with learning rate 1e-3.

    Args:
        parameters: What to optimize.

    Example:
        >>> import torch
        >>> from probgen.infer.turn import adam
        >>> adam([torch.nn.Parameter(torch.zeros(1))]).defaults["lr"]
        0.001
    """
    return torch.optim.Adam(parameters, lr=1e-3, fused=True)


@dataclass
class Turn:
    """What belongs to one player.

    Attributes:
        name: The player's name.
        player: Its parameters and steps.
        alone: Whether it is the only player.
        others: Parameters of the objective that are not its own.
        module: The objective in this player's data-parallel and precision wrapper, or bare where that would do nothing.
        backward: Computes the gradient of a loss.
        optimizer: Its optimizer, set up by Fabric, or bare.
        schedule: Its learning-rate scheduler, or None.
        clip_norm: Largest norm of its gradient, or None.

    Example:
        >>> import torch
        >>> from probgen.infer import Player
        >>> from probgen.infer.turn import Turn
        >>> net = torch.nn.Linear(1, 1)
        >>> turn = Turn("bias", Player((net.bias,)), False, (net.weight,), net, torch.Tensor.backward, None, None, None)
        >>> with turn.only():
        ...     net.weight.requires_grad, net.bias.requires_grad
        (False, True)
    """

    name: str
    player: Player
    alone: bool
    others: tuple[nn.Parameter, ...]
    module: Any
    backward: Callable[[Tensor], Any]
    optimizer: Any
    schedule: Any
    clip_norm: float | None

    def only(self) -> AbstractContextManager[None]:
        """A context in which gradients flow to this player's parameters only."""
        return nullcontext() if self.alone else constant(self.others)

    def moves(self, average: EMA | None) -> bool:
        """Whether an average advances after this player's steps: some of what it averages is the player's own.

        Args:
            average: A moving average, or None.
        """
        own = {id(parameter) for parameter in self.player.parameters}
        return average is not None and (self.alone or any(id(value) in own for value in average.module.parameters()))


def turns_of(
    objective: nn.Module,
    fabric: Any,
    optimizer: OptimizerFactory | Mapping[str, OptimizerFactory] | Optimizer | None,
    schedule: ScheduleFactory | Mapping[str, ScheduleFactory] | None,
    clip_norm: float | Mapping[str, float | None] | None = None,
) -> list[Turn]:
    """The turns of one round, in order: every player's as often as it steps.

    Args:
        objective: A loss as a module.
        fabric: A launched Lightning Fabric.
        optimizer: As for ``infer.fit``.
        schedule: As for ``infer.fit``.
        clip_norm: As for ``infer.fit``.

    Raises:
        ValueError: a mapping lacks a player, or one optimizer is given for several.
        TypeError: a factory returns no optimizer.

    Example:
        >>> import torch
        >>> from lightning_fabric import Fabric
        >>> from probgen.infer.turn import turns_of
        >>> [turn.name for turn in turns_of(torch.nn.Linear(1, 1), Fabric(accelerator="cpu"), None, None)]
        ['model']
    """
    players, bare = players_of(objective), is_bare(fabric)
    turns: list[Turn] = []
    for name, player in players.items():
        alone = len(players) == 1
        with nullcontext() if alone else only_player(objective, player):  # data-parallel wrappers look at requires_grad
            module = objective if bare else fabric.setup_module(objective)
        own = {id(parameter) for parameter in player.parameters}
        others = tuple(parameter for parameter in objective.parameters() if id(parameter) not in own)
        plain = _optimizer(_for_player(optimizer, name, "optimizer"), name, player, alone=alone)
        rate = _for_player(schedule, name, "schedule")
        stepper = plain if bare else fabric.setup_optimizers(plain)
        tools = Tensor.backward if bare else fabric.backward, stepper, rate(plain) if rate else None
        turns += [Turn(name, player, alone, others, module, *tools, _for_player(clip_norm, name, "clip_norm"))] * player.steps
    return turns


def is_bare(fabric: Any) -> bool:
    """Whether Fabric's wrappers would only cost time: one process, one device, full precision.

    Args:
        fabric: A launched Lightning Fabric.

    Example:
        >>> from lightning_fabric import Fabric
        >>> from probgen.infer.turn import is_bare
        >>> is_bare(Fabric(accelerator="cpu")), is_bare(Fabric(accelerator="cpu", precision="bf16-mixed"))
        (True, False)
    """
    from lightning_fabric.plugins.precision import Precision
    from lightning_fabric.strategies.single_device import SingleDeviceStrategy

    strategy = fabric.strategy
    return type(strategy) is SingleDeviceStrategy and type(strategy.precision) is Precision


def _for_player(given: Any, name: str, argument: str) -> Any:
    if not isinstance(given, Mapping):
        return given
    if name not in given:
        raise ValueError(f"`{argument}` has no entry for the player {name!r}; got {sorted(given)}.")
    return given[name]


def _optimizer(given: Any, name: str, player: Player, *, alone: bool) -> Optimizer:
    if isinstance(given, Optimizer):
        if not alone:
            raise ValueError("several players need a factory each in `optimizer`; got one optimizer for all.")
        return given
    optimizer = (given or adam)(list(player.parameters))
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"`optimizer` must return a torch optimizer for player {name!r}; got {type(optimizer).__name__}.")
    return optimizer

r"""What every objective is: a module that returns one scalar, and the players that minimize it.

Most objectives have one player, who owns all parameters. A game such as adversarial training has several: player
:math:`k` owns the parameters :math:`\theta_k` and minimizes its own loss :math:`L_k(\theta)` in :math:`\theta_k` alone, some
number of steps in every round. ``infer.fit`` plays the rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from torch import nn

__all__ = ["Objective", "Player", "constant", "only_player", "players_of"]


class Player(NamedTuple):
    """One player of an objective.

    Attributes:
        parameters: What the player may change.
        steps: How many steps it takes in every round.

    Example:
        >>> import torch
        >>> from probgen.infer import Player
        >>> Player((torch.nn.Parameter(torch.zeros(2)),)).steps
        1
    """

    parameters: tuple[nn.Parameter, ...]
    steps: int = 1


class Objective(nn.Module):
    """A loss as a module (abstract): ``forward(*batch, player=...)`` returns one scalar tensor, without reading it.

    Args of ``forward``: the batch as positional or keyword arguments; an objective with several players also takes
    ``player``, the name of the one whose loss is asked for.

    Example:
        >>> import torch
        >>> from probgen.infer import Objective
        >>> class Square(Objective):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.x = torch.nn.Parameter(torch.tensor(3.0))
        ...
        ...     def forward(self):
        ...         return self.x**2
        >>> list(Square().players)
        ['model']
    """

    @property
    def players(self) -> Mapping[str, Player]:
        """Name to :class:`Player`; by default one, named "model", that owns every parameter."""
        return {"model": Player(tuple(self.parameters()))}


def players_of(objective: nn.Module) -> Mapping[str, Player]:
    """Return the players of any module that returns a loss.

    Args:
        objective: An objective, or a plain module (one player, "model").

    Raises:
        ValueError: there is no player, or one without parameters or without steps.

    Example:
        >>> import torch
        >>> from probgen.infer.objective import players_of
        >>> {name: player.steps for name, player in players_of(torch.nn.Linear(1, 1)).items()}
        {'model': 1}
    """
    players: Mapping[str, Player] = getattr(objective, "players", None) or {"model": Player(tuple(objective.parameters()))}
    for name, player in players.items():
        if not player.parameters:
            raise ValueError(f"the player {name!r} of {type(objective).__name__} has no parameters.")
        if player.steps < 1:
            raise ValueError(f"the player {name!r} must take at least one step in a round; got {player.steps}.")
    return players


@contextmanager
def only_player(objective: nn.Module, player: Player) -> Iterator[None]:
    """Let gradients flow to one player's parameters only; all others are constants inside the context.

    Freezing the others gives exactly the gradient of ``backward(inputs=player.parameters)``, and never leaves one behind on
    somebody else's parameters; it also saves computing what would be thrown away.

    Args:
        objective: Holds the parameters of all players.
        player: Whose parameters stay free.

    Example:
        >>> import torch
        >>> from probgen.infer import Player
        >>> from probgen.infer.objective import only_player
        >>> net = torch.nn.Linear(1, 1)
        >>> with only_player(net, Player((net.bias,))):
        ...     net(torch.ones(1)).sum().backward()
        >>> net.weight.grad, net.bias.grad
        (None, tensor([1.]))
    """
    own = {id(parameter) for parameter in player.parameters}
    with constant([parameter for parameter in objective.parameters() if id(parameter) not in own]):
        yield


@contextmanager
def constant(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Inside, these parameters want no gradient; afterwards those want one again that did before.

    Args:
        parameters: What to freeze.

    Example:
        >>> import torch
        >>> from probgen.infer.objective import constant
        >>> weight = torch.nn.Parameter(torch.ones(1))
        >>> with constant([weight]):
        ...     weight.requires_grad
        False
        >>> weight.requires_grad
        True
    """
    frozen = [parameter for parameter in parameters if parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad = True

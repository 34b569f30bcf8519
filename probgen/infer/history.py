"""What happened during training, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["History"]


@dataclass
class History:
    """The record that ``infer.fit`` returns; lists of numbers, ready to plot.

    Attributes:
        losses: The loss of every step, in the units of the objective.
        players: Who took that step.
        validation: Pairs (step, value).
        best: The (step, value) of the lowest validation value, if any.
        seconds: Wall time spent training, over all resumptions.
        epochs: How many times the data was passed in full.
        interrupted: Whether training ended by Ctrl-C.
        stopped: Whether a callback ended training early.

    Example:
        >>> from probgen.infer import History
        >>> History(losses=[3.0, 2.0, 1.0], players=["a", "b", "a"]).of("a")
        [3.0, 1.0]
    """

    losses: list[float] = field(default_factory=list)
    players: list[str] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    best: tuple[int, float] | None = None
    seconds: float = 0.0
    epochs: int = 0
    interrupted: bool = False
    stopped: bool = False

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return len(self.losses)

    def of(self, player: str) -> list[float]:
        """Return the losses of one player's steps."""
        return [loss for loss, name in zip(self.losses, self.players, strict=True) if name == player]

    def state_dict(self) -> dict[str, Any]:
        """Return the record as a dictionary of plain values."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        for name, value in state.items():
            setattr(self, name, value)
        self.interrupted = self.stopped = False

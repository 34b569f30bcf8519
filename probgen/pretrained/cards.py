"""What is said of a pretrained model: of what data, how it was made, what it scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

__all__ = ["ModelCard"]


@dataclass(frozen=True)
class ModelCard:
    """The card of a pretrained model; ``str`` gives it as text.

    Attributes:
        name: What ``load_pretrained`` takes.
        family: Flow, autoregressive model, ...
        model: The recipe with its options.
        data: The data, their license, which part the model was trained on.
        units: What a value of the model means.
        given: What the model takes as context.
        command: What trained it.
        seconds: Processor time of training.
        steps: Steps of the optimizer.
        parameters: Numbers in the file.
        scores: Name of a figure to the figure, all on test images that training did not see.
        software: Versions, machine.
        limits: What it is not for.

    Example:
        >>> from probgen.pretrained import pretrained_card
        >>> card = pretrained_card("glow-digits")
        >>> card.family, card.parameters < 500_000
        ('normalizing flow', True)
    """

    name: str
    family: str
    model: str
    data: str
    units: str
    given: str
    command: str
    seconds: float
    steps: int
    parameters: int
    scores: Mapping[str, str]
    software: str
    limits: str

    def __str__(self) -> str:
        rows = {key: value for key, value in asdict(self).items() if key not in ("scores", "seconds", "steps", "parameters")}
        rows["training"] = f"{self.steps:,} steps, {self.seconds:.0f} s of one processor"
        rows["parameters"] = f"{self.parameters:,}"
        rows |= {f"score: {key}": value for key, value in self.scores.items()}
        width = max(map(len, rows))
        return "\n".join(f"{key:{width}}  {value}" for key, value in rows.items())

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what ``write`` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

"""Hooks into training, and the ready-made ones: early stopping and the progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probgen.infer.training import Training

__all__ = ["Callback", "EarlyStopping", "ProgressBar"]


class Callback:
    """What may be done at set points of training (abstract); override any hook.

    Every hook gets the :class:`~probgen.infer.training.Training`: its ``step``, ``epoch``, ``history``, ``objective``,
    ``fabric`` and ``stop()``. A callback with state implements ``state_dict`` and ``load_state_dict``; both go through
    checkpoints.

    Example:
        >>> from probgen.infer import Callback
        >>> class Stop(Callback):
        ...     def on_step_end(self, training):
        ...         if training.step == 10:
        ...             training.stop()
        >>> Stop().state_dict()
        {}
    """

    def on_fit_start(self, training: Training) -> None:
        """Called once before the first step, after a checkpoint was restored."""

    def on_gradient(self, training: Training) -> None:
        """Called after the gradient of a step was computed, before clipping and the optimizer."""

    def on_step_end(self, training: Training) -> None:
        """Called after every step; ``training.step`` counts it already."""

    def on_validation_end(self, training: Training) -> None:
        """Called after every validation; its value is the last of ``training.history.validation``."""

    def on_log(self, training: Training) -> None:
        """Called whenever losses were read from the device into ``training.history``."""

    def on_fit_end(self, training: Training) -> None:
        """Called once at the end, also after an error."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""


class EarlyStopping(Callback):
    """Stop when the validation value has not improved for a while.

    Args:
        patience: How many validations without improvement are tolerated.
        min_delta: What counts as an improvement.

    Raises:
        ValueError: ``patience`` is not positive.

    Example:
        >>> from probgen.infer import EarlyStopping
        >>> EarlyStopping(patience=3).state_dict()
        {'best': None, 'waited': 0}
    """

    def __init__(self, patience: int = 5, min_delta: float = 0.0) -> None:
        if patience < 1:
            raise ValueError(f"`patience` must be at least 1; got {patience}.")
        self.patience = patience
        self.min_delta = min_delta
        self.best: float | None = None
        self.waited = 0

    def on_validation_end(self, training: Training) -> None:
        """Compare with the best value so far."""
        value = training.history.validation[-1][1]
        if self.best is None or value < self.best - self.min_delta:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            training.stop()

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and how long it has stood."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.best, self.waited = state["best"], state["waited"]


class ProgressBar(Callback):
    """A tqdm bar on rank 0 with the latest loss and validation value.

    Example:
        >>> from probgen.infer import ProgressBar
        >>> ProgressBar().state_dict()
        {}
    """

    def __init__(self) -> None:
        self._bar: Any = None

    def on_fit_start(self, training: Training) -> None:
        """Open the bar."""
        if training.fabric.is_global_zero:
            from tqdm import tqdm

            self._bar = tqdm(total=training.expected_steps, initial=training.step, unit="step", desc="fit", leave=True)

    def on_step_end(self, training: Training) -> None:
        """Advance the bar."""
        if self._bar is not None:
            self._bar.update(1)

    def on_log(self, training: Training) -> None:
        """Show the latest numbers."""
        if self._bar is not None:
            history = training.history
            shown = {"loss": f"{history.losses[-1]:.4g}"}
            if history.validation:
                shown["validation"] = f"{history.validation[-1][1]:.4g}"
            self._bar.set_postfix(shown, refresh=False)

    def on_fit_end(self, training: Training) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

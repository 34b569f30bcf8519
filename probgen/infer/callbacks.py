"""Hooks into training, and the ready-made ones: early stopping, a budget of time and the progress bar."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

if TYPE_CHECKING:
    from probgen.infer.training import Training

__all__ = ["Callback", "EarlyStopping", "ProgressBar", "TimeBudget"]


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
    """Stop when the validation value has not improved for a while; a value that is not a number improves nothing.

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
        if value < (math.inf if self.best is None else self.best - self.min_delta):
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


class TimeBudget(Callback):
    r"""Stop when training has used up a time, to whose end a learning rate may fall.

    The clock runs while ``infer.fit`` does: time between two runs does not count, a second run goes on where the first ended,
    and a checkpoint keeps what was spent. Of several processes the first one's clock is everybody's, so that all stop
    together and at equal learning rates. With :meth:`schedule` the learning rate is multiplied by

    .. math:: r(u) = \max\bigl(\tfrac uw, \tfrac1{10}\bigr) \ \text{for}\ u < w, \qquad
        r(u) = \tfrac12 + \tfrac12 \cos \pi \tfrac{u - w}{1 - w} \ \text{after},

    where u is the part of the time that is spent, read after every step, and w the part in which the rate rises. The budget
    must be among the callbacks too: that is where it reads the clock.

    Attributes:
        spent: Seconds used up, as of the end of the last step.

    Args:
        seconds: The time, of the given clock.
        warm_up: The part w of the time in which the learning rate rises, in [0, 1).
        clock: Where time is read, in seconds. The default counts what this process computes on processors, in all of its
            threads together; where an accelerator does the work take ``time.perf_counter``.

    Raises:
        ValueError: ``seconds`` is not positive, or ``warm_up`` not in [0, 1).

    Example:
        >>> import itertools
        >>> import torch
        >>> from probgen.infer import TimeBudget, fit
        >>> seconds = itertools.count()  # a clock that goes a second further whenever it is read
        >>> budget = TimeBudget(4.0, clock=lambda: next(seconds))
        >>> class Loss(torch.nn.Linear):
        ...     def forward(self, x):
        ...         return super().forward(x).square().mean()
        >>> data = [torch.ones(2, 1)] * 10
        >>> history = fit(Loss(1, 1), data, schedule=budget.schedule, callbacks=[budget], progress=False)
        >>> history.steps, history.stopped, budget.spent
        (4, True, 4.0)
    """

    def __init__(self, seconds: float, *, warm_up: float = 0.0, clock: Callable[[], float] = time.process_time) -> None:
        if not seconds > 0:
            raise ValueError(f"`seconds` must be positive; got {seconds}.")
        if not 0 <= warm_up < 1:
            raise ValueError(f"`warm_up` must be in [0, 1); got {warm_up}.")
        self.seconds, self.warm_up, self.clock = seconds, warm_up, clock
        self.spent = 0.0
        self._begin = 0.0

    def schedule(self, optimizer: Optimizer) -> LambdaLR:
        """Return the learning-rate schedule, for the argument of ``infer.fit`` of that name."""
        return LambdaLR(optimizer, lambda _step: self._factor())

    def _factor(self) -> float:
        done = min(1.0, self.spent / self.seconds)
        if done < self.warm_up:
            return max(done / self.warm_up, 0.1)
        return 0.5 + 0.5 * math.cos(math.pi * (done - self.warm_up) / (1 - self.warm_up))

    def on_fit_start(self, training: Training) -> None:
        """Start the clock."""
        self._begin = self.clock() - self.spent
        self._stop_if_over(training)

    def on_step_end(self, training: Training) -> None:
        """Read the clock, and stop when the time is over."""
        spent = self.clock() - self._begin
        self.spent = training.fabric.broadcast(spent) if training.fabric.world_size > 1 else spent
        self._stop_if_over(training)

    def _stop_if_over(self, training: Training) -> None:
        if self.spent >= self.seconds:
            training.stop()

    def state_dict(self) -> dict[str, Any]:
        """Return the time that was spent."""
        return {"spent": self.spent}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.spent = state["spent"]


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

r"""One training run: its players, its position, and what each step does.

A *turn* is one step of one player on one batch. The players take their turns in a fixed cycle (``steps`` turns
each), so the step number alone says whose turn it is. In a turn only that player's parameters want gradients; each player
has its own optimizer and, over several processes, its own data-parallel wrapper, whose gradient is the mean over the
processes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from probgen.infer.annealed import Annealed
from probgen.infer.callbacks import Callback
from probgen.infer.checkpoint import read_checkpoint, weights_of, write_checkpoint
from probgen.infer.ema import EMA
from probgen.infer.history import History
from probgen.infer.randomness import random_state, restore_random_state
from probgen.infer.stream import Stream, shard, split_batch
from probgen.infer.turn import OptimizerFactory, ScheduleFactory, Turn, turns_of

__all__ = ["Training", "Validation"]

Validation = Iterable[Any] | Callable[[nn.Module], float]


class Training:
    """The state of a run; callbacks get it. Built by ``infer.fit``.

    Args:
        objective: The loss as a module.
        stream: The batches.
        fabric: A launched Lightning Fabric.
        total_steps: When to end, or None.
        ema: A moving average to update after every step that changes what it averages, or None.
        validation: Batches, or a function of the objective; or None.
        callbacks: Hooks.
        folder: Where checkpoints go, or None.

    Example:
        >>> import torch
        >>> from probgen.infer.stream import Stream
        >>> from probgen.infer.training import Training
        >>> training = Training(torch.nn.Linear(1, 1), Stream([], epochs=1), fabric=None, total_steps=3)
        >>> training.step, training.finished
        (0, False)
    """

    def __init__(
        self,
        objective: nn.Module,
        stream: Stream,
        fabric: Any,
        *,
        total_steps: int | None = None,
        ema: EMA | None = None,
        validation: Validation | None = None,
        callbacks: Sequence[Callback] = (),
        folder: Path | None = None,
    ) -> None:
        self.objective = objective
        self.stream = stream
        self.fabric = fabric
        self.total_steps = total_steps
        self.ema = ema
        self.validation = validation
        self.callbacks = list(callbacks)
        self.folder = folder
        self.history = History()
        self.step = 0
        self.stopping = False
        self.turns: list[Turn] = []
        self._annealed: list[Annealed] = []
        self._moving: set[str] = set()
        self._pending: list[Tensor] = []
        self._clock = time.perf_counter()

    # ------------------------------------------------------------------------------------------------------------------ set-up

    def set_up(
        self,
        optimizer: OptimizerFactory | Mapping[str, OptimizerFactory] | Optimizer | None,
        schedule: ScheduleFactory | Mapping[str, ScheduleFactory] | None,
        clip_norm: float | Mapping[str, float | None] | None = None,
    ) -> None:
        """Make every player's wrapper, optimizer and schedule; arguments as for ``infer.fit``."""
        self.turns = turns_of(self.objective, self.fabric, optimizer, schedule, clip_norm)
        self._annealed = [part for part in self.objective.modules() if isinstance(part, Annealed)]
        self._moving = {turn.name for turn in self.turns if turn.moves(self.ema)}
        self.objective.zero_grad(set_to_none=True)

    @property
    def epoch(self) -> int:
        """How many passes over the data are complete."""
        return self.stream.epoch

    @property
    def expected_steps(self) -> int | None:
        """How many steps there will be, unless something stops them: None if unknown."""
        known = [steps for steps in (self.total_steps, self.stream.num_batches) if steps is not None]
        return min(known, default=None)

    @property
    def finished(self) -> bool:
        """Whether the last step has been taken."""
        return self.stopping or (self.total_steps is not None and self.step >= self.total_steps)

    def agreed(self, flag: bool, *, every: int) -> bool:  # noqa: FBT001
        """Whether any process raised a flag; processes compare notes only every so many steps."""
        if self.fabric.world_size == 1:
            return flag
        if self.step % every:
            return False
        return bool(self.fabric.all_reduce(torch.tensor(float(flag)), reduce_op="sum") > 0)

    def stop(self) -> None:
        """End training after this step."""
        self.stopping = True

    def notify(self, hook: str) -> None:
        """Call one hook of every callback."""
        for callback in self.callbacks:
            getattr(callback, hook)(self)

    # ------------------------------------------------------------------------------------------------------------------- a step

    def take_step(self, batch: Any) -> None:
        """One turn: gradient, clipping, optimizer, schedules, moving average."""
        turn = self.turns[self.step % len(self.turns)]
        with turn.only():
            loss = self._loss(turn, batch)
            turn.backward(loss)
        self.notify("on_gradient")
        if turn.clip_norm is not None:
            self.fabric.clip_gradients(turn.module, turn.optimizer, max_norm=turn.clip_norm, error_if_nonfinite=False)
        turn.optimizer.step()
        turn.optimizer.zero_grad(set_to_none=True)
        if turn.schedule is not None:
            turn.schedule.step()
        for value in self._annealed:
            value.advance()
        if self.ema is not None and turn.name in self._moving:
            self.ema.update()
        self._pending.append(loss.detach())
        self.history.players.append(turn.name)
        self.step += 1

    def _loss(self, turn: Turn, batch: Any) -> Tensor:
        args, kwargs = split_batch(self.fabric.to_device(batch))
        if not turn.alone:
            kwargs = {**kwargs, "player": turn.name}
        loss: Tensor = turn.module(*args, **kwargs)
        return loss

    def flush(self) -> None:
        """Read the pending losses from the device, and check them.

        Raises:
            FloatingPointError: a loss is NaN or infinite.
        """
        if not self._pending:
            return
        values = torch.stack([loss.float() if loss.dtype == torch.bfloat16 else loss for loss in self._pending]).tolist()
        first = len(self.history.losses)
        self._pending.clear()
        self.history.losses += values
        self._tick()
        for offset, value in enumerate(values):
            if not math.isfinite(value):
                player = self.history.players[first + offset]
                raise FloatingPointError(
                    f"the loss of player {player!r} is {value} at step {first + offset}; no checkpoint was "
                    "written after it. Lower the learning rate, clip gradients (`clip_norm`), or look for log(0) and division "
                    "by 0 with torch.autograd.detect_anomaly."
                )
        self.fabric.log_dict(self._latest(values, first), step=self.step)
        self.notify("on_log")

    def _latest(self, values: list[float], first: int) -> dict[str, float]:
        """The last loss, or that of every player who moved: ``loss``, or ``loss_critic``, ``loss_generator``."""
        if self.turns[0].alone:
            return {"loss": values[-1]}
        return {f"loss_{name}": value for name, value in zip(self.history.players[first:], values, strict=True)}

    def _tick(self) -> None:
        now = time.perf_counter()
        self.history.seconds += now - self._clock
        self._clock = now
        self.history.epochs = self.stream.epoch

    # -------------------------------------------------------------------------------------------------------------- validation

    def validate(self) -> None:
        """Evaluate with averaged weights (if any), in eval mode, on fixed noise; keep the best weights."""
        if self.validation is None:
            return
        with _evaluation(self.objective, self.ema):
            value = self._validation_value()
            history = self.history
            history.validation.append((self.step, value))
            if math.isfinite(value) and (history.best is None or value < history.best[1]):
                history.best = (self.step, value)
                if self.folder is not None and self.fabric.is_global_zero:
                    write_checkpoint(self.folder / "best.safetensors", self.objective, {"step": self.step, "value": value})
        self.fabric.log_dict({"validation": value}, step=self.step)
        self.notify("on_validation_end")

    def _validation_value(self) -> float:
        if self.validation is None or callable(self.validation):
            return float("nan") if self.validation is None else float(self.validation(weights_of(self.objective)))
        losses = [self._loss(self.turns[-1], self.own_part(batch)).detach() for batch in self.validation]
        if not losses:
            raise ValueError("`validation` yielded no batch.")
        return float(self.fabric.all_reduce(torch.stack(losses).mean(), reduce_op="mean"))

    def own_part(self, batch: Any) -> Any:
        """Return this process's rows of a batch."""
        return shard(batch, self.fabric.global_rank, self.fabric.world_size)

    # ------------------------------------------------------------------------------------------------------------- checkpoints

    def save(self) -> None:
        """Write ``last.safetensors``: everything needed to continue exactly.

        Raises:
            FloatingPointError: a loss is NaN or infinite, or a parameter NaN; the previous checkpoint stays.
        """
        self.flush()
        if self.folder is None:
            return
        broken = [name for name, value in self.objective.named_parameters() if bool(value.detach().isnan().any())]
        if broken:
            raise FloatingPointError(
                f"the parameters {broken[:3]} are NaN after step {self.step - 1}, so no checkpoint was written: a "
                "gradient was NaN or infinite though the loss was not. Clip gradients (`clip_norm`), or look for the "
                "derivative of sqrt, norm or log at 0 with torch.autograd.detect_anomaly."
            )
        ranks = self._random_states()
        if self.fabric.is_global_zero:
            write_checkpoint(self.folder / "last.safetensors", self.objective, {**self.state_dict(), "random": ranks})
        self.fabric.barrier()

    def restore(self, path: Path) -> None:
        """Continue from a checkpoint that :meth:`save` wrote.

        Raises:
            UnsafeFileError: the file is not a checkpoint.
            ValueError: it has weights only.
        """
        weights, state = read_checkpoint(path)
        if state is None or not {"step", "stream", "random"} <= state.keys():
            raise ValueError(f"{str(path)!r} holds weights but no training state; use `infer.load_weights` for it.")
        weights_of(self.objective).load_state_dict(weights)
        self.load_state_dict(state)
        restore_random_state(state["random"][min(self.fabric.global_rank, len(state["random"]) - 1)])

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the run, without weights and random states."""
        turns = self._by_player()
        return {
            "step": self.step,
            "stream": self.stream.state_dict(),
            "history": self.history.state_dict(),
            "optimizers": {name: turn.optimizer.state_dict() for name, turn in turns.items()},
            "optimizer_kinds": {name: _optimizer_kind(turn) for name, turn in turns.items()},
            "schedules": {name: turn.schedule.state_dict() for name, turn in turns.items() if turn.schedule is not None},
            "ema": None if self.ema is None else self.ema.state_dict(),
            "callbacks": [[type(callback).__qualname__, callback.state_dict()] for callback in self.callbacks],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.step = state["step"]
        self.stream.load_state_dict(state["stream"])
        self.history.load_state_dict(state["history"])
        for name, turn in self._by_player().items():
            kind = _optimizer_kind(turn)
            was = state.get("optimizer_kinds", {}).get(name, kind)
            if was != kind:
                raise ValueError(f"the checkpoint's optimizer of player {name!r} is {was}; got {kind}: resume with that kind.")
            turn.optimizer.load_state_dict(state["optimizers"][name])
            if turn.schedule is not None:
                turn.schedule.load_state_dict(state["schedules"][name])
        if self.ema is not None:  # without an average in the checkpoint, it begins at the weights that were restored
            begin = {"average": list(self.ema.module.parameters()), "steps": 0}
            self.ema.load_state_dict(begin if state["ema"] is None else state["ema"])
        saved = list(state["callbacks"])
        for callback in self.callbacks:  # by class, in order: adding or leaving out another callback does no harm
            match = next((entry for entry in saved if entry[0] == type(callback).__qualname__), None)
            if match is not None:
                saved.remove(match)
                callback.load_state_dict(match[1])

    def _by_player(self) -> dict[str, Turn]:
        return {turn.name: turn for turn in self.turns}

    def _random_states(self) -> list[dict[str, Any]]:
        if self.fabric.world_size == 1:
            return [random_state()]
        states: list[Any] = [None] * self.fabric.world_size
        torch.distributed.all_gather_object(states, random_state())
        return states


@contextmanager
def _evaluation(objective: nn.Module, ema: EMA | None) -> Iterator[None]:
    """Eval mode, no gradients, averaged weights, fixed noise; all restored afterwards."""
    modes = [(part, part.training) for part in objective.modules()]
    kept = random_state()
    try:
        objective.eval()
        torch.manual_seed(0)
        with torch.no_grad(), ema.applied() if ema is not None else nullcontext():
            yield
    finally:
        restore_random_state(kept)
        for part, mode in modes:
            part.training = mode


def _optimizer_kind(turn: Turn) -> str:
    return type(getattr(turn.optimizer, "optimizer", turn.optimizer)).__name__

r"""Training: ``fit(objective, batches)``.

The loop minimizes :math:`L(\theta)` by stochastic gradients on Lightning Fabric, which brings devices, precision and data
parallelism; everything else is one page of Python: read a batch, take a step (:class:`~probgen.infer.training.Training`),
now and then log, validate and save. A run that is interrupted at any moment, even killed, continues from its last checkpoint
on the very same trajectory.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from probgen.infer.callbacks import Callback, ProgressBar
from probgen.infer.ema import EMA
from probgen.infer.history import History
from probgen.infer.randomness import random_state, restore_random_state
from probgen.infer.stream import PASS_END, Stream, is_stateful, split_batch
from probgen.infer.training import Training, Validation
from probgen.infer.turn import OptimizerFactory, ScheduleFactory

__all__ = ["fit"]


def fit(
    objective: nn.Module,
    data: Iterable[Any],
    optimizer: OptimizerFactory | Mapping[str, OptimizerFactory] | Optimizer | None = None,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    validation: Validation | None = None,
    validate_every: int | None = None,
    schedule: ScheduleFactory | Mapping[str, ScheduleFactory] | None = None,
    clip_norm: float | Mapping[str, float | None] | None = None,
    ema: EMA | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
    log_every: int = 50,
    loggers: Sequence[Any] = (),
    progress: bool = True,
    accelerator: str = "auto",
    devices: int | str = 1,
    precision: Any = "32-true",
    strategy: Any = "auto",
) -> History:
    r"""Minimize an objective.

    A batch that is a tuple or list becomes positional arguments, a dict keyword arguments, anything else one argument. The
    :math:`N/B` scale of minibatches is the model's own: write ``pyro.plate("data", N, subsample=indices)`` (or
    ``subsample_size``); with ``pyro.plate("data", len(x))`` the loss is that of the batch.

    Under ``torchrun`` each process takes its share of the rows of every batch, so ``data`` must yield the same batches in
    all; the gradient is the mean over the processes, which with a plate of the full size N is the gradient of the full
    batch. Processes draw different noise.

    Args:
        objective: A module that returns a scalar, such as ``ELBO()(model, guide)``; with several ``players`` they take turns.
        data: Batches; for several epochs an iterable that can be started again. With a ``state_dict`` it is resumed through it.
        optimizer: A factory from parameters to an optimizer, or one for each player; default fused Adam, learning rate 1e-3.
        epochs: How many passes over the data; default 1 if ``steps`` is not given.
        steps: How many steps (one batch, one turn each), however many passes that takes.
        validation: Batches whose mean loss is evaluated, or a function of the objective that returns a number; lower is better.
        validate_every: Steps between validations; default: after each pass.
        schedule: A factory from an optimizer to a learning-rate scheduler that is advanced at every step, or one for each
            player.
        clip_norm: Largest norm of a step's gradient, for all players or for each one.
        ema: A moving average to update after steps that change what it averages, such as ``EMA(loss.law)`` after the
            generator's; validation uses it.
        callbacks: Hooks, for instance ``EarlyStopping()``.
        checkpoint: Folder for ``last.safetensors`` (to continue) and ``best.safetensors`` (lowest validation, averaged
            weights if ``ema``).
        checkpoint_every: Steps between checkpoints; default: after each pass.
        resume: Continue from ``last.safetensors`` where it exists.
        log_every: Steps between reading losses from the device, checking them and logging.
        loggers: Fabric loggers, such as ``lightning_fabric.loggers.CSVLogger(...)``.
        progress: Show a bar on rank 0.
        accelerator: As for ``lightning.Fabric``.
        devices: As for ``lightning.Fabric``; taken from the environment under ``torchrun``.
        precision: As for ``lightning.Fabric``: "32-true", "bf16-mixed", ...
        strategy: As for ``lightning.Fabric``: "auto", "ddp", "fsdp", ...

    Returns:
        The losses, validation values and times as plain data. Ctrl-C ends training after the current step, with a checkpoint.

    Raises:
        FloatingPointError: a loss is NaN or infinite.
        UnsafeFileError: the checkpoint to resume from is not one, for instance a pickle.
        ValueError: contradictory arguments, or data without batches.

    Example:
        >>> import torch
        >>> from probgen.infer import fit
        >>> class Loss(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.mean = torch.nn.Parameter(torch.zeros(()))
        ...
        ...     def forward(self, x):
        ...         return (x - self.mean).square().mean()
        >>> history = fit(Loss(), [torch.ones(4)], lambda p: torch.optim.SGD(p, lr=0.25), epochs=3, progress=False)
        >>> history.losses
        [1.0, 0.25, 0.0625]
    """
    if checkpoint is None and (resume or checkpoint_every is not None):
        raise ValueError("`resume` and `checkpoint_every` need a folder in `checkpoint`; got None.")
    _require_counts(0, epochs=epochs, steps=steps)
    _require_counts(1, validate_every=validate_every, checkpoint_every=checkpoint_every, log_every=log_every)
    fabric = _fabric(accelerator, devices, precision, strategy, loggers)
    fabric.to_device(objective)
    stream = Stream(_initialized(objective, data, fabric), 1 if epochs is None and steps is None else epochs)
    training = Training(
        objective, stream, fabric, total_steps=steps, ema=ema, validation=validation,
        callbacks=[*callbacks, *([ProgressBar()] if progress else [])], folder=None if checkpoint is None else Path(checkpoint),
    )  # fmt: skip
    training.set_up(optimizer, schedule, clip_norm)
    _begin(training, resume=resume)
    _run(training, validate_every, checkpoint_every, log_every)
    return training.history


def _require_counts(least: int, **counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and count < least:
            raise ValueError(f"`{name}` must be at least {least}; got {count}.")


def _begin(training: Training, *, resume: bool) -> None:
    """Continue from the last checkpoint if asked, else give every further process its own noise."""
    last = None if training.folder is None else training.folder / "last.safetensors"
    if resume and last is not None and last.exists():
        training.restore(last)
    elif training.fabric.global_rank > 0:
        torch.manual_seed(torch.initial_seed() + training.fabric.global_rank)


def _run(training: Training, validate_every: int | None, checkpoint_every: int | None, log_every: int) -> None:
    """The loop, from the present position to the end."""
    with _interrupt_flag() as interrupted:
        training.notify("on_fit_start")
        try:
            for batch in training.stream if not training.finished else ():
                if batch is PASS_END:
                    _periodic(training, validate=validate_every is None, save=checkpoint_every is None)
                else:
                    training.take_step(training.own_part(batch))
                    training.notify("on_step_end")
                    if training.step % log_every == 0:
                        training.flush()
                    _periodic(training, validate=_due(training, validate_every), save=_due(training, checkpoint_every))
                training.history.interrupted = training.agreed(interrupted.is_set(), every=log_every)
                if training.finished or training.history.interrupted:
                    break
            training.history.stopped = training.stopping
            _periodic(training, validate=not (training.history.interrupted or training.stopping), save=True)
        finally:
            training.notify("on_fit_end")


def _due(training: Training, every: int | None) -> bool:
    return every is not None and training.step % every == 0


def _periodic(training: Training, *, validate: bool, save: bool) -> None:
    """Validate and save if asked; a step is validated once."""
    done = training.history.validation
    if validate and (not done or done[-1][0] != training.step):
        training.flush()
        training.validate()
    if save:
        training.save()


def _fabric(accelerator: str, devices: int | str, precision: Any, strategy: Any, loggers: Sequence[Any]) -> Any:
    """Launch Lightning Fabric; under torchrun the environment says how many processes there are."""
    from lightning_fabric import Fabric

    nodes = 1
    if "TORCHELASTIC_RUN_ID" in os.environ:
        devices, nodes = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ.get("GROUP_WORLD_SIZE", "1"))
        if strategy == "auto" and devices * nodes > 1:
            strategy = "ddp"
    fabric = Fabric(
        accelerator=accelerator, devices=devices, num_nodes=nodes, precision=precision, strategy=strategy, loggers=list(loggers)
    )
    fabric.launch()
    return fabric


def _initialized(objective: nn.Module, data: Any, fabric: Any) -> Iterable[Any]:
    """Let Pyro's automatic guides, which make their parameters in their first call, make them; return the data to use."""
    from pyro.infer.autoguide import AutoGuide

    if not any(isinstance(part, AutoGuide) and part.prototype_trace is None for part in objective.modules()):
        return data  # type: ignore[no-any-return]
    begin = data.state_dict() if is_stateful(data) else None
    batches = iter(data)
    first = next(batches, PASS_END)
    if first is PASS_END:
        raise ValueError("`data` yielded no batch.")
    kept = random_state()
    args, kwargs = split_batch(fabric.to_device(first))
    with torch.no_grad():
        objective(*args, **kwargs)
    restore_random_state(kept)
    if begin is not None:  # data that go on where they stand must yield that batch again
        data.load_state_dict(begin)
    return itertools.chain([first], batches) if batches is data else data


@contextmanager
def _interrupt_flag() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a flag, so that a step is never torn apart; a second one interrupts as usual."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = signal.getsignal(signal.SIGINT)

    def on_interrupt(number: int, frame: Any) -> None:
        flag.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)

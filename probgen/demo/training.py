"""Training: Pyro models through ``infer.ELBO`` and ``infer.fit``, with fresh dequantization noise in every epoch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from probgen import infer
from probgen.data import Batches, dequantize
from probgen.demo.problem import Problem
from probgen.demo.registry import Entry, ImageModel
from probgen.demo.settings import Settings

__all__ = ["image_batches", "train"]


def image_batches(problem: Problem, *, conditional: bool, seed: int, size: int = 128) -> Batches:
    """Dequantized training images, with labels if ``conditional``; the noise is new in every epoch and resumable.

    Args:
        problem: The data.
        conditional: Whether to give labels too.
        seed: Fixes order and noise.
        size: Images in a batch.

    Example:
        >>> from probgen.demo import Settings, image_batches, load_problem
        >>> v, label = next(iter(image_batches(load_problem(Settings.smoke()), conditional=True, seed=0)))
        >>> v.shape, label.shape
        (torch.Size([128, 64]), torch.Size([128]))
    """

    def noise(batch: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, ...]:
        return (dequantize(batch[0], problem.images.levels, generator=generator), *batch[1:])

    columns = (problem.train.x, problem.train.y) if conditional and problem.train.y is not None else (problem.train.x,)
    return Batches(columns, size, seed=seed, drop_last=True, transform=noise)


def train(
    entry: Entry, problem: Problem, settings: Settings, *, conditional: bool, progress: bool = False
) -> tuple[ImageModel, Tensor]:
    """Build and train one model.

    Args:
        entry: The family.
        problem: The data.
        settings: ``steps``, ``seed`` and ``device`` are used.
        conditional: Unconditional or by class.
        progress: Whether to show a bar.

    Returns:
        The model, ready for evaluation on the device, and the loss of every step in nats an image.

    Raises:
        KeyboardInterrupt: training was stopped by a signal: half a training is no result.

    Example:
        >>> from dataclasses import replace
        >>> from probgen.demo import ENTRIES, Settings, load_problem, train
        >>> settings = replace(Settings.smoke(), steps=2)
        >>> model, losses = train(ENTRIES["spline coupling"], load_problem(settings), settings, conditional=False)
        >>> len(losses)
        2
    """
    torch.manual_seed(settings.seed)
    model = entry.build(problem, conditional=conditional)
    batches = image_batches(problem, conditional=conditional, seed=settings.seed, size=entry.batch)
    steps = max(1, round(entry.share * settings.steps))
    average = None if entry.averaging is None else infer.EMA(model, entry.averaging)
    objective = entry.objective(model)
    losses = fit(
        objective,
        batches,
        steps,
        entry.learning_rate,
        betas=entry.betas,
        average=average,
        progress=progress,
        device=settings.device,
    )
    if average is not None:
        average.copy_to_module()
    model.eval()
    return model, losses


def fit(
    objective: nn.Module,
    batches: Batches,
    steps: int,
    learning_rate: float,
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    average: infer.EMA | None = None,
    progress: bool = False,
    device: str = "cpu",
) -> Tensor:
    """Minimize by AdamW: warm-up over a tenth of the steps, then a cosine down to zero; gradients clipped to norm 5 a datum.

    Args:
        objective: A loss that is a sum over the batch.
        batches: The data.
        steps: Steps in all.
        learning_rate: The largest one.
        betas: Of AdamW.
        average: A moving average that follows the weights.
        progress: Whether to show a bar.
        device: "cpu" or "cuda".

    Returns:
        The loss of every step, per datum, in nats.

    Raises:
        KeyboardInterrupt: it was stopped by a signal.
    """

    def factor(step: int) -> float:
        warm = max(1, steps // 10)
        return (step + 1) / warm if step < warm else 0.5 + 0.5 * math.cos(math.pi * (step - warm) / max(1, steps - warm))

    history = infer.fit(
        objective,
        batches,
        lambda parameters: torch.optim.AdamW(parameters, lr=learning_rate, betas=betas, weight_decay=1e-4, fused=True),
        steps=steps,
        schedule=lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, factor),
        clip_norm=5.0 * batches.batch_size,
        ema=average,
        progress=progress,
        accelerator=device,
    )
    if history.interrupted:
        raise KeyboardInterrupt
    return torch.tensor(history.losses) / batches.batch_size

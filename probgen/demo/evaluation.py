"""Scores of a trained model: bits per dimension, sampling speed, round-trip error."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.demo.problem import LEVELS, PIXELS, Problem, Settings
from probgen.demo.registry import DigitModel
from probgen.metrics import MeanError, bits_per_dim

__all__ = ["Scores", "evaluate", "held_out_log_prob"]


@dataclass(frozen=True)
class Scores:
    """What the table shows of one model.

    Attributes:
        bits: Test bits per dimension with standard error over images; None without a density.
        train_bits: The same on as many training images: the gap to ``bits`` is overfitting.
        samples_per_second: Draws in a batch of ``settings.samples``.
        round_trip: Largest ``|decode(encode(v)) - v|`` over the first hundred test images; None without an ``encode``.

        kind: Whether the bits are those of the density, "exact", or of a bound of it, "lower"; "none": no density.

    Example:
        >>> from probgen.demo import Scores
        >>> from probgen.metrics import MeanError
        >>> Scores(MeanError(2.0, 0.1), MeanError(1.9, 0.1), 1000.0, 1e-6).round_trip
        1e-06
    """

    bits: MeanError | None
    train_bits: MeanError | None
    samples_per_second: float
    round_trip: float | None
    kind: str = "exact"

    def shown(self, bits: MeanError | None) -> str:
        """Bits as a table shows them."""
        if bits is None:
            return "none (implicit)"
        return str(bits) if self.kind == "exact" else f"<= {bits}"


def held_out_log_prob(model: DigitModel, problem: Problem, *, conditional: bool) -> Tensor:
    """Log-density of the test images (or its bound), averaged over dequantizations: ``[n]`` nats, a bound for the integers.

    Args:
        model: The trained model.
        problem: The data.
        conditional: Whether to give the true labels.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, load_problem, held_out_log_prob
        >>> problem = load_problem(Settings.smoke())
        >>> model = ENTRIES["spline coupling"].build(problem, conditional=False)
        >>> held_out_log_prob(model, problem, conditional=False).shape
        torch.Size([397])
    """
    label = problem.test.y if conditional else None
    draws = problem.test_v if model.dequantized else problem.test_v[:1]
    return torch.stack([model.log_prob(v, label) for v in draws]).mean(0)


def evaluate(model: DigitModel, problem: Problem, settings: Settings, *, conditional: bool) -> Scores:
    """Score one model.

    Args:
        model: The trained model, in evaluation mode.
        problem: The data.
        settings: ``samples`` is used.
        conditional: Whether the model is by class.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, evaluate, load_problem
        >>> problem = load_problem(Settings.smoke())
        >>> model = ENTRIES["spline coupling"].build(problem, conditional=False).eval()
        >>> evaluate(model, problem, Settings.smoke(), conditional=False).round_trip < 1e-3
        True
    """
    speed = _speed(model, settings.samples, conditional=conditional)
    if model.kind == "none":
        return Scores(None, None, speed, None, model.kind)
    label = problem.test.y if conditional else None
    count = len(problem.test)
    train_label = problem.train.labels[:count] if conditional else None
    v, some = problem.test_v[0][:100], None if label is None else label[:100]
    round_trip = float((model.decode(model.encode(v, some), some) - v).abs().max())
    return Scores(
        bits_per_dim(held_out_log_prob(model, problem, conditional=conditional), PIXELS, levels=LEVELS),
        bits_per_dim(model.log_prob(problem.noisy(problem.train.x[:count], 3), train_label), PIXELS, levels=LEVELS),
        speed,
        round_trip,
        model.kind,
    )


def _speed(model: DigitModel, n: int, *, conditional: bool) -> float:
    label = torch.arange(n) % 10 if conditional else None
    model.sample(10, None if label is None else label[:10])
    start = time.perf_counter()
    model.sample(n, label)
    return n / (time.perf_counter() - start)

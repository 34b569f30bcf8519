"""Scores of a trained model: bits per dimension, overfitting, sampling speed, round-trip error."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.demo.problem import Problem
from probgen.demo.registry import ImageModel
from probgen.demo.settings import Settings
from probgen.metrics import MeanError, bits_per_dim

__all__ = ["Scores", "evaluate", "held_out_log_prob"]


@dataclass(frozen=True)
class Scores:
    """What the tables show of one model.

    Attributes:
        bits: Test bits per dimension with standard error over images; None without a density.
        train_bits: The same on as many training images; this and the following None where a model is scored by class.
        samples_per_second: Draws in a batch of ``settings.samples``.
        round_trip: Largest ``|decode(encode(v)) - v|`` over some test images; None without an ``encode``.
        kind: Whether the bits are those of the density, "exact", or of a bound of it, "lower"; "none": no density.

    Example:
        >>> from probgen.demo import Scores
        >>> from probgen.metrics import MeanError
        >>> Scores(MeanError(2.0, 0.3), MeanError(1.9, 0.4), 500.0, 1e-6).gap
        MeanError(mean=0.10000000000000009, error=0.5)
    """

    bits: MeanError | None
    train_bits: MeanError | None
    samples_per_second: float | None
    round_trip: float | None
    kind: str = "exact"

    @property
    def gap(self) -> MeanError | None:
        """Test minus training bits: what is fitted to the training images alone."""
        if self.bits is None or self.train_bits is None:
            return None
        error = (self.bits.error**2 + self.train_bits.error**2) ** 0.5
        return MeanError(self.bits.mean - self.train_bits.mean, error)

    def shown(self, bits: MeanError | None) -> str:
        """Bits as a table shows them."""
        if bits is None:
            return "none"
        return str(bits) if self.kind == "exact" else f"<= {bits}"


def held_out_log_prob(model: ImageModel, problem: Problem, *, conditional: bool) -> Tensor:
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
        torch.Size([100])
    """
    label = problem.test.y if conditional else None
    draws = problem.test_v if model.dequantized else problem.test_v[:1]
    return torch.stack([model.log_prob(v, label) for v in draws]).mean(0)


def evaluate(model: ImageModel, problem: Problem, settings: Settings, *, conditional: bool) -> Scores:
    """Score one model.

    Args:
        model: The trained model, in evaluation mode.
        problem: The data.
        settings: ``samples`` and ``round_trips`` are used.
        conditional: Whether the model is by class: then only its bits are taken.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, evaluate, load_problem
        >>> problem = load_problem(Settings.smoke())
        >>> model = ENTRIES["spline coupling"].build(problem, conditional=False).eval()
        >>> evaluate(model, problem, Settings.smoke(), conditional=False).round_trip < 1e-3
        True
    """
    images = problem.images
    speed = None if conditional else _speed(model, settings)
    if model.kind == "none":
        return Scores(None, None, speed, None, model.kind)

    def bits(log_prob: Tensor) -> MeanError:
        return bits_per_dim(log_prob, images.num_pixels, levels=images.levels)

    test_bits = bits(held_out_log_prob(model, problem, conditional=conditional))
    if conditional:
        return Scores(test_bits, None, None, None, model.kind)
    v = problem.test_v[0][: settings.round_trips]
    round_trip = float((model.decode(model.encode(v)) - v).abs().max()) if model.codes else None
    train_bits = bits(model.log_prob(problem.noisy(problem.train.x[: len(problem.test)], 3)))
    return Scores(test_bits, train_bits, speed, round_trip, model.kind)


def _speed(model: ImageModel, settings: Settings) -> float:
    model.sample(10)
    start = settings.now()
    model.sample(settings.samples)
    return settings.samples / (settings.now() - start)

r"""How good are a model's draws? The measure that every family can be given, with or without a density.

Draws of the unconditional model, rounded to gray values, are compared with training images in the features of a classifier of
digits: the Fréchet distance, and precision, recall, density and coverage of neighborhoods. As many test images in the place of
draws are the floor. Draws by class are read by the same classifier: how often does it see the digit that was asked for?
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from probgen.demo.problem import CLASSES, LEVELS, Problem, square
from probgen.demo.registry import DigitModel
from probgen.metrics import (
    ClassifierFeatures,
    FrechetReport,
    MeanError,
    NeighborhoodOverlap,
    accuracy,
    frechet_report,
    neighborhood_overlap,
    train_classifier_features,
)

__all__ = ["DrawQuality", "digit_features", "draw_quality", "quality_of"]

PER_CLASS = 40


class DrawQuality(NamedTuple):
    """What the draws of one model are worth.

    Attributes:
        report: The Fréchet distance of features, with the floor.
        overlap: Precision, recall, density and coverage.
        read: Share of images by class in which the classifier sees the digit that was asked for.

    Example:
        >>> from probgen.demo import DrawQuality
        >>> DrawQuality._fields
        ('report', 'overlap', 'read')
    """

    report: FrechetReport
    overlap: NeighborhoodOverlap
    read: MeanError

    def cells(self) -> list[str]:
        """What a row of a table shows."""
        shares = [f"{getattr(self.overlap, name).mean:.2f}" for name in ("precision", "recall", "density", "coverage")]
        distance = self.report.distance
        return [f"{distance.mean:.2f} ± {distance.error:.2f}", *shares, f"{self.read.mean:.3f}"]


def digit_features(problem: Problem, *, steps: int, seed: int) -> ClassifierFeatures:
    """The classifier whose features are used.

    Args:
        problem: The data.
        steps: Training steps.
        seed: Fixes weights and batches.

    Example:
        >>> from probgen.demo import Settings, digit_features, load_problem
        >>> digit_features(load_problem(Settings.smoke()), steps=5, seed=0).num_features
        64
    """
    train, test = ((square(part.x).float(), part.labels) for part in (problem.train, problem.test))
    return train_classifier_features(*train, test=test, name="digits classifier", steps=steps, seed=seed)


def quality_of(v: Tensor, by_class: Tensor, labels: Tensor, problem: Problem, extractor: ClassifierFeatures) -> DrawQuality:
    """Judge images.

    Args:
        v: Unconditional ones, pixels ``[n, 64]`` in the unit cube.
        by_class: Images by class, ``[m, 64]``.
        labels: Their classes, ``[m]``.
        problem: The data.
        extractor: The features, of integer images ``[n, 8, 8]``.

    Example:
        >>> from probgen.demo import Settings, digit_features, load_problem, quality_of
        >>> problem = load_problem(Settings.smoke())
        >>> extractor = digit_features(problem, steps=5, seed=0)
        >>> test = problem.test_v[0]
        >>> found = quality_of(test, test, problem.test.labels, problem, extractor)
        >>> abs(found.report.distance.mean / found.report.floor.mean - 1) < 1e-6
        True
    """
    reference, held_out = (square(part.x).float() for part in (problem.train, problem.test))
    drawn = _integers(v)
    count = min(len(drawn), len(reference))
    return DrawQuality(
        frechet_report(drawn, reference, held_out, extractor),
        neighborhood_overlap(extractor(reference[:count]), extractor(drawn[:count])),
        accuracy(extractor.classify(_integers(by_class)), labels),
    )


def draw_quality(
    model: DigitModel, conditional: DigitModel, problem: Problem, extractor: ClassifierFeatures, *, seed: int
) -> DrawQuality:
    """Draw as many images as there are test images, forty of each digit by class, and judge them.

    Args:
        model: The unconditional model.
        conditional: The model by class, perhaps the same.
        problem: The data.
        extractor: The features.
        seed: Of the draws.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, digit_features, draw_quality, load_problem
        >>> problem = load_problem(Settings.smoke())
        >>> model = ENTRIES["adversarial network"].build(problem, conditional=True)
        >>> found = draw_quality(model, model, problem, digit_features(problem, steps=5, seed=0), seed=0)
        >>> found.report.num_examples, len(found.cells())
        (397, 6)
    """
    torch.manual_seed(seed)
    labels = torch.arange(CLASSES).repeat_interleave(PER_CLASS)
    v, by_class = model.sample(len(problem.test)), conditional.sample(len(labels), labels)
    return quality_of(v, by_class, labels, problem, extractor)


def _integers(v: Tensor) -> Tensor:
    return square((v * LEVELS).floor().clamp(0, LEVELS - 1))

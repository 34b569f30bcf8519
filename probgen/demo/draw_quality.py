r"""How good are a model's draws? The measure that every family can be given, with or without a density.

Draws of the unconditional model, rounded to gray values, are compared with training images in the features of a classifier:
the Fréchet distance, and precision, recall, density and coverage of neighborhoods. As many test images in the place of draws
are the floor. Draws by class are read by the same classifier: how often does it see the class that was asked for?
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from probgen.demo.neighbors import Nearest, nearest_training_images
from probgen.demo.problem import Problem
from probgen.demo.registry import ImageModel
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

__all__ = ["DrawQuality", "draw_quality", "image_features", "quality_of"]

PER_CLASS, _SHOWN = 40, 50
_REFERENCE = 10_000  # training images that draws are compared with


class DrawQuality(NamedTuple):
    """What the draws of one model are worth.

    Attributes:
        report: The Fréchet distance of features, with the floor.
        overlap: Precision, recall, density and coverage.
        read: Share of images by class in which the classifier sees the class that was asked for.
        nearest: The nearest training images.
        draws: The first draws, pixels ``[n, D]``.

    Example:
        >>> from probgen.demo import DrawQuality
        >>> DrawQuality._fields
        ('report', 'overlap', 'read', 'nearest', 'draws')
    """

    report: FrechetReport
    overlap: NeighborhoodOverlap
    read: MeanError
    nearest: Nearest
    draws: Tensor

    def share(self, name: str) -> str:
        """A share of the overlap, as tables show it."""
        return f"{getattr(self.overlap, name).mean:.2f}"

    @property
    def distance(self) -> str:
        """The Fréchet distance, as tables show it."""
        return f"{self.report.distance.mean:.2f} ± {self.report.distance.error:.2f}"


def image_features(problem: Problem, *, steps: int, seed: int, num_features: int = 64) -> ClassifierFeatures:
    """The classifier whose features are used.

    Args:
        problem: The data.
        steps: Training steps.
        seed: Fixes weights and batches.
        num_features: How many.

    Example:
        >>> from probgen.demo import Settings, image_features, load_problem
        >>> image_features(load_problem(Settings.smoke()), steps=5, seed=0).num_features
        64
    """
    square = problem.images.square
    train, test = ((square(part.x), part.labels) for part in (problem.train, problem.test))
    name = f"{problem.name} classifier"
    extractor = train_classifier_features(
        train[0], train[1], test=test, name=name, num_features=num_features, steps=steps, seed=seed
    )
    return extractor.cpu()


def quality_of(v: Tensor, by_class: Tensor, labels: Tensor, problem: Problem, extractor: ClassifierFeatures) -> DrawQuality:
    """Judge images.

    Args:
        v: Unconditional ones, pixels ``[n, D]`` in the unit cube.
        by_class: Images by class, ``[m, D]``.
        labels: Their classes, ``[m]``.
        problem: The data.
        extractor: The features, of integer images ``[n, height, width]``.

    Example:
        >>> from probgen.demo import Settings, image_features, load_problem, quality_of
        >>> problem = load_problem(Settings.smoke())
        >>> extractor = image_features(problem, steps=5, seed=0)
        >>> test = problem.test_v[0]
        >>> found = quality_of(test, test, problem.test.labels, problem, extractor)
        >>> abs(found.report.distance.mean / found.report.floor.mean - 1) < 1e-6
        True
    """
    images = problem.images
    reference, held_out = images.square(problem.train.x[:_REFERENCE]), images.square(problem.test.x)
    drawn = images.square(images.integers(v))
    count = min(len(drawn), len(reference))
    return DrawQuality(
        frechet_report(drawn, reference, held_out, extractor),
        neighborhood_overlap(extractor(reference[:count]), extractor(drawn[:count])),
        accuracy(extractor.classify(images.square(images.integers(by_class))), labels),
        nearest_training_images(v, problem),
        v[:_SHOWN],
    )


def draw_quality(
    model: ImageModel, conditional: ImageModel, problem: Problem, extractor: ClassifierFeatures, *, seed: int
) -> DrawQuality:
    """Draw as many images as there are test images, some of each class, and judge them.

    Args:
        model: The unconditional model.
        conditional: The model by class, perhaps the same.
        problem: The data.
        extractor: The features.
        seed: Of the draws.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, draw_quality, image_features, load_problem
        >>> problem = load_problem(Settings.smoke())
        >>> model = ENTRIES["adversarial network"].build(problem, conditional=True)
        >>> found = draw_quality(model, model, problem, image_features(problem, steps=5, seed=0), seed=0)
        >>> found.report.num_examples, found.nearest.distances.shape
        (100, torch.Size([100]))
    """
    torch.manual_seed(seed)
    count = len(problem.test)
    labels = torch.arange(problem.images.num_classes).repeat_interleave(min(PER_CLASS, count // 10))
    return quality_of(model.sample(count), conditional.sample(len(labels), labels), labels, problem, extractor)

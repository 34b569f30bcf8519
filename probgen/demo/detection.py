"""Unreasonable inputs: does the density reject them, and where does it fail?

A density scores volume, not familiarity: for some models smooth or pale images are *more* likely than the training data
(Nalisnick et al., 2019, https://arxiv.org/abs/1810.09136), so some of the outliers here are pale, blank or averaged.
Rotation by 90 degrees is easy for digits: it moves ink to border columns that are blank in every training image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.demo.problem import Problem
from probgen.demo.registry import ImageModel
from probgen.metrics import auroc

__all__ = ["detect", "outliers"]


def outliers(problem: Problem, seed: int, *, count: int | None = None) -> dict[str, Tensor]:
    """Integer images ``[n, D]`` that are not of the data.

    Args:
        problem: The test images are what they are made of.
        seed: Fixes the noise.
        count: Of each kind; as many as there are test images by default.

    Example:
        >>> from probgen.demo import Settings, load_problem, outliers
        >>> list(outliers(load_problem(Settings.smoke()), seed=0))[2:]
        ['rotated by 90 degrees', 'upside down', 'pale images', 'blank', 'means of pairs']
    """
    generator = torch.Generator().manual_seed(seed)
    x, levels = problem.test.x[:count].long(), problem.images.levels
    images = problem.images.square(x)
    return {
        "uniform noise": torch.randint(levels, x.shape, generator=generator),
        "shuffled pixels": x[:, torch.randperm(x.shape[1], generator=generator)],
        "rotated by 90 degrees": images.rot90(1, (-2, -1)).flatten(1),
        "upside down": images.flip(-2).flatten(1),
        "pale images": x // 2,
        "blank": torch.zeros_like(x),
        "means of pairs": (x + x.roll(1, 0) + 1) // 2,
    }


def detect(model: ImageModel, problem: Problem, seed: int, *, count: int | None = None) -> dict[str, float]:
    """AUROC of the log-density as a score for "is of the data", against each kind of outlier.

    1 is perfect, 1/2 is chance, below 1/2 the outliers are *more* likely than the test images.

    Args:
        model: An unconditional model.
        problem: The data.
        seed: Fixes the noise.
        count: Test images, and outliers of each kind; all by default.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, detect, load_problem
        >>> problem = load_problem(Settings.smoke())
        >>> model = ENTRIES["spline coupling"].build(problem, conditional=False)
        >>> detect(model, problem, seed=0)["uniform noise"] > 0.5
        True
    """
    usual = model.log_prob(problem.test_v[0][:count])
    made = outliers(problem, seed, count=count)
    return {name: auroc(usual, model.log_prob(problem.noisy(images, seed + 1))) for name, images in made.items()}

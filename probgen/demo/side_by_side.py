"""Rows of images in which the families stand next to each other: draws, nearest training images, ways, completed halves."""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.demo.results import Results

__all__ = ["completion_rows", "draw_rows", "interpolation_rows", "neighbor_rows"]

_COLUMNS = 12


def draw_rows(results: Results) -> dict[str, Tensor]:
    """The first draws of every model, test images above: name to images ``[n, height, width]``.

    Args:
        results: Of a run.

    Example:
        >>> from probgen.demo import Results, Settings, draw_rows, load_problem
        >>> draw_rows(Results(Settings(), load_problem(Settings.smoke())))
        {}
    """
    square = results.problem.images.square
    return {name: square(found.draws[:_COLUMNS]) for name, found in results.quality.items()}


def neighbor_rows(results: Results) -> dict[str, Tensor]:
    """Draws, and under each the nearest training image.

    Args:
        results: Of a run.

    Example:
        >>> from probgen.demo import Results, Settings, load_problem, neighbor_rows
        >>> neighbor_rows(Results(Settings(), load_problem(Settings.smoke())))
        {}
    """
    square, rows = results.problem.images.square, {}
    for name, found in results.quality.items():
        rows[name] = square(found.draws[:_COLUMNS])
        rows[f"nearest to {name}"] = square(found.nearest.images[:_COLUMNS])
    return rows


def interpolation_rows(results: Results) -> dict[str, Tensor]:
    """Ways from one test image to another through the latent space of every model that has one.

    Args:
        results: Of a run.

    Example:
        >>> from probgen.demo import Results, Settings, interpolation_rows, load_problem
        >>> interpolation_rows(Results(Settings(), load_problem(Settings.smoke())))
        {}
    """
    examples = results.problem.examples()
    ends, weights = examples[[3 % len(examples), 8 % len(examples)]], torch.linspace(0, 1, 10)
    torch.manual_seed(results.settings.seed)
    square = results.problem.images.square
    return {name: square(model.path(ends, weights)) for name, model in results.models.items() if model.codes}


def completion_rows(results: Results) -> dict[str, Tensor]:
    """Test images, their upper halves, and the lower half as each model that can completes it.

    Args:
        results: Of a run.

    Example:
        >>> from probgen.demo import Results, Settings, completion_rows, load_problem
        >>> list(completion_rows(Results(Settings(), load_problem(Settings.smoke()))))
        ['test images', 'what is seen']
    """
    images = results.problem.images
    v, upper = results.problem.examples(), images.height // 2
    seen = v.clone()
    seen[:, upper * images.width :] = 0.25  # neither paper nor ink
    rows = {"test images": images.square(v), "what is seen": images.square(seen)}
    for name, model in results.models.items():
        if model.completes:
            torch.manual_seed(results.settings.seed)
            rows[name] = images.square(model.complete(v, upper, moves=results.settings.moves))
    return rows

r"""Did a model only copy? The training image next to each draw, and how far it is, beside the same for new real images.

.. math:: d(x) = \min_n \sqrt{\tfrac1D \lVert x - x_n \rVert^2}, \qquad x \in [0, 1]^D

A model that copies has draws much nearer to the training images than test images are. Being as near proves nothing, and a
pixel's shift hides a copy: the gap of the likelihood between training and test images is the sharper sign, where there is one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from probgen.demo.problem import Problem
from probgen.metrics import MeanError, mean_and_error

__all__ = ["Nearest", "nearest_training_images"]

_CHUNK = 128


class Nearest(NamedTuple):
    """The nearest training image of each image.

    Attributes:
        images: Pixels of the training images, ``[n, D]``.
        distances: Root mean square difference of pixels, in the units of [0, 1], ``[n]``.

    Example:
        >>> import torch
        >>> from probgen.demo import Nearest
        >>> print(Nearest(torch.zeros(2, 4), torch.tensor([0.1, 0.3])).mean)
        0.200 ± 0.100
    """

    images: Tensor
    distances: Tensor

    @property
    def mean(self) -> MeanError:
        """The mean distance, with its standard error."""
        return mean_and_error(self.distances)


def nearest_training_images(v: Tensor, problem: Problem) -> Nearest:
    """Find the training image with the smallest squared difference, gray value by gray value.

    Args:
        v: Pixels ``[n, D]``.
        problem: The data.

    Example:
        >>> import torch
        >>> from probgen.demo import Settings, load_problem, nearest_training_images
        >>> problem = load_problem(Settings.smoke())
        >>> copies = (problem.train.x[:3] + 0.5) / 17
        >>> nearest_training_images(copies, problem).distances
        tensor([0., 0., 0.])
    """
    images = problem.images
    unit = 1 / (images.levels - 1)
    known = problem.train.x.to(torch.get_default_dtype()) * unit
    found, distances = [], []
    for part in (images.integers(v) * unit).split(_CHUNK):
        nearest = torch.cdist(part, known).min(-1)  # by inner products: fast, and exact enough to find it
        found.append(problem.train.x[nearest.indices])
        distances.append((part - known[nearest.indices]).square().mean(-1).sqrt())
    return Nearest(images.pixels(images.quantization.decode(torch.cat(found))), torch.cat(distances))

r"""Precision, recall, density and coverage: fidelity and diversity apart, from neighborhoods in feature space.

Let :math:`B_k(x)` be the ball around x that reaches to the k-th nearest other example of its own set. With real examples
:math:`r_1, \dots, r_n` and generated ones :math:`g_1, \dots, g_m`

.. math::

    \text{precision} = \frac1m \sum_j 1\Bigl[g_j \in \bigcup_i B_k(r_i)\Bigr], \qquad
    \text{recall} = \frac1n \sum_i 1\Bigl[r_i \in \bigcup_j B_k(g_j)\Bigr],

.. math::

    \text{density} = \frac{1}{k m} \sum_j \sum_i 1[g_j \in B_k(r_i)], \qquad
    \text{coverage} = \frac1n \sum_i 1\Bigl[\min_j \lVert g_j - r_i \rVert \le \text{radius of } B_k(r_i)\Bigr].

Precision and density say whether generated examples look real, recall and coverage whether all of the real ones are reached.
One outlier with a large ball spoils precision and recall; density and coverage use balls of real examples only, once each. For
two sets from one law density is 1 on average, and coverage :math:`1 - \prod_{l=0}^{k-1} \frac{n - 1 - l}{n + m - 1 - l}`, about
:math:`1 - 2^{-k}` for :math:`n = m`.

References:
    Kynkäänniemi, Karras, Laine, Lehtinen, Aila (2019). Improved precision and recall metric. https://arxiv.org/abs/1904.06991
    Naeem, Oh, Uh, Choi, Yoo (2020). Reliable fidelity and diversity metrics. https://arxiv.org/abs/2002.09797
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.metrics._checks import as_feature_pair
from probgen.metrics.likelihood import MeanError, mean_and_error

__all__ = ["NeighborhoodOverlap", "neighborhood_overlap"]

_CHUNK = 512


@dataclass(frozen=True, repr=False)
class NeighborhoodOverlap:
    """Four shares with their standard errors (those of a mean over examples, the neighborhoods held fixed); prints as one line.

    Attributes:
        precision: Share of generated examples inside some real neighborhood.
        recall: Share of real examples inside some generated neighborhood.
        density: Mean number of real neighborhoods around a generated example, over ``neighbors``; may exceed 1.
        coverage: Share of real neighborhoods that hold a generated example.
        neighbors: k.
        num_real: Real examples.
        num_generated: Generated examples.

    Example:
        >>> from probgen.metrics import MeanError, NeighborhoodOverlap
        >>> half = MeanError(0.5, 0.02)
        >>> print(str(NeighborhoodOverlap(half, half, half, half, 5, 400, 300))[47:])
        density 0.500 ± 0.020, coverage 0.500 ± 0.020 (k = 5, 400 real, 300 generated)
    """

    precision: MeanError
    recall: MeanError
    density: MeanError
    coverage: MeanError
    neighbors: int
    num_real: int
    num_generated: int

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {getattr(self, name)}" for name in ("precision", "recall", "density", "coverage"))
        return f"{shares} (k = {self.neighbors}, {self.num_real} real, {self.num_generated} generated)"


def neighborhood_overlap(real: Tensor, generated: Tensor, *, neighbors: int = 5) -> NeighborhoodOverlap:
    """Precision, recall, density and coverage of generated features against real ones.

    Args:
        real: Features of real examples, ``[n, features]``, more than ``neighbors`` rows.
        generated: Features of generated examples, ``[m, features]``.
        neighbors: k, how many neighbors a ball reaches to.

    Raises:
        ValueError: shapes do not fit, too few rows, NaN or infinity, or ``neighbors`` is not positive.

    References:
        Naeem, Oh, Uh, Choi, Yoo (2020). Reliable fidelity and diversity metrics. https://arxiv.org/abs/2002.09797

    Example:
        Generated examples at one of two real clusters: realistic, and half of the data missed.

        >>> import torch
        >>> from probgen.metrics import neighborhood_overlap
        >>> generator = torch.Generator().manual_seed(0)
        >>> left, right, drawn = torch.rand(3, 100, 2, generator=generator)
        >>> overlap = neighborhood_overlap(torch.cat([left, right + 100]), drawn)
        >>> overlap.precision.mean > 0.9, overlap.coverage.mean < 0.51, overlap.recall.mean < 0.51
        (True, True, True)
    """
    if neighbors < 1:
        raise ValueError(f"`neighbors` must be at least 1; got {neighbors}.")
    r, g = as_feature_pair(("real", "generated"), real, generated, least=neighbors + 1)
    radius_r, radius_g = _radii(r, neighbors), _radii(g, neighbors)
    inside_real, reached, covered = [], [], []
    for part, radius in zip(r.split(_CHUNK), radius_r.split(_CHUNK), strict=True):
        distance = _distances(part, g)
        inside_real.append((distance <= radius[:, None]).sum(0))
        covered.append(distance.amin(1) <= radius)
        reached.append((distance <= radius_g).any(1))
    around = torch.stack(inside_real).sum(0)
    return NeighborhoodOverlap(
        precision=mean_and_error((around > 0).double()),
        recall=mean_and_error(torch.cat(reached).double()),
        density=mean_and_error(around.double() / neighbors),
        coverage=mean_and_error(torch.cat(covered).double()),
        neighbors=neighbors,
        num_real=len(r),
        num_generated=len(g),
    )


def _radii(x: Tensor, neighbors: int) -> Tensor:
    """Distance to the k-th nearest other example; the example itself is the zeroth."""
    return torch.cat([_distances(part, x).kthvalue(neighbors + 1, dim=1).values for part in x.split(_CHUNK)])


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances by differences: the shortcut by inner products gives copies a distance above zero."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")

r"""The Fréchet distance between two sets of features, always with the name of the features and the real/real floor.

Take the normal laws with the means and covariances of the two sets. The squared Fréchet (2-Wasserstein) distance is

.. math::

    d^2 = \lVert m_a - m_b \rVert^2 + \operatorname{tr} C_a + \operatorname{tr} C_b
          - 2 \operatorname{tr} \bigl(C_a^{1/2} C_b\, C_a^{1/2}\bigr)^{1/2} .

As usual in this field the *squared* distance is what is reported. The last trace is the sum of the singular values of
:math:`C_a^{1/2} C_b^{1/2}`, both roots by eigenvalues: no product is rounded before its root is taken, so equal sets are at
distance 1e-14 of their variance and not at 1e-7, and singular covariances do no harm.

The estimate from n examples is biased upward by about :math:`O(\text{features}^2 / n)`: even two sets of real data are at a
positive distance. ``frechet_report`` therefore takes the same n for the generated and for the held-out real set, measures both
against the same reference, and gives the second as the *floor*.

References:
    Dowson, Landau (1982). The Fréchet distance between multivariate normal distributions.
    https://doi.org/10.1016/0047-259X(82)90077-X
    Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter (2017). GANs trained by a two time-scale update rule.
    https://arxiv.org/abs/1706.08500
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.metrics._checks import as_feature_pair, as_features
from probgen.metrics.features import FeatureExtractor, describe
from probgen.metrics.likelihood import MeanError

__all__ = ["FrechetReport", "frechet_distance", "frechet_distance_of_moments", "frechet_report"]


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """The squared Fréchet distance between the normal laws fitted to two sets of features.

    It warns where a set has no more examples than features: its covariance is singular, and the distance biased upward.

    Args:
        features_a: One set, ``[n, features]``, at least two rows.
        features_b: The other, ``[m, features]``.

    Returns:
        The squared distance, in the squared units of the features.

    Raises:
        ValueError: shapes do not fit, fewer than two rows, NaN or infinity.

    Example:
        >>> import torch
        >>> from probgen.metrics import frechet_distance
        >>> x = torch.tensor([[-1.0], [0.0], [1.0]])
        >>> frechet_distance(x, 2 * x + 3)  # means 3 apart, standard deviations 1 and 2
        10.0
    """
    a, b = as_feature_pair(("features_a", "features_b"), features_a, features_b)
    for name, x in (("features_a", a), ("features_b", b)):
        if len(x) <= x.shape[1]:
            warnings.warn(
                f"the covariance of `{name}` is singular: {len(x)} examples of {x.shape[1]} features; the distance is biased.",
                stacklevel=2,
            )
    return _distance(_moments(a), _moments(b))


def frechet_distance_of_moments(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> float:
    """The squared Fréchet distance between two normal laws given by their moments.

    Args:
        mean_a: Mean ``[features]`` of the one.
        covariance_a: Its covariance ``[features, features]``, positive semidefinite.
        mean_b: Mean of the other.
        covariance_b: Its covariance.

    Raises:
        ValueError: shapes do not fit, a value is not finite, or a covariance is not symmetric and positive semidefinite.

    Example:
        >>> import torch
        >>> from probgen.metrics import frechet_distance_of_moments
        >>> frechet_distance_of_moments(torch.zeros(2), torch.eye(2), torch.ones(2), 4 * torch.eye(2))
        4.0
    """
    roots = []
    for label, mean, covariance in (("a", mean_a, covariance_a), ("b", mean_b, covariance_b)):
        size = mean.numel()
        if mean.dim() != 1 or tuple(covariance.shape) != (size, size) or size != mean_a.numel():
            raise ValueError(
                f"`mean_{label}` must be [features] and `covariance_{label}` [features, features], the same for both laws; "
                f"got {tuple(mean.shape)} and {tuple(covariance.shape)}."
            )
        matrix = as_features(f"covariance_{label}", covariance, least=1)
        vector = as_features(f"mean_{label}", mean[None], least=1)[0]
        smallest = float(torch.linalg.eigvalsh(matrix).min())
        scale = float(matrix.abs().max()) + 1e-300
        if not torch.allclose(matrix, matrix.mT, rtol=0, atol=1e-6 * scale) or smallest < -1e-6 * scale:
            raise ValueError(
                f"`covariance_{label}` must be symmetric and positive semidefinite; its smallest eigenvalue is {smallest:.3g}."
            )
        roots.append((vector, _root(matrix)))
    return _distance(*roots)


@dataclass(frozen=True, repr=False)
class FrechetReport:
    """A Fréchet distance with all that one needs to read it; prints as one line.

    Attributes:
        distance: Squared distance of n generated examples from the reference, with its jackknife standard error.
        floor: The same for n held-out real examples: what a perfect model would get.
        num_examples: n, the same for both.
        num_reference: Number of real examples in the reference.
        extractor: Description of the features.
        num_features: How many there are.

    Example:
        >>> from probgen.metrics import FrechetReport, MeanError
        >>> FrechetReport(MeanError(12.34, 0.4), MeanError(0.81, 0.05), 397, 1200, "pixels, 64 features", 64)
        Fréchet distance 12.3 ± 0.4, real/real floor 0.81 ± 0.05 (n = 397 against 1200; pixels, 64 features)
    """

    distance: MeanError
    floor: MeanError
    num_examples: int
    num_reference: int
    extractor: str
    num_features: int

    @property
    def is_singular(self) -> bool:
        """Whether a covariance is singular: no more examples than features."""
        return min(self.num_examples, self.num_reference) <= self.num_features

    @property
    def excess(self) -> float:
        """Distance minus floor, free of most of the bias of small samples."""
        return self.distance.mean - self.floor.mean

    def __repr__(self) -> str:
        caution = "; SINGULAR covariance: no more examples than features" if self.is_singular else ""
        return (
            f"Fréchet distance {rounded(self.distance)}, real/real floor {rounded(self.floor)} "
            f"(n = {self.num_examples} against {self.num_reference}; {self.extractor}{caution})"
        )


def frechet_report(
    generated: Tensor,
    real_train: Tensor,
    real_test: Tensor | None,
    extractor: FeatureExtractor,
    *,
    num_groups: int = 25,
    seed: int = 0,
) -> FrechetReport:
    """Measure generated and held-out real examples against the same real reference, with the same n.

    The larger of the two sets is thinned to the size of the smaller one. Standard errors are those of the grouped jackknife,
    which leaves out one group of examples at a time on either side. Near the floor, where the distance has no linear part, they
    are too large by up to 1.7, far from it by a tenth (a bootstrap, which doubles the bias, is further off: 2.2 and 1.2).

    Args:
        generated: Generated examples ``[n, *event]``, in the units of the real ones.
        real_train: Real examples, the reference.
        real_test: Real examples that the model has not seen; None cuts ``real_train`` into two halves, reference and floor.
        extractor: Features: ``PixelFeatures``, ``train_classifier_features(...)`` or any function of that kind.
        num_groups: Groups of the jackknife, at least 2; fewer where there are fewer examples.
        seed: Of thinning and of the groups.

    Raises:
        ValueError: too few examples or groups, NaN or infinity.

    References:
        Heusel et al. (2017). https://arxiv.org/abs/1706.08500

    Example:
        >>> import torch
        >>> from probgen.data import load_digits
        >>> from probgen.metrics import PixelFeatures, frechet_report
        >>> digits = load_digits()
        >>> noise = torch.randint(0, 17, digits.test.x.shape, generator=torch.Generator().manual_seed(0))
        >>> report = frechet_report(noise, digits.train.x, digits.test.x, PixelFeatures((8, 8)))
        >>> report.num_examples, report.distance.mean > 50 * report.floor.mean
        (397, True)
    """
    if num_groups < 2:
        raise ValueError(f"`num_groups` must be at least 2; got {num_groups}.")
    generator = torch.Generator().manual_seed(seed)
    reference = _shuffled(as_features("real_train", extractor(real_train), least=8), generator)
    if real_test is None:
        reference, held_out = reference.tensor_split(2)
    else:
        held_out = _shuffled(as_features("real_test", extractor(real_test), least=4), generator)
    drawn = _shuffled(as_features("generated", extractor(generated), least=4), generator)
    count = min(len(drawn), len(held_out))
    size = reference.shape[1]
    distance, floor = (_with_error(x[:count], reference, num_groups) for x in (drawn, held_out))
    return FrechetReport(distance, floor, count, len(reference), describe(extractor, size), size)


def rounded(value: MeanError) -> str:
    """Mean and error to the first significant digit of the error, at least one and at most six decimals."""
    digits = 1 if value.error == 0 else min(max(1, math.ceil(-math.log10(value.error / 0.95))), 6)
    return f"{value.mean:.{digits}f} ± {value.error:.{digits}f}"


def _shuffled(x: Tensor, generator: torch.Generator) -> Tensor:
    return x[torch.randperm(len(x), generator=generator).to(x.device)]


def _with_error(x: Tensor, reference: Tensor, num_groups: int) -> MeanError:
    """The distance, and the standard error of the grouped jackknife over both sides."""
    moments, others = _moments(x), _moments(reference)
    without_x = [_distance(_moments(part), others) for part in _each_left_out(x, num_groups)]
    without_reference = [_distance(moments, _moments(part)) for part in _each_left_out(reference, num_groups)]
    values = (torch.tensor(value, dtype=torch.float64) for value in (without_x, without_reference))
    variance = sum(float((len(value) - 1) * value.var(correction=0)) for value in values)
    return MeanError(_distance(moments, others), math.sqrt(variance))


def _each_left_out(x: Tensor, num_groups: int) -> Iterator[Tensor]:
    """The examples without one group, for each of at most ``num_groups`` groups."""
    count = min(num_groups, len(x))
    group = torch.arange(len(x), device=x.device) % count
    for index in range(count):
        yield x[group != index]


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean, and symmetric root of the covariance."""
    mean = x.mean(0)
    centered = x - mean
    return mean, _root(centered.mT @ centered / (len(x) - 1))


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(0.5 * (covariance + covariance.mT))
    root: Tensor = (vectors * values.clamp(min=0.0).sqrt()) @ vectors.mT
    return root


def _distance(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
    """From means and roots of covariances; a rounding below zero counts as zero."""
    (mean_a, root_a), (mean_b, root_b) = a, b
    spread = root_a.square().sum() + root_b.square().sum() - 2 * torch.linalg.svdvals(root_a @ root_b).sum()
    return float((mean_a - mean_b).square().sum() + spread.clamp(min=0.0))

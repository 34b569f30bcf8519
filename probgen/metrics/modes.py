r"""Mode coverage: which modes of a known law a generator reaches, how often, and how well.

Where the data come from K known modes :math:`\mu_k` with weights :math:`p_k`, every draw goes to its nearest mode. Of n draws
let :math:`N_k` go to mode k, and let *high quality* mean within three standard deviations of it. The three numbers of the field
are

.. math::

    \text{modes} = \#\{k : \text{mode } k \text{ has a draw of high quality}\}, \qquad
    \text{share of high quality}, \qquad
    \mathrm{KL}(\hat q \,\|\, p) = \sum_k \frac{N_k}{n} \log \frac{N_k / n}{p_k},

the last the *reverse* Kullback–Leibler divergence of the histogram of all draws, in nats. Of images, whose modes are classes, a
classifier says which mode a draw belongs to; quality does not enter.

None of the three is perfect for a perfect sampler, and nobody prints by how much. High quality has the probability
:math:`P(\chi^2_d \le 9)`, which in the plane is :math:`1 - e^{-9/2} = 98.9\,\%`. The divergence is positive by chance: since
:math:`N_k` is binomial, its expectation is the finite sum

.. math::

    \mathbb E\, \mathrm{KL}(\hat q \,\|\, p)
    = \sum_k \sum_{m=1}^n \binom nm p_k^m (1 - p_k)^{n-m}\, \frac mn \log \frac{m}{n p_k} \approx \frac{K - 1}{2n},

and :math:`(1 - p_k)^n` is the chance that mode k is missed. These floors come with the numbers.

References:
    Srivastava, Valkov, Russell, Gutmann, Sutton (2017). VEEGAN: reducing mode collapse in GANs using implicit variational
    learning. https://arxiv.org/abs/1705.07761

    Lin, Khetan, Fanti, Oh (2018). PacGAN: the power of two samples in generative adversarial networks.
    https://arxiv.org/abs/1712.04086
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from probgen.metrics._checks import as_feature_pair
from probgen.metrics.likelihood import MeanError, mean_and_error

__all__ = ["ClassCoverage", "ModeCoverage", "class_coverage", "mode_coverage", "reverse_kl_floor"]

_CHUNK = 4096


@dataclass(frozen=True, repr=False)
class ClassCoverage:
    """How draws spread over classes; prints as one line.

    Attributes:
        modes: Classes with at least one draw.
        reverse_kl: Divergence of the draws' histogram from the data's, in nats.
        floor: Expectation of ``reverse_kl`` for a perfect sampler with as many draws.
        counts: Draws of each class, ``[classes]``.

    Example:
        >>> import torch
        >>> from probgen.metrics import class_coverage
        >>> class_coverage(torch.arange(2000) % 500, 1000)
        500 of 1000 classes, reverse KL 0.693 (floor 0.285, 2000 draws)
    """

    modes: int
    reverse_kl: float
    floor: float
    counts: Tensor = field(compare=False)

    def __repr__(self) -> str:
        draws = f"floor {self.floor:.3f}, {int(self.counts.sum())} draws"
        return f"{self.modes} of {len(self.counts)} classes, reverse KL {self.reverse_kl:.3f} ({draws})"


@dataclass(frozen=True, repr=False)
class ModeCoverage:
    """How draws spread over known modes, and how near to them they are; prints as one line.

    Attributes:
        modes: Modes that are the nearest to at least one draw of high quality.
        high_quality: Share of draws within ``radius`` standard deviations of their mode, with its standard error.
        reverse_kl: Divergence of the histogram of all draws from the modes' weights, in nats.
        high_quality_ceiling: Probability of high quality for a perfect sampler of spherical Gaussians.
        floor: Expectation of ``reverse_kl`` for a perfect sampler with as many draws.
        counts: Draws nearest to each mode, ``[modes]``.
        high_quality_counts: Those of high quality, ``[modes]``.
        radius: In standard deviations.

    Example:
        >>> import torch
        >>> from probgen.metrics import mode_coverage
        >>> mode_coverage(torch.tensor([[0.0], [0.1], [5.0]]), torch.tensor([[0.0], [5.0], [9.0]]), std=0.02)
        2 of 3 modes, high quality 0.667 ± 0.333 (at best 0.997), reverse KL 0.462 (floor 0.430, 3 draws)
    """

    modes: int
    high_quality: MeanError
    reverse_kl: float
    high_quality_ceiling: float
    floor: float
    counts: Tensor = field(compare=False)
    high_quality_counts: Tensor = field(compare=False)
    radius: float

    def __repr__(self) -> str:
        quality = f"high quality {self.high_quality} (at best {self.high_quality_ceiling:.3f})"
        draws = f"floor {self.floor:.3f}, {int(self.counts.sum())} draws"
        return f"{self.modes} of {len(self.counts)} modes, {quality}, reverse KL {self.reverse_kl:.3f} ({draws})"


def mode_coverage(
    samples: Tensor, means: Tensor, std: float, *, weights: Tensor | None = None, radius: float = 3.0
) -> ModeCoverage:
    """Modes that draws cover, their share of high quality and the divergence of their histogram.

    Args:
        samples: Draws, ``[n, d]``; the papers take 2500.
        means: The modes, ``[modes, d]``.
        std: Standard deviation of each mode in every direction, in the units of ``samples``.
        weights: Probabilities of the modes, ``[modes]``; equal by default.
        radius: How many standard deviations away a draw is still of high quality.

    Raises:
        ValueError: shapes do not fit, fewer than two draws, a value is not finite, ``std`` or ``radius`` is not positive, or
            ``weights`` are no probabilities.

    References:
        Srivastava, Valkov, Russell, Gutmann, Sutton (2017). VEEGAN: reducing mode collapse in GANs using implicit variational
        learning. https://arxiv.org/abs/1705.07761

    Example:
        >>> import torch
        >>> from probgen.data.toys import gaussian_grid
        >>> from probgen.metrics import mode_coverage
        >>> law, _ = gaussian_grid(), torch.manual_seed(0)
        >>> means = law.component_distribution.mean
        >>> found = mode_coverage(law.sample((2500,)), means, std=0.05)
        >>> found.modes, found.high_quality.mean > 0.98, found.reverse_kl < 0.02
        (25, True, True)
        >>> mode_coverage(means[:5].repeat(500, 1), means, std=0.05).modes
        5
    """
    if not std > 0 or not radius > 0:
        raise ValueError(f"`std` and `radius` must be positive; got {std} and {radius}.")
    x, modes = as_feature_pair(("samples", "means"), samples, means, least=1)
    if len(x) < 2:
        raise ValueError(f"`samples` must hold at least 2 draws; got {len(x)}.")
    distance, nearest = (torch.cat(part) for part in zip(*(_nearest(part, modes) for part in x.split(_CHUNK)), strict=True))
    good = distance <= radius * std
    counts = torch.bincount(nearest, minlength=len(modes))
    high = torch.zeros_like(counts).index_add_(0, nearest, good.long())
    target = _weights(weights, len(modes)).to(counts.device)
    return ModeCoverage(
        modes=int((high > 0).sum()),
        high_quality=mean_and_error(good.double()),
        reverse_kl=_reverse_kl(counts, target),
        high_quality_ceiling=_chi_square_cdf(radius**2, modes.shape[1]),
        floor=reverse_kl_floor(len(x), target),
        counts=counts,
        high_quality_counts=high,
        radius=radius,
    )


def class_coverage(predicted: Tensor, classes: int | Tensor) -> ClassCoverage:
    """Classes that draws cover, and the divergence of their histogram.

    Args:
        predicted: The class of every draw, integers ``[n]``; the papers take 26 000 draws of 1000 classes.
        classes: Probabilities of the classes, ``[classes]``, or their number: then they are equal.

    Raises:
        ValueError: no draws, not integers, a class out of range, or no probabilities.

    References:
        Metz, Poole, Pfau, Sohl-Dickstein (2017). Unrolled generative adversarial networks. https://arxiv.org/abs/1611.02163

    Example:
        >>> import torch
        >>> from probgen.metrics import class_coverage
        >>> found = class_coverage(torch.tensor([0, 0, 2, 2]), torch.tensor([0.5, 0.0, 0.5]))
        >>> found.modes, found.reverse_kl, found.counts.tolist()
        (2, 0.0, [2, 0, 2])
    """
    number = classes if isinstance(classes, int) else len(classes)
    target = _weights(None if isinstance(classes, int) else classes, number)
    if predicted.dim() != 1 or predicted.is_floating_point() or len(predicted) == 0:
        raise ValueError(f"`predicted` must be integers [n], at least one; got {predicted.dtype} {tuple(predicted.shape)}.")
    if int(predicted.min()) < 0 or int(predicted.max()) >= number:
        raise ValueError(
            f"`predicted` must lie in 0, ..., {number - 1}; got {int(predicted.min())}, ..., {int(predicted.max())}."
        )
    counts = torch.bincount(predicted.detach().long(), minlength=number)
    target = target.to(counts.device)
    floor = reverse_kl_floor(len(predicted), target)
    return ClassCoverage(int((counts > 0).sum()), _reverse_kl(counts, target), floor, counts)


def reverse_kl_floor(draws: int, classes: int | Tensor) -> float:
    r"""Expected reverse Kullback–Leibler divergence of a perfect sampler's histogram, in nats: what chance alone gives.

    .. math:: \sum_k \mathbb E\Bigl[\tfrac{N_k}{n} \log \tfrac{N_k}{n p_k}\Bigr], \qquad N_k \sim \mathrm{Binomial}(n, p_k),

    summed exactly.

    Args:
        draws: How many draws, n.
        classes: Probabilities of the classes, ``[classes]``, or their number: then they are equal.

    Raises:
        ValueError: no draws, or no probabilities.

    Example:
        >>> from probgen.metrics import reverse_kl_floor
        >>> f"{reverse_kl_floor(26_000, 1000):.4f} {reverse_kl_floor(2500, 25):.4f}"
        '0.0193 0.0048'
    """
    if draws < 1:
        raise ValueError(f"`draws` must be at least 1; got {draws}.")
    target = _weights(classes if isinstance(classes, Tensor) else None, classes if isinstance(classes, int) else len(classes))
    values, repeats = target[target > 0].unique(return_counts=True)
    m = torch.arange(1, draws + 1, dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64)
    for p, repeat in zip(values.cpu(), repeats.cpu(), strict=True):
        log_mass = torch.distributions.Binomial(draws, probs=p, validate_args=False).log_prob(m)
        total += repeat * (log_mass.exp() * (m / draws) * (m / (draws * p)).log()).sum()
    return float(total)


def _nearest(x: Tensor, modes: Tensor) -> tuple[Tensor, Tensor]:
    distance, index = torch.cdist(x, modes, compute_mode="donot_use_mm_for_euclid_dist").min(1)
    return distance, index


def _chi_square_cdf(x: float, dims: int) -> float:
    return float(torch.special.gammainc(*torch.tensor([dims / 2, x / 2], dtype=torch.float64)))


def _weights(weights: Tensor | None, number: int) -> Tensor:
    """Probabilities in float64, ``[number]``."""
    if weights is None:
        if number < 1:
            raise ValueError(f"there must be at least one class; got {number}.")
        return torch.full((number,), 1 / number, dtype=torch.float64)
    values = weights.detach().double()
    if values.shape != (number,) or not bool((values >= 0).all()) or not abs(float(values.sum()) - 1) < 1e-5:
        raise ValueError(f"probabilities must be [{number}], not negative, with sum 1; got {tuple(values.shape)} {weights}.")
    return values


def _reverse_kl(counts: Tensor, target: Tensor) -> float:
    """Infinite where a class has draws and no probability."""
    q = counts.double() / counts.sum()
    return float((torch.special.xlogy(q, q) - torch.special.xlogy(q, target)).sum())

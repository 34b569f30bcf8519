r"""An exact test of whether ranks are uniform, by their empirical distribution function.

Of n ranks, uniform on :math:`\{0, \dots, L\}`, let :math:`N_k` be the number below :math:`m_k`. Each is binomial with chance
:math:`p_k = m_k / (L + 1)`, and together they are a Markov chain,

.. math:: N_{k+1} - N_k \mid N_k \sim \mathrm{Binomial}\Bigl(n - N_k, \frac{p_{k+1} - p_k}{1 - p_k}\Bigr) .

With the two-sided binomial chances :math:`\gamma_k = \min(1, 2 P(X \le N_k), 2 P(X \ge N_k))` the statistic is
:math:`\gamma = \min_k \gamma_k`; the paths above a level fill a band around the diagonal, and the probability to stay within it
is a product of transition matrices. So p-value and simultaneous band are exact for every n and L.

References:
    Säilynoja, Bürkner, Vehtari (2022). Graphical test for discrete uniformity and its applications in goodness-of-fit
    evaluation and multiple sample comparison. https://arxiv.org/abs/2103.10522
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["ecdf_points", "rank_band", "rank_p_value"]

_POINTS = 20


def ecdf_points(num_draws: int) -> Tensor:
    """Where the distribution function of ranks is looked at: at most 20 whole numbers m, evenly spread over 1, ..., L.

    Args:
        num_draws: L.

    Example:
        >>> from probgen.metrics._rank_uniformity import ecdf_points
        >>> ecdf_points(3)
        tensor([1, 2, 3])
    """
    number = min(_POINTS - 1, num_draws)
    points: Tensor = torch.linspace(0, num_draws + 1, number + 2, dtype=torch.float64)[1:-1].round().long()
    return points


def rank_p_value(ranks: Tensor, num_draws: int) -> float:
    """The chance that uniform ranks stray as far from the diagonal as these, at their most unlikely point.

    Args:
        ranks: Whole numbers between 0 and ``num_draws``, ``[n]``.
        num_draws: L.

    Example:
        >>> import torch
        >>> from probgen.metrics._rank_uniformity import rank_p_value
        >>> rank_p_value(torch.arange(100), 99), rank_p_value(torch.zeros(5, dtype=torch.long), 1)  # all in one of two bins
        (1.0, 0.0625)
    """
    points = ecdf_points(num_draws)
    counts = (ranks[:, None] < points.to(ranks.device)).sum(0).cpu()
    chances = points.double() / (num_draws + 1)
    two_sided = _two_sided(len(ranks), chances)
    level = float(two_sided.gather(1, counts[:, None]).min())
    return min(max(1.0 - _stays(two_sided > level * (1 + 1e-9), chances), 0.0), 1.0)


def rank_band(number: int, num_draws: int, level: float) -> tuple[Tensor, Tensor]:
    """Where the whole empirical distribution function of uniform ranks lies with a chance of at least ``level``.

    Args:
        number: n.
        num_draws: L.
        level: Between 0 and 1.

    Returns:
        Lower and upper values at :func:`ecdf_points`, shares of n.

    Example:
        >>> from probgen.metrics._rank_uniformity import rank_band
        >>> lower, upper = rank_band(100, 1, 0.95)  # heads of 100 coins
        >>> float(lower[0]), float(upper[0])
        (0.4, 0.6)
    """
    chances = ecdf_points(num_draws).double() / (num_draws + 1)
    two_sided = _two_sided(number, chances)
    low, high = 0.0, 1.0  # the band of `low` is wide enough
    for _ in range(25):
        middle = (low + high) / 2
        low, high = (middle, high) if _stays(two_sided > middle, chances) >= level else (low, middle)
    inside = (two_sided > low).double()
    return inside.argmax(1).double() / number, (number - inside.flip(1).argmax(1)).double() / number


def _two_sided(number: int, chances: Tensor) -> Tensor:
    """Two-sided chances of all counts 0, ..., n at every point, ``[points, n + 1]``; equal ones are equal to the last digit."""
    counts = torch.arange(number + 1, dtype=torch.float64)
    mass = _binomial(counts, torch.tensor(float(number), dtype=torch.float64), chances[:, None])
    below, above = mass.cumsum(1), mass.flip(1).cumsum(1).flip(1)
    return (2 * torch.minimum(below, above)).clamp(1e-300, 1.0).log().mul(1e9).round().div(1e9).exp()


def _stays(inside: Tensor, chances: Tensor) -> float:
    """The probability that the counts of uniform ranks are ``inside`` ``[points, n + 1]`` at all points."""
    number = inside.shape[1] - 1
    held, weight, before = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64), 0.0
    for row, chance in zip(inside, chances.tolist(), strict=True):
        counts = row.nonzero()[:, 0].double()
        if len(counts) == 0:
            return 0.0
        step = torch.tensor((chance - before) / (1 - before), dtype=torch.float64)
        weight = weight @ _binomial(counts - held[:, None], number - held[:, None], step)
        held, before = counts, chance
    return float(weight.sum())


def _binomial(successes: Tensor, trials: Tensor, chance: Tensor) -> Tensor:
    """Binomial masses, zero for impossible numbers of successes."""
    possible = (successes >= 0) & (successes <= trials)
    s = torch.where(possible, successes, 0.0)
    log_mass = torch.lgamma(trials + 1) - torch.lgamma(s + 1) - torch.lgamma(trials - s + 1)
    log_mass = log_mass + s * chance.log() + (trials - s) * torch.log1p(-chance)
    return torch.where(possible, log_mass.exp(), 0.0)

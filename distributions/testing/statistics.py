r"""Statistical tests with stated error rates.

The Dvoretzky–Kiefer–Wolfowitz–Massart inequality bounds the distance between an empirical distribution function of :math:`n`
draws and the true one without any assumption:

.. math::

    P\big(\sup_x |F_n(x) - F(x)| > \epsilon\big) \le 2 e^{-2 n \epsilon^2},

so a test that rejects above :math:`\epsilon = \sqrt{\log(2/\delta) / 2n}` has a false-alarm rate of at most :math:`\delta`,
and it detects every discrepancy above :math:`2\epsilon` with probability at least :math:`1 - \delta`. Each test returns
both numbers. The suite's budget of :math:`10^{-6}` is spent in portions of :math:`10^{-10}`: see ``FALSE_ALARM`` and
``Ledger``.

References:
    Maurer, Pontil (2009). Empirical Bernstein bounds and sample variance penalization. https://arxiv.org/abs/0907.3740
    Massart (1990). The tight constant in the Dvoretzky–Kiefer–Wolfowitz inequality. https://doi.org/10.1214/aop/1176990746
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = [
    "FALSE_ALARM",
    "SUITE_BUDGET",
    "Ledger",
    "TestResult",
    "bounded_means_test",
    "chi_square_test",
    "dkwm_test",
    "dkwm_two_sample_test",
    "mean_test",
    "min_detectable_discrepancy",
    "num_samples_for_discrepancy",
    "projected_two_sample_test",
    "uniformity_test",
]

FALSE_ALARM = 1e-10
SUITE_BUDGET = 1e-6


@dataclass(frozen=True)
class TestResult:
    """The verdict of a statistical test.

    Attributes:
        statistic: What was measured.
        threshold: Above which the test rejects.
        false_alarm: Probability of rejecting a true hypothesis, at most.
        detectable: A discrepancy that is found with probability 1 - ``false_alarm`` at least (in units of the statistic).

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import uniformity_test
        >>> uniformity_test(torch.linspace(0.0, 1.0, 1000)).passed
        True
    """

    __test__ = False

    statistic: float
    threshold: float
    false_alarm: float
    detectable: float

    @property
    def passed(self) -> bool:
        """Whether the hypothesis stands (NaN fails)."""
        return self.statistic <= self.threshold

    def __str__(self) -> str:
        return (
            f"{self.statistic:.4g} against {self.threshold:.4g} (false alarms {self.false_alarm:.0e}, "
            f"detects {self.detectable:.4g})"
        )


@dataclass
class Ledger:
    """How much of a suite's budget of false alarms is spent.

    Attributes:
        budget: Probability that any of the tests raises a false alarm.
        spent: Portions by name.

    Example:
        >>> from probgen.distributions.testing import Ledger
        >>> ledger = Ledger()
        >>> ledger.spend("normal samples", 1e-9)
        1e-09
        >>> ledger.left < ledger.budget
        True
    """

    budget: float = SUITE_BUDGET
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def left(self) -> float:
        """What is left of the budget."""
        return self.budget - sum(self.spent.values())

    def spend(self, name: str, rate: float = FALSE_ALARM) -> float:
        """Reserve a false-alarm rate for one test and return it.

        Args:
            name: The test; a name is paid for once.
            rate: Its false-alarm rate.

        Raises:
            ValueError: the budget does not allow it.
        """
        if name not in self.spent:
            if rate > self.left:
                raise ValueError(f"`rate` must be at most the {self.left:.1e} left of the budget; got {rate:.1e} for {name!r}.")
            self.spent[name] = rate
        return rate


def min_detectable_discrepancy(n: int, false_alarm: float = FALSE_ALARM) -> float:
    r"""Return :math:`2\sqrt{\log(2/\delta)/2n}`: distances of distribution functions above it are found.

    Args:
        n: Number of draws.
        false_alarm: The rate :math:`\delta`, for false alarms and for misses.

    Example:
        >>> from probgen.distributions.testing import min_detectable_discrepancy
        >>> round(min_detectable_discrepancy(100_000, 1e-6), 4)
        0.017
    """
    return 2 * _dkwm(n, false_alarm)


def num_samples_for_discrepancy(discrepancy: float, false_alarm: float = FALSE_ALARM) -> int:
    """How many draws find a distance of distribution functions of this size.

    Args:
        discrepancy: The distance.
        false_alarm: Rate of false alarms and of misses.

    Example:
        >>> from probgen.distributions.testing import num_samples_for_discrepancy
        >>> num_samples_for_discrepancy(0.02)
        118595
    """
    return math.ceil(2 * math.log(2 / false_alarm) / discrepancy**2)


def dkwm_test(samples: Tensor, cdf: Callable[[Tensor], Tensor], false_alarm: float = FALSE_ALARM) -> TestResult:
    """Compare draws with a continuous distribution function.

    Args:
        samples: Draws, shape ``[n]``.
        cdf: The distribution function.
        false_alarm: Its rate.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import dkwm_test
        >>> draws = torch.linspace(0.0005, 0.9995, 1000)
        >>> dkwm_test(draws, lambda x: x).passed, dkwm_test(draws**2, lambda x: x).passed
        (True, False)
    """
    values = samples.detach().double().flatten().sort().values
    n = values.numel()
    uniform = cdf(values).double()
    upper = torch.arange(1, n + 1, dtype=torch.float64) / n
    distance = torch.maximum((upper - uniform).abs(), (upper - 1 / n - uniform).abs()).max()
    return TestResult(float(distance), _dkwm(n, false_alarm), false_alarm, min_detectable_discrepancy(n, false_alarm))


def uniformity_test(samples: Tensor, false_alarm: float = FALSE_ALARM) -> TestResult:
    """Compare every coordinate of probability integral transforms with the uniform distribution on [0, 1].

    Args:
        samples: Transforms, shape ``[n]`` or ``[n, dim]``; the rate is divided by the number of coordinates.
        false_alarm: Its rate, over all coordinates.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import uniformity_test
        >>> uniformity_test(torch.rand(1000, generator=torch.Generator().manual_seed(0)) ** 2).passed
        False
    """
    columns = samples.reshape(len(samples), -1)
    each = false_alarm / max(columns.shape[-1], 1)
    results = [dkwm_test(column, lambda u: u.clamp(0, 1), each) for column in columns.unbind(-1)]
    worst = max(results, key=lambda result: result.statistic if math.isfinite(result.statistic) else math.inf)
    return TestResult(worst.statistic, worst.threshold, false_alarm, worst.detectable)


def dkwm_two_sample_test(first: Tensor, second: Tensor, false_alarm: float = FALSE_ALARM) -> TestResult:
    """Compare two sets of scalar draws; each is allowed half of the rate.

    Args:
        first: Draws, shape ``[n]``.
        second: Draws, shape ``[m]``.
        false_alarm: Its rate.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import dkwm_two_sample_test
        >>> dkwm_two_sample_test(torch.arange(1000.0), torch.arange(1000.0) + 0.5).passed
        True
    """
    a, b = (value.detach().double().flatten().sort().values for value in (first, second))
    grid = torch.cat([a, b])
    distance = (
        (torch.searchsorted(a, grid, right=True) / a.numel() - torch.searchsorted(b, grid, right=True) / b.numel()).abs().max()
    )
    threshold = _dkwm(a.numel(), false_alarm / 2) + _dkwm(b.numel(), false_alarm / 2)
    return TestResult(float(distance), threshold, false_alarm, 2 * threshold)


def projected_two_sample_test(
    first: Tensor, second: Tensor, *, projections: int = 8, false_alarm: float = FALSE_ALARM, seed: int = 0
) -> TestResult:
    """Compare two sets of vectors along random directions.

    Args:
        first: Draws, shape ``[n, dim]``.
        second: Draws, shape ``[m, dim]``.
        projections: Number of directions; the rate is divided among them.
        false_alarm: Its rate over all directions.
        seed: Seed of the directions.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import projected_two_sample_test
        >>> x = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
        >>> projected_two_sample_test(x[:2000], 2.0 * x[2000:]).passed
        False
    """
    a, b = first.detach().double().reshape(len(first), -1), second.detach().double().reshape(len(second), -1)
    directions = torch.randn(a.shape[-1], projections, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    each = false_alarm / projections
    results = [dkwm_two_sample_test(a @ d, b @ d, each) for d in directions.unbind(-1)]
    worst = max(results, key=lambda result: result.statistic)
    return TestResult(worst.statistic, worst.threshold, false_alarm, worst.detectable)


def chi_square_test(
    counts: Tensor, probabilities: Tensor, false_alarm: float = FALSE_ALARM, *, least: float = 20.0
) -> TestResult:
    """Compare counts of discrete draws with probabilities; cells that expect fewer than ``least`` are pooled into one.

    Args:
        counts: How often each value was drawn, shape ``[k]``.
        probabilities: Of each value, shape ``[k]``; what is missing to one is a cell that was never drawn.
        false_alarm: Its rate (in the large-sample limit).
        least: Expected count below which cells are pooled.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import chi_square_test
        >>> chi_square_test(torch.tensor([510, 490]), torch.tensor([0.5, 0.5])).passed
        True
    """
    from scipy.stats import chi2

    n, seen, wanted = float(counts.sum()), counts.double().flatten(), probabilities.detach().double().flatten()
    expected = wanted * n
    large = expected >= least
    pooled = torch.stack([seen[~large].sum(), (n - expected[large].sum()).clamp_min(0.0)])
    cells = torch.cat([seen[large], pooled[:1]]), torch.cat([expected[large], pooled[1:]])
    terms = (cells[0] - cells[1]).square() / cells[1].clamp_min(1.0)
    degrees = max(int(large.sum()), 1)
    threshold = float(chi2.isf(false_alarm, degrees))
    return TestResult(float(terms.sum()), threshold, false_alarm, math.sqrt(2 * threshold / max(n, 1)))


def mean_test(samples: Tensor, expected: Tensor | float, false_alarm: float = FALSE_ALARM) -> TestResult:
    r"""Compare a mean with its expectation by the central limit theorem, in standard errors.

    Args:
        samples: Draws, shape ``[n]``, of finite variance.
        expected: The expectation.
        false_alarm: Two-sided rate in the large-sample limit.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import mean_test
        >>> mean_test(torch.randn(1000, generator=torch.Generator().manual_seed(0)), 0.0).passed
        True
    """
    from scipy.stats import norm

    values = samples.detach().double().flatten()
    error = values.std() / math.sqrt(values.numel()) + 1e-12 * (1 + values.abs().mean())
    threshold = float(norm.isf(false_alarm / 2))
    return TestResult(float((values.mean() - expected).abs() / error), threshold, false_alarm, 2 * threshold)


def bounded_means_test(first: Tensor, second: Tensor, false_alarm: float = FALSE_ALARM) -> TestResult:
    r"""Compare the means of two samples of numbers in [0, 1], by the empirical Bernstein bound (no large-sample limit).

    Args:
        first: Numbers in [0, 1], shape ``[n]``.
        second: Numbers in [0, 1], shape ``[m]``.
        false_alarm: Its rate.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing.statistics import bounded_means_test
        >>> bounded_means_test(torch.rand(20_000), torch.rand(20_000) ** 2).passed
        False
    """
    means, room = [], 0.0
    for values in (first.detach().double().flatten(), second.detach().double().flatten()):
        log_rate, n = math.log(8 / false_alarm), values.numel()
        room += math.sqrt(2 * float(values.var()) * log_rate / n) + 7 * log_rate / (3 * (n - 1))
        means.append(values.mean())
    return TestResult(float((means[0] - means[1]).abs()), room, false_alarm, 2 * room)


def _dkwm(n: int, false_alarm: float) -> float:
    return math.sqrt(math.log(2 / false_alarm) / (2 * max(n, 1)))

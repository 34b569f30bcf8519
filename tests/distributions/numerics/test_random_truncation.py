"""Russian roulette: the law of the number of terms, and an expectation that is right for every law."""

import math

import pytest
import torch

from probgen.distributions.numerics.random_truncation import RandomTruncation

LAWS = [RandomTruncation(2, "geometric", 0.5), RandomTruncation(0, "geometric", 0.9), RandomTruncation(1, "poisson", 2.0)]


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.statistical(false_alarm=1e-9)
def test_draws_follow_the_survival_function(law):
    """Frequencies of N >= k for six k among 100 000 draws; detects an error of one percent."""
    draws = law.draw((100_000,), generator=torch.Generator().manual_seed(0))
    for k in range(1, 7):
        expected = law.survival(k)
        z = ((draws >= k).double().mean() - expected) / math.sqrt(max(expected * (1 - expected), 1e-12) / 100_000)
        assert abs(z) < 6.6, k
    assert draws.min() >= law.exact_terms


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_mean_is_the_sum_of_the_survival_function(law):
    assert law.mean == pytest.approx(sum(law.survival(k) for k in range(1, 400)))


@pytest.mark.parametrize("rate", [0.3, 0.6])
def test_variance_is_the_formula_of_the_docstring(rate):
    """By enumeration of N for the series of rate^k / k."""
    law, terms = RandomTruncation(2, "geometric", 0.5), [rate**k / k for k in range(1, 60)]
    mass = [law.survival(k) - law.survival(k + 1) for k in range(60)]
    mass[0] = 0.0
    sums = [0.0]
    for k, term in enumerate(terms, 1):
        sums.append(sums[-1] + term / law.survival(k))
    mean = sum(p * s for p, s in zip(mass, sums, strict=True))
    variance = sum(p * s * s for p, s in zip(mass, sums, strict=True)) - mean**2
    formula = sum(
        a * (1 / law.survival(k) - 1) * (a + 2 * sum(terms[k:])) for k, a in enumerate(terms, 1) if k > law.exact_terms
    )
    assert mean == pytest.approx(-math.log(1 - rate), rel=1e-6)
    assert variance == pytest.approx(formula, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-1,), "exact_terms"), ((1, "geometric", 1.0), "parameter"), ((1, "poisson", 0.0), "parameter"), ((1, "zeta"), "kind")],
)
def test_wrong_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomTruncation(*arguments)

"""The sliced Wasserstein distance against scipy, closed forms and its own symmetries."""

import math

import pytest
import torch
from scipy.stats import wasserstein_distance

from probgen.metrics import sliced_wasserstein_distance
from probgen.metrics.sliced import wasserstein_on_lines


@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 7), (7, 5), (30, 12), (4, 1)])
def test_on_the_line_it_is_scipys(n, m):
    torch.manual_seed(n + m)
    a, b = torch.randn(n, 3, dtype=torch.float64), 2 * torch.randn(m, 3, dtype=torch.float64) + 1
    found = wasserstein_on_lines(a, b)
    for line in range(3):
        assert found[line].item() == pytest.approx(wasserstein_distance(a[:, line].numpy(), b[:, line].numpy()), rel=1e-12)


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
def test_copies_of_a_set_change_nothing(power):
    a, b = torch.randn(6, 4, dtype=torch.float64), torch.randn(9, 4, dtype=torch.float64)
    alone, repeated = wasserstein_on_lines(a, b, power), wasserstein_on_lines(a.repeat(3, 1), b, power)
    torch.testing.assert_close(alone, repeated)


def test_squared_distance_of_normal_laws():
    """W2^2 of N(0, 1) and N(1, 4) is 1 + 1: 40 000 quantiles are within 1 % of it."""
    u = (torch.arange(40_000, dtype=torch.float64) + 0.5) / 40_000
    z = math.sqrt(2) * torch.erfinv(2 * u - 1)
    assert wasserstein_on_lines(z[:, None], (1 + 2 * z)[:, None], 2.0).item() == pytest.approx(2.0, rel=1e-2)


def test_a_translation_is_its_length_over_directions():
    """Along a direction the sets move by d cos, so that SW2^2 = d^2 / D in the mean over directions."""
    a = torch.randn(50, 5)
    found = sliced_wasserstein_distance(a, a + torch.tensor([2.0, 0, 0, 0, 0]), power=2.0, num_directions=4000)
    assert abs(found.mean - 4 / 5) < 6 * found.error


def test_one_seed_gives_one_set_of_directions():
    a, b = torch.randn(20, 3), torch.randn(20, 3)
    assert sliced_wasserstein_distance(a, b) == sliced_wasserstein_distance(a, b)
    assert sliced_wasserstein_distance(a, b) != sliced_wasserstein_distance(a, b, seed=1)
    assert sliced_wasserstein_distance(a, b).mean == pytest.approx(sliced_wasserstein_distance(b, a).mean, rel=1e-12)


def test_errors():
    x = torch.randn(5, 2)
    with pytest.raises(ValueError, match="`num_directions` must be at least 2; got 1"):
        sliced_wasserstein_distance(x, x, num_directions=1)
    with pytest.raises(ValueError, match="`power` must be at least 1; got 0"):
        sliced_wasserstein_distance(x, x, power=0.0)
    with pytest.raises(ValueError, match="same number of features; got 2 and 3"):
        sliced_wasserstein_distance(x, torch.randn(5, 3))
    with pytest.raises(ValueError, match="1 of 5 examples hold NaN or infinity"):
        sliced_wasserstein_distance(torch.where(torch.arange(5)[:, None] == 2, torch.nan, x), x)


def test_an_exponent_that_is_no_number_is_refused():
    x = torch.randn(5, 2)
    with pytest.raises(ValueError, match="`power` must be at least 1; got nan"):
        sliced_wasserstein_distance(x, x, power=float("nan"))

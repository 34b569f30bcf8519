"""Weighted draws, against closed forms on equidistant quantiles."""

import pytest
import torch

from probgen.distributions.implicit import WeightedDraws
from probgen.distributions.implicit.weighted import taken
from tests.distributions.implicit.normal_pair import EFFICIENCY, quantiles, true_ratio


def corrected():
    x = quantiles(400_000, mean=1.0)
    return WeightedDraws(x, true_ratio(x))


def test_the_share_of_draws_that_count():
    """ESS/N = 1/(1 + chi^2) = 1/e, and Z = 1."""
    draws = corrected()
    assert draws.efficiency.item() == pytest.approx(EFFICIENCY, abs=1e-3)
    assert draws.effective_sample_size.item() == pytest.approx(400_000 * EFFICIENCY, rel=3e-3)
    assert draws.log_normalizer.value.item() == pytest.approx(0.0, abs=1e-4)
    assert draws.log_normalizer.kind == "lower"


def test_expectations_are_those_of_the_target():
    mean, error = corrected().expectation(lambda x: torch.stack([x, x.square()], -1))
    torch.testing.assert_close(mean, torch.tensor([0.0, 1.0], dtype=torch.float64), atol=2e-3, rtol=0.0)
    # Var(w (x - 0)) / n = E_q[w^2 x^2] / n = e E[x^2] / n for x ~ N(-1, 1)
    assert error[0].item() == pytest.approx((2 * 2.718281828 / 400_000) ** 0.5, rel=0.02)


@pytest.mark.statistical(false_alarm=1e-8)
def test_resampled_draws_have_the_weights():
    """40 000 draws of a three-sided die: a share that is off by 0.015 is found."""
    draws = WeightedDraws(torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[0.5], [0.3], [0.2]]).log())
    x = draws.resampled(40_000)
    assert x.shape == (40_000, 1)
    shares = torch.bincount(x.flatten().long()) / 40_000
    assert ((shares - torch.tensor([0.5, 0.3, 0.2])).abs() < 6 * 0.5 / 200).all()


def test_batches_are_resampled_by_their_own_weights():
    value = torch.arange(6.0).reshape(3, 2, 1).expand(3, 2, 4)
    log_weights = torch.tensor([[0.0, -200.0], [-200.0, -200.0], [-200.0, 0.0]])
    assert WeightedDraws(value, log_weights).resampled(7)[..., 0].tolist() == [[0.0, 5.0]] * 7
    assert WeightedDraws(value[:, :0], log_weights[:, :0]).resampled(7).shape == (7, 0, 4)
    assert taken(value, torch.zeros(1, 2, dtype=torch.long)).shape == (1, 2, 4)


@pytest.mark.parametrize("bad", [-torch.inf, torch.nan])
def test_nothing_can_be_drawn_without_weight(bad):
    with pytest.raises(ValueError, match="finite for at least one draw"):
        WeightedDraws(torch.zeros(3), torch.full((3,), bad)).resampled(2)


def test_no_draws_are_none():
    assert WeightedDraws(torch.randn(4, 2), torch.zeros(4)).resampled(0).shape == (0, 2)


def test_a_constant_factor_of_all_weights_changes_no_mean():
    """Weights are known up to Z: expectations, their errors and the effective sample size are those of the shares."""
    draws = corrected()
    scaled = WeightedDraws(draws.value, draws.log_weights + 3.0)
    for found, wanted in zip(scaled.expectation(lambda x: x.square()), draws.expectation(lambda x: x.square()), strict=True):
        torch.testing.assert_close(found, wanted)
    assert scaled.efficiency.item() == pytest.approx(draws.efficiency.item())
    assert scaled.log_normalizer.value.item() == pytest.approx(draws.log_normalizer.value.item() + 3.0)

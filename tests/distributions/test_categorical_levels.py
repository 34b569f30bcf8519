"""Levels with free masses."""

import pickle

import pytest
import torch

from probgen.distributions import CategoricalLevels, DiscretizedLogistic, Quantization
from probgen.distributions.testing import enumerated_mass

LEVELS = Quantization(5, -1.0, 1.0)


def test_it_holds_any_law_of_the_levels():
    logistic = DiscretizedLogistic(torch.tensor([0.3, -2.0]).double(), 0.4, LEVELS)
    table = logistic.log_prob(logistic.enumerate_support())
    free = CategoricalLevels(table.movedim(0, -1) + 3.0, LEVELS)
    x = logistic.sample((50,))
    assert torch.allclose(free.log_prob(x), logistic.log_prob(x))
    for name in ("mean", "variance", "mode"):
        assert torch.allclose(getattr(free, name), getattr(logistic, name)), name
    assert torch.allclose(free.entropy(), logistic.entropy())
    points = torch.tensor([-2.0, -1.0, -0.3, 0.5, 3.0]).double()[:, None]
    assert torch.allclose(free.cdf(points), logistic.cdf(points))
    assert torch.allclose(enumerated_mass(free), torch.ones(2).double())


def test_an_impossible_level_is_never_drawn_and_costs_no_nan():
    logits = torch.tensor([0.0, -torch.inf, 0.0, 0.0, -torch.inf])
    law = CategoricalLevels(logits, LEVELS)
    draws = law.sample((500,))
    assert set(draws.unique().tolist()) == {-1.0, 0.0, 0.5}
    assert bool(law.entropy().isfinite())
    assert float(law.log_prob(torch.tensor(1.0))) == -torch.inf


def test_a_value_between_the_centers_is_an_error_or_impossible():
    law = CategoricalLevels(torch.zeros(5), LEVELS)
    with pytest.raises(ValueError, match=r"`value` of CategoricalLevels must be bin centers, 5 levels .* got 0\.2"):
        law.log_prob(torch.tensor(0.2))
    loose = CategoricalLevels(torch.zeros(5), LEVELS, validate_args=False)
    found = loose.log_prob(torch.tensor([0.2, 9.0, torch.nan]))
    assert torch.equal(found[:2], torch.full((2,), -torch.inf))
    assert bool(found[2].isnan())


def test_errors_and_shapes():
    with pytest.raises(ValueError, match=r"`logits` must end with 5 numbers, one a level; got \(4,\)"):
        CategoricalLevels(torch.zeros(4), LEVELS)
    with pytest.raises(TypeError, match="`quantization` must be a Quantization; got int"):
        CategoricalLevels(torch.zeros(4), 4)
    law = CategoricalLevels(torch.zeros(0, 3, 5, dtype=torch.bfloat16), LEVELS)
    assert law.sample((2,)).shape == (2, 0, 3)
    assert law.sample().dtype == torch.float32
    assert law.expand((0, 3)).enumerate_support().shape == (5, 0, 3)
    assert pickle.loads(pickle.dumps(CategoricalLevels(torch.zeros(5), LEVELS))).mean == 0

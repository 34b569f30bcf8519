"""Points lie in their sets, and a recipe gives the same batch every time."""

import pytest
import torch
from torch.distributions import constraints

from probgen.distributions.testing import Draw, is_flat, points_in, unconstrained
from probgen.distributions.testing.points import chart_of

SETS = {
    "real": (constraints.real, ()),
    "positive": (constraints.positive, ()),
    "interval": (constraints.interval(-2.0, 5.0), ()),
    "simplex": (constraints.simplex, (4,)),
    "lower Cholesky": (constraints.lower_cholesky, (3, 3)),
    "correlation": (constraints.corr_cholesky, (3, 3)),
    "positive vectors": (constraints.independent(constraints.positive, 1), (3,)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", SETS)
def test_points_satisfy_the_constraint(name, dtype):
    constraint, event = SETS[name]
    x = points_in(constraint, event, (16,), Draw(scale=3.0, special=(30.0, -30.0)), dtype)
    assert x.shape == (16, *event)
    assert x.dtype == dtype
    assert constraint.check(x).all()


def test_recipe_is_reproducible_and_holds_its_special_values():
    draw = Draw(seed=3, special=(0.0, 1e-310), decimals=1)
    assert torch.equal(unconstrained(draw, (8, 3)), unconstrained(draw, (8, 3)))
    assert 1e-310 in unconstrained(draw, (8, 3)).flatten().tolist()


def test_flat_sets_and_charts():
    assert is_flat(constraints.real_vector)
    assert not is_flat(constraints.corr_cholesky)
    assert chart_of(constraints.positive)(torch.zeros(())) == 1

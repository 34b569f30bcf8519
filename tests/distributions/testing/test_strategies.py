"""The strategies draw what they say, and without hypothesis they say what to install."""

import sys

import pytest
import torch
from hypothesis import given
from torch.distributions import constraints

from probgen.distributions.testing import batch_shapes, draws, dtypes, points
from probgen.distributions.testing.strategies import BATCH_SHAPES


@given(points(constraints.simplex, (3,), (2,), dtype=torch.float32, special=(30.0,)))
def test_points_are_valid(x):
    assert x.shape == (2, 3)
    assert constraints.simplex.check(x).all()


@given(draws((1.0, 3.0), (7.0,)), batch_shapes(), dtypes())
def test_recipes_shapes_and_dtypes(draw, shape, dtype):
    assert draw.scale in (1.0, 3.0)
    assert set(draw.special) <= {7.0}
    assert shape in BATCH_SHAPES
    assert dtype in (torch.float32, torch.float64)


def test_missing_hypothesis_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.setitem(sys.modules, "hypothesis.strategies", None)
    with pytest.raises(ImportError, match=r"pip install probgen\[testing\]"):
        draws()

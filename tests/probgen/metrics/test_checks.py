"""What all metrics on features refuse, and what they let pass."""

import math

import pytest
import torch

from probgen.metrics._checks import as_feature_pair, as_features


def test_features_are_taken_to_float64_without_gradient():
    x = torch.ones(3, 2, requires_grad=True)
    found = as_features("x", x)
    assert found.dtype == torch.float64
    assert not found.requires_grad
    assert torch.equal(as_features("x", torch.ones(3, 2, dtype=torch.int32)), found)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(3), r"`x` must be a matrix \[n, features\], one row for each example; got shape \(3,\)"),
        (torch.zeros(3, 0), r"got shape \(3, 0\)"),
        (torch.zeros(1, 2), "`x` must hold at least 2 examples; got 1"),
        (torch.tensor([[math.inf, 0.0], [math.nan, math.nan], [0.0, 0.0]]), "2 of 3 examples hold NaN or infinity"),
    ],
)
def test_wrong_features(x, message):
    with pytest.raises(ValueError, match=message):
        as_features("x", x)


def test_both_of_a_pair_are_checked():
    with pytest.raises(ValueError, match="`a` and `b` must have the same number of features; got 2 and 3"):
        as_feature_pair(("a", "b"), torch.zeros(4, 2), torch.zeros(4, 3))
    with pytest.raises(TypeError, match=r"`b` must be a torch\.Tensor; got int"):
        as_feature_pair(("a", "b"), torch.zeros(4, 2), 3)
    with pytest.raises(ValueError, match="`a` must hold at least 5 examples; got 4"):
        as_feature_pair(("a", "b"), torch.zeros(4, 2), torch.zeros(5, 2), least=5)

"""What a network sees of values."""

import pytest
import torch

from probgen.distributions import Embedding, OneHotEmbedding, ScaledEmbedding


def test_scaled_values_have_the_dtype_that_is_asked_for():
    seen = ScaledEmbedding(1.0, 2.0)(torch.tensor([[1, 3]]), torch.float64)
    assert seen.dtype == torch.float64
    assert seen.tolist() == [[[0.0], [1.0]]]


def test_one_hot_of_what_is_no_value_is_zero():
    seen = OneHotEmbedding(2)(torch.tensor([0.0, 1.0, 2.0, 0.5, float("nan")]), torch.float32)
    assert seen.tolist() == [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0]]
    assert isinstance(OneHotEmbedding(2), Embedding)


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="`scale` must be positive; got 0"):
        ScaledEmbedding(scale=0.0)
    with pytest.raises(ValueError, match="`values` must be positive; got 0"):
        OneHotEmbedding(0)
    with pytest.raises(NotImplementedError, match="forward"):
        Embedding()(torch.zeros(1), torch.float32)

"""Shapes of push-forwards (used through TransformedDistribution in test_transformed.py)."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import standard_normal
from probgen.distributions._shapes import fitted, transformed_shapes
from probgen.distributions.bijectors import Permutation, Stereographic


def test_a_vector_map_takes_batch_dimensions_of_a_scalar_base():
    base, f = dist.Normal(torch.zeros(5, 3), 1.0), Permutation([2, 1, 0])
    shapes = transformed_shapes(base, f)
    assert (shapes.batch, shapes.event, shapes.base_batch) == ((5,), (3,), (5, 3))
    assert fitted(base, shapes, 1).event_shape == (3,)


def test_a_map_that_changes_the_length():
    shapes = transformed_shapes(standard_normal((4, 2)), Stereographic())
    assert (shapes.batch, shapes.event) == ((), (4, 3))


def test_too_few_dimensions():
    with pytest.raises(ValueError, match="at least 1 dimension"):
        transformed_shapes(standard_normal(), Permutation([1, 0]))

"""Constraints of ours."""

import math

import pytest
import torch
from torch.distributions import constraints

from probgen.distributions.constraints import (
    Product,
    circular,
    core_constraint,
    interior_point,
    is_real,
    product,
    satisfies,
    torus,
    unit_sphere,
)


def test_angles():
    x = torch.tensor([-math.pi, 0.0, math.pi, 3.2, math.nan])
    assert circular.check(x).tolist() == [True, True, True, False, False]
    assert torus.check(x[:3]).item()


def test_sphere_tolerates_rounding_only():
    x = torch.nn.functional.normalize(torch.randn(1000, 50), dim=-1)
    assert unit_sphere.check(x).all()
    assert not unit_sphere.check(x * 1.001).any()


def test_product():
    c = product((constraints.positive, 1), (constraints.simplex, 2))
    values = torch.tensor([[1.0, 0.5, 0.5], [-1.0, 0.5, 0.5], [1.0, 0.5, 0.6]])
    assert c.check(values).tolist() == [True, False, False]
    assert not c.is_discrete
    with pytest.raises(ValueError, match="pair up"):
        Product([constraints.real], [1, 2])
    with pytest.raises(ValueError, match="event dimension 0 or 1"):
        Product([constraints.corr_cholesky], [4])


def test_interior_points_are_inside():
    for c, shape in ((constraints.positive, ()), (constraints.interval(2.0, 3.0), (2,)), (unit_sphere, (3,)), (torus, (2,))):
        assert c.check(interior_point(c, torch.zeros(()), shape)).all()


def test_empty_batches_and_reals():
    assert satisfies(constraints.independent(constraints.positive, 1), torch.zeros(0, 2)).shape == (0,)
    assert is_real(constraints.independent(constraints.real, 3))
    assert not is_real(torus)
    assert not is_real(None)
    assert core_constraint(constraints.independent(constraints.positive, 2)) is constraints.positive

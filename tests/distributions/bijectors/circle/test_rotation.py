"""Rotations and reflections of the circle."""

import math

import torch

from probgen.distributions.bijectors import CircularReflection, CircularShift
from probgen.distributions.bijectors.circle.rotation import wrapped


def test_wrapping_keeps_the_direction():
    angle = torch.linspace(-50, 50, 1001, dtype=torch.float64)
    result = wrapped(angle)
    torch.testing.assert_close(result.cos(), angle.cos())
    torch.testing.assert_close(result.sin(), angle.sin())
    assert result.abs().max() <= math.pi


def test_shifts_add_and_reflections_undo_themselves():
    x = torch.linspace(-3, 3, 50, dtype=torch.float64)
    one, two = torch.tensor(2.5).double(), torch.tensor(-4.0).double()
    both = (CircularShift(one) >> CircularShift(two))(x)
    torch.testing.assert_close(both, CircularShift(one + two)(x))
    f = CircularReflection(one)
    torch.testing.assert_close(f(f(x)), x)
    torch.testing.assert_close(f(one), one)

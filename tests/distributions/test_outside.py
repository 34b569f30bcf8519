"""Scoring where some values lie outside the support."""

import math

import torch
from torch.distributions import constraints

from probgen.distributions._outside import minus_infinity_outside


def test_outside_is_minus_infinity_with_a_gradient_of_zero_and_nan_stays():
    x = torch.tensor([2.0, -1.0, math.nan], requires_grad=True)
    value = minus_infinity_outside(torch.log, x, constraints.positive, ())
    assert value[1] == -math.inf
    assert value[2].isnan()
    gradient = torch.autograd.grad(value[:2].sum(), x)[0]
    assert gradient.tolist() == [0.5, 0.0, 0.0]

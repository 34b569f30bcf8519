"""Squares of polynomials are integrated without error."""

import numpy as np
import pytest
import torch
from numpy.polynomial import Polynomial

from probgen.distributions.bijectors.monotone._squared_polynomials import SquaredPolynomials


@pytest.mark.parametrize("nodes", [2, 3, 8, 16])
def test_integral_and_value_are_those_of_the_polynomial(nodes):
    rule = SquaredPolynomials(nodes)
    p = Polynomial(np.random.default_rng(0).standard_normal(nodes))
    integral = (p * p).integ()
    values = torch.tensor(p(np.array(rule.nodes)))
    fractions = torch.linspace(0, 1, 21, dtype=torch.float64)
    got = rule.integral_and_value(values.expand(21, -1), fractions)
    np.testing.assert_allclose(got[0], integral(fractions.numpy()) - integral(0.0), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(got[1], p(fractions.numpy()) ** 2, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(rule.areas(values), integral(1.0) - integral(0.0), rtol=1e-12)


def test_the_integral_never_falls():
    values = torch.tensor([1.0, -1.0] * 4, dtype=torch.float64)  # as far from a polynomial as nodes can be
    integral, square = SquaredPolynomials(8).integral_and_value(
        values.expand(1001, -1), torch.linspace(0, 1, 1001, dtype=torch.float64)
    )
    assert bool((integral.diff() > 0).all())
    assert bool((square >= 0).all())

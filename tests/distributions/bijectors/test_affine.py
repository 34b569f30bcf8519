"""Affine, Shift, Scale against the formulas."""

import math

import pytest
import torch

from probgen.distributions.bijectors import Affine, Scale, Shift
from probgen.distributions.testing import validation


@pytest.mark.parametrize(
    ("bijector", "value", "log_det"),
    [(Affine(1.0, 4.0), 13.0, math.log(4.0)), (Shift(-2.0), 1.0, 0.0), (Scale(0.5), 1.5, math.log(0.5))],
    ids=["Affine", "Shift", "Scale"],
)
def test_values(bijector, value, log_det):
    y, fldj = bijector.forward_and_log_det(torch.tensor(3.0))
    assert y == value
    assert fldj == pytest.approx(log_det)
    x, ildj = bijector.inverse_and_log_det(y)
    assert x == 3.0
    assert ildj == pytest.approx(-log_det)
    assert bijector.constant_log_det
    assert bijector.sign == 1


@pytest.mark.parametrize("make", [lambda: Affine(0.0, 0.0), lambda: Scale(torch.tensor([1.0, -1.0]))], ids=["Affine", "Scale"])
def test_a_scale_that_is_not_positive_is_refused(make):
    with validation(enabled=True), pytest.raises(ValueError, match="`scale` must satisfy"):
        make()


def test_the_learned_scale_is_bounded():
    f = Scale(shape=())
    with torch.no_grad():
        f.raw_scale.fill_(1e6)
    assert f(torch.tensor(1.0)) <= 1000.001

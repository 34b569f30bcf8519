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


def test_a_conditioner_s_numbers_mean_what_own_ones_mean():
    f, x = Affine(shape=(3,)).double(), torch.randn(3, dtype=torch.float64)
    raw = torch.stack([torch.tensor([0.0, 1.0, -2.0]), torch.tensor([0.0, -3.0, 1e9])], -1).double()
    with torch.no_grad():
        f.raw_loc.copy_(raw[:, 0])
        f.raw_scale.copy_(raw[:, 1])
    element = f.as_element()
    for emitted, own in (
        (element.element_forward(x, raw), (f(x), f.forward_log_det_jacobian(x))),
        (element.element_inverse(x, raw), (f.inverse(x), f.inverse_log_det_jacobian(x))),
    ):
        assert all(torch.allclose(got, expected, rtol=1e-12) for got, expected in zip(emitted, own, strict=True))


def test_a_given_scale_stays_with_a_conditioner():
    element = Affine(scale=2.0).as_element()
    y, log_det = element.element_forward(torch.ones(3), torch.tensor([[1.0], [2.0], [3.0]]))
    assert torch.equal(y, torch.tensor([3.0, 4.0, 5.0]))
    assert torch.allclose(log_det, torch.full((3,), math.log(2.0)))

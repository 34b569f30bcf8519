import math

import pytest
import torch

from probgen.distributions.bijectors import CircularSpline


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_slope_is_the_same_at_both_ends_of_the_circle(dtype):
    spline = CircularSpline(shape=(5,)).to(dtype)
    for parameter in spline.parameters():
        parameter.data.normal_()
    end = torch.full((5,), math.pi, dtype=dtype).clamp(max=math.pi)
    left, right = (spline.forward_log_det_jacobian(value.clamp(-3.1415925, 3.1415925)) for value in (-end, end))
    torch.testing.assert_close(left, right, rtol=0, atol=1e-4)


def test_values_stay_on_the_circle():
    spline = CircularSpline(shape=(5,))
    for parameter in spline.parameters():
        parameter.data.normal_(std=3.0)
    x = torch.linspace(-3.1415925, 3.1415925, 1001).unsqueeze(-1)
    y = spline(x)
    assert spline.codomain.check(y).all()
    assert (y.diff(dim=0) > -1e-6).all()


def test_one_slope_for_each_bin():
    spline = CircularSpline(2, widths=torch.ones(2), heights=torch.ones(2), slopes=torch.tensor([2.0, 0.5]))
    log_det = spline.forward_log_det_jacobian(torch.tensor([-3.1415925, 0.0, 3.1415925]))
    torch.testing.assert_close(log_det.exp(), torch.tensor([2.0, 0.5, 2.0]), rtol=1e-4, atol=0)


def test_angles_off_the_circle_are_refused():
    with pytest.raises(ValueError, match="`x` of CircularSpline must satisfy Circular"):
        CircularSpline()(torch.tensor(4.0))

import pytest
import torch

from probgen.distributions.bijectors import CubicSpline
from probgen.distributions.bijectors.splines.cubic import _cubic, _slope, _solve


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 6e-7), (torch.float64, 1e-15)])
def test_root_is_found_to_rounding_in_every_admissible_bin(dtype, tolerance):
    slopes = torch.cat([1.5 * torch.logspace(-6, 0, 25), torch.linspace(0.01, 1.5, 25)]).to(dtype)
    near = torch.logspace(-6, -1, 12).to(dtype)
    t = torch.cat([torch.linspace(0, 1, 41).to(dtype), near, 1 - near])
    a, c = slopes[:, None, None], slopes[None, :, None]
    v = _cubic(t, a, c)
    residual = (_cubic(_solve(v, a, c), a, c) - v).abs()
    assert residual.max() < tolerance


def test_bin_slope_is_the_derivative_of_the_cubic():
    t = torch.linspace(0, 1, 11, dtype=torch.float64, requires_grad=True)
    a, c = torch.tensor(0.3).double(), torch.tensor(1.4).double()
    torch.testing.assert_close(torch.autograd.grad(_cubic(t, a, c).sum(), t)[0], _slope(t, a, c))


def test_slopes_are_relative_to_the_flatter_neighbor():
    heights = torch.tensor([1.0, 3.0])
    spline = CubicSpline(2, bound=1.0, widths=torch.ones(2), heights=heights, slopes=torch.tensor([1.0, 0.5, 1.2]))
    x = torch.tensor([-1.0, 0.0, 1.0])
    expected = torch.tensor([0.5 * 1.0, 0.5 * 0.5, 1.5 * 1.2])
    torch.testing.assert_close(spline.forward_log_det_jacobian(x).exp(), expected)


def test_tails_continue_the_ends():
    spline = CubicSpline(shape=(4,)).double()
    for parameter in spline.parameters():
        parameter.data.normal_()
    for end in (-5.0, 5.0):
        near = torch.full((4,), end, dtype=torch.float64)
        inner, at, outer = (spline.forward_log_det_jacobian(near * factor) for factor in (1 - 1e-9, 1.0, 1.1))
        torch.testing.assert_close(inner, at, rtol=0, atol=1e-6)
        torch.testing.assert_close(at, outer)


def test_relative_slopes_above_three_halves_are_refused():
    with pytest.raises(ValueError, match="`slopes` must satisfy"):
        CubicSpline(2, slopes=torch.tensor([1.0, 2.0, 1.0]))

import pytest
import torch

from probgen.distributions.bijectors import RationalQuadraticSpline


def literal(x, knots_x, knots_y, slopes):
    """Durkan et al. (2019), equation 4, one point."""
    k = int(torch.searchsorted(knots_x, x, right=True)) - 1
    width, height = knots_x[k + 1] - knots_x[k], knots_y[k + 1] - knots_y[k]
    s, xi = height / width, (x - knots_x[k]) / width
    top = height * (s * xi**2 + slopes[k] * xi * (1 - xi))
    return knots_y[k] + top / (s + (slopes[k + 1] + slopes[k] - 2 * s) * xi * (1 - xi))


def test_matches_the_formula_of_the_paper():
    widths, heights = torch.tensor([1.0, 2.0, 1.0]).double(), torch.tensor([2.0, 1.0, 1.0]).double()
    slopes = torch.tensor([0.5, 2.0]).double()
    spline = RationalQuadraticSpline(3, bound=2.0, widths=widths, heights=heights, slopes=slopes)
    knots_x, knots_y = torch.tensor([-2.0, -1.0, 1.0, 2.0]).double(), torch.tensor([-2.0, 0.0, 1.0, 2.0]).double()
    all_slopes = torch.tensor([1.0, 0.5, 2.0, 1.0]).double()
    x = torch.linspace(-1.99, 1.99, 41, dtype=torch.float64)
    expected = torch.stack([literal(value, knots_x, knots_y, all_slopes) for value in x])
    torch.testing.assert_close(spline(x), expected)
    torch.testing.assert_close(spline(knots_x), knots_y)


def test_slope_at_the_knots_is_the_parameter():
    slopes = torch.tensor([0.5, 2.0, 3.0])
    spline = RationalQuadraticSpline(4, bound=2.0, widths=torch.ones(4), heights=torch.ones(4), slopes=slopes)
    log_det = spline.forward_log_det_jacobian(torch.tensor([-1.0, 0.0, 1.0]))
    torch.testing.assert_close(log_det, slopes.log())


def test_end_slopes_of_a_box_are_free():
    slopes = torch.tensor([0.5, 2.0, 3.0])
    spline = RationalQuadraticSpline(2, interval=(0.0, 1.0), widths=torch.ones(2), heights=torch.ones(2), slopes=slopes)
    torch.testing.assert_close(spline.forward_log_det_jacobian(torch.tensor([0.0, 0.5, 1.0])), slopes.log())


@pytest.mark.parametrize("bins", [1, 2, 16])
def test_value_alone_equals_value_with_log_det(bins):
    spline = RationalQuadraticSpline(bins).as_element()
    raw, x = torch.randn(64, 3, 3 * bins - 1), 4 * torch.randn(64, 3)
    assert torch.equal(spline.element_forward_value(x, raw), spline.element_forward(x, raw)[0])
    assert torch.equal(spline.element_inverse_value(x, raw), spline.element_inverse(x, raw)[0])


def test_log_det_in_single_precision_follows_double():
    raw, x = torch.randn(200, 16, 23), 2 * torch.randn(200, 16)
    spline = RationalQuadraticSpline().as_element()
    value, log_det = spline.element_forward(x, raw)
    value_double, log_det_double = spline.element_forward(x.double(), raw.double())
    assert (value - value_double).abs().max() < 1e-4
    assert (log_det - log_det_double).abs().max() < 1e-3


def test_inverse_is_finite_for_steep_and_flat_bins():
    spline = RationalQuadraticSpline().as_element()
    raw = 100 * torch.randn(500, 23, generator=torch.Generator().manual_seed(1)).sign()
    y = torch.linspace(-5, 5, 500)
    x, log_det = spline.element_inverse(y.requires_grad_(), raw)
    assert x.isfinite().all()
    assert torch.autograd.grad((x + log_det).sum(), y)[0].isfinite().all()


def test_splines_stay_in_single_precision_under_autocast():
    spline = RationalQuadraticSpline(shape=(3,))
    x = torch.randn(7, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, log_det = spline.forward_and_log_det(x)
    assert y.dtype == log_det.dtype == torch.float32
    assert torch.equal(y, spline(x))

import pytest
import torch

from probgen.distributions.bijectors import CircularSpline, CubicSpline, LinearSpline, RationalQuadraticSpline
from probgen.distributions.bijectors.splines.knots import LOG_RANGE, bounded_positive, edges, locate, pair_index, running_sum

SPLINES = [RationalQuadraticSpline, LinearSpline, CubicSpline]


def moved(make, scale, dtype=torch.float64):
    spline = make().to(dtype)
    for parameter in spline.parameters():
        parameter.data = scale * torch.randn_like(parameter)
    return spline


@pytest.mark.parametrize("family", [*SPLINES, CircularSpline])
def test_raw_zero_is_the_identity(family):
    x = torch.linspace(-3.1, 3.1, 63, dtype=torch.float64)
    y, log_det = family().double().forward_and_log_det(x)
    torch.testing.assert_close(y, x, rtol=0, atol=1e-14)
    assert (log_det.abs() < 1e-14).all()


@pytest.mark.parametrize("family", SPLINES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ends_are_exact_and_tails_follow(family, dtype):
    spline = moved(lambda: family(bound=3.0), 2.0, dtype)
    ends = torch.tensor([-3.0, 3.0], dtype=dtype)
    assert torch.equal(spline(ends), ends)
    assert torch.equal(spline.inverse(ends), ends)
    far = torch.tensor([-1e30, 1e30], dtype=dtype)
    torch.testing.assert_close(spline.inverse(spline(far)), far)


@pytest.mark.parametrize("family", [RationalQuadraticSpline, LinearSpline])
def test_outside_is_the_identity(family):
    x = torch.tensor([-1e30, -5.0, 5.0, 6.0])
    y, log_det = moved(family, 2.0, torch.float32).forward_and_log_det(x)
    assert torch.equal(y, x)
    assert (log_det == 0).all()


@pytest.mark.parametrize("family", SPLINES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_box_maps_the_interval_onto_itself(family, dtype):
    spline = moved(lambda: family(interval=(-0.1, 0.3)), 2.0, dtype)
    x = torch.linspace(-0.1, 0.3, 200, dtype=dtype).clamp(-0.1, 0.3)
    y = spline(x)
    assert spline.codomain.check(y).all()
    assert (y.diff() >= 0).all()
    torch.testing.assert_close(y[[0, -1]], x[[0, -1]])
    torch.testing.assert_close(spline.inverse(y), x, rtol=0, atol=1e-4 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("family", SPLINES)
def test_increases_across_every_knot(family):
    spline = moved(lambda: family(shape=(50,)), 2.0)
    sums = running_sum(bounded_positive(spline.raw_widths.detach()))
    knots = (sums[:, 1:-1] / sums[:, -1:] * 10 - 5).T
    left, right = torch.nextafter(knots, torch.tensor(-9.0).double()), torch.nextafter(knots, torch.tensor(9.0).double())
    y_left, y, y_right = spline(left), spline(knots), spline(right)
    unit = 1e-14 * 200
    assert ((y - y_left) > -unit).all()
    assert ((y_right - y) > -unit).all()
    torch.testing.assert_close(y_left, y_right, rtol=0, atol=1e-11)


@pytest.mark.parametrize("family", SPLINES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 6e-5), (torch.float64, 1e-13)])
def test_inverts_with_rough_parameters(family, dtype, tolerance):
    errors = []
    for _ in range(9):
        spline = moved(lambda: family(shape=(16,)), 3.0, dtype)
        x = torch.randn(512, 16, dtype=dtype)
        errors.append((spline.inverse(spline(x)) - x).abs().max().item())
    assert sorted(errors)[4] < tolerance
    assert max(errors) < 20 * tolerance


@pytest.mark.parametrize("raw", [-1e30, 1e30])
def test_no_network_can_make_a_bin_vanish(raw):
    size = bounded_positive(torch.tensor(raw))
    assert abs(size.log().item()) == pytest.approx(LOG_RANGE)


def test_bins_are_closed_on_the_left_and_the_last_knot_is_exact():
    sums = running_sum(torch.tensor([0.1, 0.2, 0.7]))
    pair = pair_index(locate(torch.tensor([-1.0, 1.0]), sums, -1.0, 1.0))
    assert pair.tolist() == [[0, 1], [2, 3]]
    left, right = edges(sums, pair, -1.0, 1.0)
    assert left[0] == -1
    assert right[1] == 1
    inner = edges(sums, torch.tensor([[1, 2]]), -1.0, 1.0)[0]
    assert locate(inner, sums, -1.0, 1.0).item() == 1


def test_one_pass_constraints_equal_the_declared_ones():
    spline = RationalQuadraticSpline(4)
    raw = torch.randn(5, spline.num_free)
    one_by_one = [p.constrain(r) for p, r in zip(spline.declared_parameters, raw.split([4, 4, 3], -1), strict=True)]
    for value, expected in zip(spline.values_from_raw(raw), one_by_one, strict=True):
        assert torch.equal(value, expected)


@pytest.mark.parametrize("family", SPLINES)
def test_invalid_arguments_are_named(family):
    with pytest.raises(ValueError, match=r"`bins` must be at least 1; got 0"):
        family(bins=0)
    with pytest.raises(ValueError, match=r"lower < upper; got \(1\.0, 1\.0\)"):
        family(interval=(1.0, 1.0))
    with pytest.raises(ValueError, match=r"`widths` must have trailing shape \(4,\)"):
        family(4, widths=torch.ones(3))

"""Heavy tails with indices that are learned."""

import math

import pytest
import torch
from scipy import stats

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine, HeavyTail, RationalQuadraticSpline


def law_of(left, right):
    return TransformedDistribution(standard_normal(), HeavyTail(torch.tensor(left).double(), torch.tensor(right).double()))


def test_with_one_half_it_is_student_with_two_degrees_of_freedom():
    y = torch.tensor([-1e8, -50.0, -1.0, -1e-9, 0.0, 0.3, 0.999, 1.001, 7.0, 1e5], dtype=torch.float64)
    expected = torch.as_tensor(stats.t(2, scale=math.sqrt(math.pi) / 2).logpdf(y))
    torch.testing.assert_close(law_of(0.5, 0.5).log_prob(y), expected, rtol=1e-9, atol=1e-9)


def test_each_side_has_its_own_power():
    t = torch.tensor([1e4, 1e5], dtype=torch.float64)
    law = law_of(0.2, 0.8)
    slope = law.log_prob(t).diff() / math.log(10)
    torch.testing.assert_close(slope, torch.tensor([-1 / 0.8 - 1]).double(), rtol=1e-3, atol=0)
    slope = law.log_prob(-t).diff() / math.log(10)
    torch.testing.assert_close(slope, torch.tensor([-1 / 0.2 - 1]).double(), rtol=1e-3, atol=0)


def test_mass_is_one_as_far_as_numbers_go():
    """By the trapezoid rule in arsinh y up to 10^13; the heaviest tail has an infinite mean."""
    u = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    for left, right in ((0.005, 0.1), (0.2, 0.5), (0.5, 0.9)):
        density = (law_of(left, right).log_prob(u.sinh()) + u.cosh().log()).exp()
        assert abs(float(torch.trapezoid(density, u)) - 1) < 1e-7


def test_it_joins_twice_differentiably_at_zero_and_once_where_it_becomes_linear():
    f = HeavyTail(torch.tensor(0.1).double(), torch.tensor(0.7).double())
    limit = math.sqrt(64 / 0.7)
    x = torch.tensor([-1e-7, 1e-7, limit - 1e-7, limit + 1e-7], dtype=torch.float64, requires_grad=True)
    y, log_slope = f.forward_and_log_det(x)
    (curvature,) = torch.autograd.grad(log_slope.sum(), x)
    assert log_slope[:2].abs().max() < 1e-12
    assert curvature[:2].abs().max() < 1e-6
    torch.testing.assert_close(log_slope[2], log_slope[3], rtol=0, atol=1e-4)
    torch.testing.assert_close(y[2], y[3], rtol=1e-5, atol=0)


def test_a_small_parameter_is_nearly_the_identity():
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    f = HeavyTail(torch.tensor(1e-3).double(), torch.tensor(1e-3).double())
    assert (f(x) - x).abs().max() < 0.35
    assert (f(x[30:71]) - x[30:71]).abs().max() < 0.06


def test_far_out_in_single_precision():
    f = HeavyTail(0.05, 2.0)
    x = torch.tensor([-1e4, -100.0, 9.0, 1e4])
    y = f(x)
    assert y.isfinite().all()
    torch.testing.assert_close(f.inverse(y), x, rtol=1e-4, atol=0)


def fitted(data, left, right):
    """Maximum likelihood of scale and tails by L-BFGS: raw parameters, and the parameters' covariance."""
    f = HeavyTail(left, right, shape=()).double() if left is not None else HeavyTail(shape=()).double()
    scale = Affine(loc=0.0, shape=()).double()
    law = TransformedDistribution(standard_normal(), f >> scale)
    parameters = [*f.parameters(), *scale.parameters()]
    optimizer = torch.optim.LBFGS(parameters, max_iter=60, line_search_fn="strong_wolfe", tolerance_grad=1e-9)

    def closure():
        optimizer.zero_grad()
        loss = -law.log_prob(data).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    loss = -law.log_prob(data).sum()
    first = torch.autograd.grad(loss, parameters, create_graph=True)
    rows = [torch.stack(torch.autograd.grad(entry, parameters, retain_graph=True)) for entry in first]
    return f, torch.linalg.inv(torch.stack(rows))


@pytest.mark.statistical(false_alarm=1e-9)
@pytest.mark.parametrize(("freedom", "bias"), [(2.0, 1e-3), (3.0, 0.03)])
def test_the_index_of_student_data_is_found(freedom, bias):
    """Within 6.5 standard errors (about 0.2 here) and the bias of the family: an index wrong by one half is seen."""
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(20_000, generator=generator, dtype=torch.float64)
    gamma = torch.randn(20_000, int(freedom), generator=generator, dtype=torch.float64).square().mean(-1)
    f, covariance = fitted(1.7 * normal / gamma.sqrt(), None, None)
    for side, raw in enumerate((f.raw_left, f.raw_right)):
        index = f.tail_index[side]
        (slope,) = torch.autograd.grad(index, raw)
        error = float(slope.abs() * covariance[side, side].sqrt())
        assert error < 0.1
        assert abs(float(index.detach()) - freedom) < 6.5 * error + bias


def test_splines_cannot_and_heavy_tails_can():
    """Fitted to 2000 quantiles of a Student law, scored on 20 000, which reach further: nats above the entropy."""
    student = stats.t(1)
    train = torch.as_tensor(student.ppf((torch.arange(2000).double() + 0.5) / 2000))
    test = torch.as_tensor(student.ppf((torch.arange(20_000).double() + 0.5) / 20_000))
    entropy = -student.logpdf(test.numpy()).mean()
    losses = {}
    for name, tail in (("spline", []), ("heavy", [HeavyTail(shape=())])):
        flow = torch.nn.ModuleList([RationalQuadraticSpline(8, 3.0, shape=()), *tail, Affine(shape=())]).double()
        law = TransformedDistribution(standard_normal(), list(flow))
        optimizer = torch.optim.LBFGS(flow.parameters(), max_iter=60, line_search_fn="strong_wolfe")

        def closure(law=law, optimizer=optimizer):
            optimizer.zero_grad()
            loss = -law.log_prob(train).mean()
            loss.backward()
            return loss

        optimizer.step(closure)
        losses[name] = float(-law.log_prob(test).mean().detach()) - entropy
    assert losses["heavy"] < 0.01
    assert losses["spline"] > 0.1, losses


def test_tails_of_shapes_that_do_not_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"batch shapes of the parameters of HeavyTail must broadcast; .*\(2,\).*\(3,\)"):
        HeavyTail(torch.tensor([0.1, 0.2]), torch.tensor([0.1, 0.2, 0.3]))


@pytest.mark.parametrize("weight", [0.005, 0.1, 2.0])
def test_slopes_far_out_keep_their_digits_in_single_precision(weight):
    """Squares of thousands must not be subtracted: three digits of the linear continuation would be lost."""
    f = HeavyTail(left=weight, right=weight)
    x = torch.tensor([2.0, 30.0, 100.0, 127.0, 9862.6])
    y, log_slope = f.forward_and_log_det(x)
    exact, exact_slope = f.double().forward_and_log_det(x.double())
    torch.testing.assert_close(y.double(), exact, rtol=3e-5, atol=0.0)
    torch.testing.assert_close(log_slope.double(), exact_slope, rtol=0.0, atol=3e-5)

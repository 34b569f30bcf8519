"""Wrong or lost numbers: far inputs, saturated elements, splines at their bounds, precision."""

import math

import pyro.distributions as dist
import pytest
import torch
from torch.func import jacrev, vmap

from probgen.distributions import TransformedDistribution
from probgen.distributions.bijectors import (
    ELU,
    Bernstein,
    MixtureOfLogisticsCDF,
    NormalCDF,
    RationalQuadraticSpline,
    Sigmoid,
    Softplus,
    SumOfSquares,
    Tanh,
)
from probgen.flows import neural_spline_coupling, real_nvp
from tests.peer_failures.flows import KINDS, flow, law

KIND = pytest.mark.parametrize("kind", KINDS)


@KIND
@pytest.mark.parametrize("scale", [1.0, 10.0, 1e3])
def test_far_inputs_are_inverted(kind, scale):
    """Inputs of 1000: pyro, zuko, nflows, normflows miss by 6 to 9.8 (splines), by 1e14 or NaN (affine), survae by 3.7e3."""
    f, x = flow(kind, 8), scale * torch.randn(64, 8)
    with torch.no_grad():
        assert ((f.inverse(f(x)) - x).abs() / x.abs().clamp_min(1.0)).max() < 1e-4
        assert ((f(f.inverse(x)) - x).abs() / x.abs().clamp_min(1.0)).max() < 1e-4


@KIND
def test_far_log_determinants_are_those_of_autograd(kind):
    """ladj off by 8.6 nats (pyro, rough), 400 (pyro MAF at 1000), 350 (torchflows DeepSF at scale 1), inf (survae)."""
    f = flow(kind, layers=2, hidden=(16,), regime="moderate").double()
    for scale in (1.0, 10.0, 1e3):
        x = scale * torch.randn(4, 4, dtype=torch.float64)
        exact = torch.linalg.slogdet(vmap(jacrev(f.forward))(x))[1]
        with torch.no_grad():
            assert (f.forward_log_det_jacobian(x) - exact).abs().max() < 1e-8
            single = f.float().forward_log_det_jacobian(x.float())
        f.double()
        assert (single - exact).abs().max() < 1e-3


@KIND
def test_parameters_get_finite_gradients_from_far_inputs(kind):
    """NaN gradients at scale 1000: nflows MAF 108 106 of them, FrEIA 209 580, zuko MAF 3."""
    f = flow(kind, 8)
    law(f, 8).log_prob(1e3 * torch.randn(64, 8)).mean().backward()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in f.parameters())


@KIND
@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_rough_weights_neither_raise_nor_give_nan(kind, noise):
    """Weights + 0.3 N(0, 1): bare AssertionError (pyro, nflows, normflows), NaN (zuko), RuntimeError (FrEIA)."""
    f = flow(kind, layers=3)
    with torch.no_grad():
        for parameter in f.parameters():
            parameter.add_(noise * torch.randn(parameter.shape))
        for scale in (1.0, 10.0, 1e3):
            x = scale * torch.randn(64, 4)
            assert all(bool(value.isfinite().all()) for value in (*f.forward_and_log_det(x), *f.inverse_and_log_det(x)))


@pytest.mark.parametrize("element", [Tanh(), Sigmoid(), Softplus(), ELU(), NormalCDF()], ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("scale", [10.0, 1e3])
def test_scalar_maps_survive_saturation(element, scale):
    """Non-finite inverses of 4000 points, scale 10 / 1000: torch Tanh 1436 / 3969, NormalCDF 2329 / 3979, Softplus 1842."""
    x = scale * torch.randn(4000)
    y, log_det = element.forward_and_log_det(x)
    back, back_log_det = element.inverse_and_log_det(y)
    assert bool(element.codomain.check(y).all())
    assert all(bool(value.isfinite().all()) for value in (log_det, back, back_log_det))


def test_sigmoid_is_not_clipped_where_it_can_be_told_from_its_end():
    """torch clips to (tiny, 1 - eps): the inverse is silently wrong by 25 at scale 10, by 4000 at scale 1000."""
    x = torch.linspace(-85.0, 8.0, 400)
    assert ((Sigmoid().inverse(Sigmoid()(x)) - x).abs() / x.abs().clamp_min(1.0)).max() < 1e-3
    low, high = Sigmoid()(torch.tensor([-100.0, 100.0]))
    assert 0 < low < 1e-37
    assert high < 1


@pytest.mark.parametrize("scale", [1.0, 10.0, 1e3])
def test_log_determinant_of_tanh_is_exact_where_tanh_is_one(scale):
    """survae's is off by 87 nats at scale 10, nflows' is -inf."""
    x = scale * torch.randn(4000)
    exact = 2 * (math.log(2.0) - x.double().abs() - torch.log1p(torch.exp(-2 * x.double().abs())))
    assert ((Tanh().forward_log_det_jacobian(x) - exact).abs() / exact.abs().clamp_min(1.0)).max() < 1e-5


def test_tanh_stays_inside():
    """distrax#216: outputs below -1."""
    y = Tanh()(torch.linspace(-1e3, 1e3, 10_001))
    assert y.abs().max() < 1


def test_own_samples_of_a_saturated_law_have_densities():
    """torch, Tanh(Normal(0, 10)): 1851 of 5000 own samples have a non-finite log_prob."""
    p = TransformedDistribution(dist.Normal(0.0, 10.0), Tanh())
    x, log_prob = p.rsample_and_log_prob((5000,))
    assert bool(log_prob.isfinite().all())
    assert bool(p.log_prob(x.clone()).isfinite().all())


def test_wide_parameters_make_a_wide_spline():
    """torchflows divides them by 1000: |y - x| reaches 0.27 on [-50, 50] with N(0, 3^2) parameters."""
    spline = RationalQuadraticSpline(8, bound=50.0).as_element()
    x, raw = torch.linspace(-50, 50, 1000)[:, None], 3 * torch.randn(1000, 1, 23)
    y, _ = spline.element_forward(x, raw)
    assert (y - x).abs().max() > 5.0


def test_splines_with_wide_parameters_are_inverted():
    """nflows loses 2.7e-3 with N(0, 3^2) parameters, since its floors allow slopes that float32 cannot undo."""
    spline = RationalQuadraticSpline(8, bound=5.0).as_element()
    x, raw = 10 * torch.rand(4000, 1) - 5, 3 * torch.randn(4000, 1, 23)
    assert (spline.element_inverse(spline.element_forward(x, raw)[0], raw)[0] - x).abs().max() < 3e-4


def test_a_spline_never_asserts():
    """nflows#87, sbi#373: the assertion on the discriminant ends sampling, "seldom"; FrEIA: RuntimeError."""
    spline, generator = RationalQuadraticSpline(8, bound=3.0).as_element(), torch.Generator().manual_seed(1)
    for scale in (1.0, 10.0, 100.0, 1e4):
        raw = scale * torch.randn(20_000, 23, generator=generator)
        y = 6 * torch.rand(20_000, generator=generator) - 3
        value, log_det = spline.element_inverse(y, raw)
        assert bool(value.isfinite().all())
        assert bool(log_det.isfinite().all())
        assert value.abs().max() <= 3


@pytest.mark.parametrize("bound", [1.0, 3.0, 5.0, 20.0, 50.0, 1000.0])
def test_the_bound_itself_is_inside(bound):
    """nflows: IndexError at x = 50 = B, since its guard of 1e-6 is lost in rounding."""
    spline, x = RationalQuadraticSpline(8, bound=bound).as_element(), torch.tensor([-bound, bound], requires_grad=True)
    raw = torch.randn(2, 23, requires_grad=True)
    for call in (spline.element_forward, spline.element_inverse):
        value, log_det = call(x, raw)
        assert torch.equal(value.detach(), x.detach())
        gradients = torch.autograd.grad(value.sum() + log_det.sum(), (x, raw))
        assert all(bool(gradient.isfinite().all()) for gradient in gradients)


@pytest.mark.parametrize("far", [5.5, 100.0, 1e6, 1e30])
def test_gradients_beyond_the_bound_are_finite(far):
    """flowjax#239: `where` hides the value, and the gradient is NaN."""
    spline, x = RationalQuadraticSpline(8, bound=5.0).as_element(), torch.tensor([-far, far], requires_grad=True)
    raw = torch.randn(2, 23, requires_grad=True)
    for call in (spline.element_forward, spline.element_inverse):
        value, log_det = call(x, raw)
        by_x, by_raw = torch.autograd.grad(value.sum() + log_det.sum(), (x, raw))
        assert torch.equal(by_x, torch.ones(2))
        assert torch.equal(by_raw, torch.zeros(2, 23))


@KIND
def test_double_precision_is_double_throughout(kind):
    """normflows adds log-determinants in float32 (5e-7 off in float64); survae's log_prob is always float32."""
    f, x = flow(kind, regime="moderate").double(), torch.randn(32, 4, dtype=torch.float64)
    with torch.no_grad():
        y, fldj = f.forward_and_log_det(x)
        back, ildj = f.inverse_and_log_det(y)
    assert law(f).log_prob(x).dtype == fldj.dtype == torch.float64
    assert (fldj + ildj).abs().max() < 1e-11
    assert (back - x).abs().max() < 1e-11


def test_no_conditioner_can_make_a_scale_vanish():
    """normflows#67: Glow's samples jump to infinity, a division by a scale that went to zero."""
    f = real_nvp(4, layers=4, hidden=(8,))
    with torch.no_grad():
        for size in (-1e6, 1e6):
            for parameter in f.parameters():
                parameter.copy_(size * torch.randn(parameter.shape).abs())
            x = torch.randn(64, 4)
            y, log_det = f.inverse_and_log_det(x)
            assert bool(y.isfinite().all())
            assert log_det.abs().max() < 4 * 4 * 20.0


@pytest.mark.parametrize("f", [Bernstein(), SumOfSquares(), MixtureOfLogisticsCDF()], ids=lambda f: type(f).__name__)
def test_searched_inverses_expand_their_bracket(f):
    """zuko searches in [-10, 10]: (0.1, 20, -30) comes back as (0.1, 10, -10), and 4e3 as 10; survae gives NaN."""
    for x in (torch.tensor([0.1, 20.0, -30.0]), torch.tensor([1e3, -1e3, 300.0])):
        back = f.inverse(f(x))
        assert ((back - x).abs() / x.abs().clamp_min(1.0)).max() < 1e-3


def test_half_precision_stops_at_the_conditioners():
    """bf16 autocast: FrEIA raises, the others compute splines in bf16: log_prob off by 0.43 (zuko) to 1.0 nats at D = 16."""
    f, x = neural_spline_coupling(16, layers=8, hidden=(128, 128)), torch.randn(64, 16)
    with torch.no_grad():
        exact = law(f, 16).log_prob(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = law(f, 16).log_prob(x)
    assert mixed.dtype == torch.float32
    assert (mixed - exact).abs().max() < 0.3

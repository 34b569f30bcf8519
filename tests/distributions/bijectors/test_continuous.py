"""Continuous flows against closed forms: linear fields, the probability flow of diffusion, rotations, time reversal."""

import copy
import math

import pytest
import torch
from torch import nn

from probgen.distributions.bijectors import ContinuousFlow
from probgen.distributions.bijectors.continuous import FlowEnergies, FlowSolution
from probgen.distributions.numerics.divergence import draw_probes
from probgen.distributions.numerics.ode_adaptive import IntegrationError
from tests.cases.continuous import NetworkField, RidgeField

MATRIX = torch.tensor([[0.3, 1.2, 0.0], [-0.8, -0.1, 0.5], [0.2, 0.0, 0.4]], dtype=torch.float64)
SOLVERS = [{"solver": "verner8", "steps": 20}, {"rtol": 1e-10, "atol": 1e-10}]


def linear(t, x):
    return x @ MATRIX.T


def points(count=7, features=3, dtype=torch.float64):
    return torch.randn(count, features, dtype=dtype, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("settings", SOLVERS, ids=["fixed", "adaptive"])
def test_linear_field_is_the_matrix_exponential(settings):
    flow, x = ContinuousFlow(linear, (3,), times=(0.0, 1.5), **settings), points()
    y, log_det = flow.forward_and_log_det(x)
    assert torch.allclose(y, x @ torch.linalg.matrix_exp(1.5 * MATRIX).T, atol=1e-9)
    assert torch.allclose(log_det, (1.5 * MATRIX.trace()).expand(7), atol=1e-11)
    back, ildj = flow.inverse_and_log_det(y)
    assert torch.allclose(back, x, atol=1e-9)
    assert torch.allclose(ildj, -log_det, atol=1e-11)


@pytest.mark.parametrize("settings", SOLVERS, ids=["fixed", "adaptive"])
def test_rotating_field_preserves_volume(settings):
    """x' = Omega(|x|) x turns each circle at its own speed."""

    def field(t, x):
        speed = 2 + torch.sin(x.square().sum(-1, keepdim=True))
        return speed * torch.stack([-x[:, 1], x[:, 0]], -1)

    x = points(features=2)
    y, log_det = ContinuousFlow(field, (2,), **settings).forward_and_log_det(x)
    angle = 2 + torch.sin(x.square().sum(-1))
    turned = torch.stack([angle.cos() * x[:, 0] - angle.sin() * x[:, 1], angle.sin() * x[:, 0] + angle.cos() * x[:, 1]], -1)
    assert torch.allclose(y, turned, atol=1e-8)
    assert log_det.abs().max() < 1e-13


def test_time_reversal_swaps_the_directions():
    torch.manual_seed(0)
    field, x = NetworkField(3).double(), points()
    ascending = ContinuousFlow(field, (3,), times=(0.0, 1.0), solver="verner8", steps=10)
    descending = ContinuousFlow(field, (3,), times=(1.0, 0.0), solver="verner8", steps=10)
    for got, expected in zip(descending.forward_and_log_det(x), ascending.inverse_and_log_det(x), strict=True):
        assert torch.allclose(got, expected, atol=1e-13)


def test_composition_in_time_is_composition_of_maps():
    torch.manual_seed(0)
    field, x = NetworkField(3).double(), points()
    first, second, whole = (
        ContinuousFlow(field, (3,), times=times, solver="verner8", steps=10) for times in ((0.0, 0.4), (0.4, 1.0), (0.0, 1.0))
    )
    for got, expected in zip((first >> second).forward_and_log_det(x), whole.forward_and_log_det(x), strict=True):
        assert torch.allclose(got, expected, atol=1e-12)


# ------------------------------------------------------------------------------------------------------------ probability flow


class ProbabilityFlow:
    """dx/dt = -beta/2 (x + score) for the variance-preserving diffusion with beta from 0.1 to 20."""

    def __init__(self, weights, means, variances):
        self.weights, self.means, self.variances = (torch.tensor(v, dtype=torch.float64) for v in (weights, means, variances))

    def marginal(self, t):
        integral = 0.1 * t + 0.5 * 19.9 * t * t
        alpha = torch.exp(-0.5 * integral)
        return alpha * self.means, alpha.square() * self.variances - torch.expm1(-integral)

    def parts(self, t, x):
        means, variances = self.marginal(t)
        centered = x.unsqueeze(-1) - means
        joint = self.weights.log() - 0.5 * centered.square() / variances - 0.5 * torch.log(2 * math.pi * variances)
        return joint, -centered / variances, variances

    def log_density(self, t, x):
        return torch.logsumexp(self.parts(torch.tensor(t, dtype=torch.float64), x)[0], -1)

    def __call__(self, t, x):
        joint, scores, _ = self.parts(t, x)
        return -0.5 * (0.1 + 19.9 * t) * (x + (torch.softmax(joint, -1) * scores).sum(-1))

    def divergence(self, t, x):
        joint, scores, variances = self.parts(t, x)
        posterior = torch.softmax(joint, -1)
        mean = (posterior * scores).sum(-1)
        slope = (posterior * (scores.square() - 1 / variances)).sum(-1) - mean.square()
        return -0.5 * (0.1 + 19.9 * t) * (1 + slope)


GAUSSIAN = ([1.0], [0.0], [0.0625])
MIXTURE = ([0.3, 0.7], [-1.0, 0.6], [0.04, 0.09])


def quadratic(steps):
    """From noise at 1 to data at 0, with steps that shrink towards the data."""
    return tuple((1 - index / steps) ** 2 for index in range(steps + 1))


@pytest.mark.parametrize(
    ("law", "solver", "steps", "tolerance"),
    [(GAUSSIAN, "rk4", 500, 1e-9), (GAUSSIAN, "verner8", 100, 2e-14), (MIXTURE, "verner8", 200, 9e-12)],
    ids=["gaussian-rk4", "gaussian-verner8", "mixture"],
)
def test_probability_flow_likelihood_is_exact(law, solver, steps, tolerance):
    field, x = ProbabilityFlow(*law), torch.linspace(-1.0, 1.0, 5, dtype=torch.float64)
    flow = ContinuousFlow(field, (), times=quadratic(steps), solver=solver)
    z, ildj = flow.inverse_and_log_det(x)
    assert (field.log_density(1.0, z) + ildj - field.log_density(0.0, x)).abs().max() < tolerance
    if law is GAUSSIAN:
        ratio = field.marginal(torch.tensor(1.0, dtype=torch.float64))[1] / 0.0625
        assert torch.allclose(ildj, 0.5 * ratio.log().expand(5), rtol=0, atol=tolerance)


def test_classical_runge_kutta_agrees_to_thirteen_digits():
    """The same Gaussian flow with its linear velocity written out: log |dx_1 / dx_0| is half the log of the variance ratio."""
    variance = ProbabilityFlow(*GAUSSIAN).marginal

    def rate(t):
        return -0.5 * (0.1 + 19.9 * t) * (1 - 1 / variance(t)[1])

    def field(t, x):
        return rate(t) * x

    field.divergence = lambda t, x: rate(t).expand(len(x))
    x = torch.tensor([0.25], dtype=torch.float64)
    ildj = ContinuousFlow(field, (), times=quadratic(3000), solver="rk4").inverse_log_det_jacobian(x)
    ratio = variance(torch.tensor(1.0, dtype=torch.float64))[1] / 0.0625
    assert float((ildj - 0.5 * ratio.log()).abs()) < 1e-13


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("law", [GAUSSIAN, MIXTURE], ids=["gaussian", "mixture"])
def test_defaults_are_far_better_than_a_ten_thousandth_of_a_bit(law, dtype):
    """A well-known peer integrates a likelihood in one Euler step unless told otherwise: 2.68 bits a dimension off."""
    field, x = ProbabilityFlow(*law), torch.linspace(-1.0, 1.0, 9, dtype=torch.float64)
    z, ildj = ContinuousFlow(field, (), times=(1.0, 0.0)).inverse_and_log_det(x.to(dtype))
    error = field.log_density(1.0, z.double()) + ildj.double() - field.log_density(0.0, x)
    assert error.abs().max() / math.log(2) < 1e-4
    with pytest.raises(ValueError, match="would be one step"):
        ContinuousFlow(field, (), times=(1.0, 0.0), solver="euler")


def test_one_euler_step_is_as_bad_as_it_was_for_the_peer():
    """The regression test can fail: one step from 0 to 1 is off by more than two bits."""
    field, x = ProbabilityFlow(*GAUSSIAN), torch.linspace(-1.0, 1.0, 9, dtype=torch.float64)
    z, ildj = ContinuousFlow(field, (), times=(1.0, 0.0), solver="euler", steps=1).inverse_and_log_det(x)
    error = field.log_density(1.0, z) + ildj - field.log_density(0.0, x)
    assert error.abs().max() / math.log(2) > 1


# ------------------------------------------------------------------------------------------------------------------ estimates


def test_hutchinson_log_det_has_its_probes_for_the_whole_way():
    """The same probes there and back cancel; each probe has its own log-determinant."""
    torch.manual_seed(0)
    field, x = NetworkField(3).double(), points()
    flow = ContinuousFlow(field, (3,), solver="verner8", steps=10, divergence="hutchinson", probes=4)
    probes = draw_probes(5, x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    there = flow.integrate(x, probes=probes)
    back = flow.integrate(there.value, inverse=True, probes=probes)
    assert isinstance(there, FlowSolution)
    assert there.log_dets.shape == (5, 7)
    assert torch.allclose(there.log_dets, -back.log_dets, atol=1e-11)
    assert there.log_dets.std(0).min() > 1e-3
    assert flow.integrate(x).log_dets.shape == (4, 7)
    shared = flow.integrate(x, probes=probes[:, 0])
    assert torch.allclose(shared.log_dets[:, 0], there.log_dets[:, 0], atol=1e-13)


@pytest.mark.parametrize("kind", ["rademacher", "gaussian"])
@pytest.mark.statistical(false_alarm=1e-9)
def test_hutchinson_log_det_is_unbiased(kind):
    """A CLT test over 4000 estimates of each of three points; detects a bias of a tenth of their standard deviation."""
    torch.manual_seed(0)
    field, x = NetworkField(3).double(), points(3)
    settings = {"solver": "rk4", "steps": 3}
    exact = ContinuousFlow(field, (3,), **settings).forward_log_det_jacobian(x)
    flow = ContinuousFlow(field, (3,), divergence="hutchinson", probe_kind=kind, **settings)
    with torch.no_grad():
        estimates = flow.forward_log_det_jacobian(x.expand(4000, 3, 3))
    z = (estimates.mean(0) - exact) / (estimates.std(0) / math.sqrt(4000))
    assert z.abs().max() < 6.5  # 3 two-sided tails of 8e-11
    assert flow.log_det_kind == (flow.inv >> flow).log_det_kind == "unbiased"


def test_value_does_not_depend_on_the_estimate():
    torch.manual_seed(0)
    field, x = NetworkField(3), points(dtype=torch.float32)
    exact, estimated = (ContinuousFlow(field, (3,), solver="rk4", steps=4, divergence=d) for d in ("exact", "hutchinson"))
    assert torch.equal(estimated(x), exact(x))
    assert torch.allclose(estimated.forward_and_log_det(x)[0], exact(x), atol=1e-6)


# -------------------------------------------------------------------------------------------------------------------- contexts


def test_field_sees_one_batch_axis():
    shapes = set()

    def field(t, x, context):
        shapes.add((tuple(t.shape), tuple(x.shape), tuple(context.shape)))
        return x * context.sum(-1).reshape(-1, 1, 1)

    flow = ContinuousFlow(field, (2, 2), solver="heun", steps=2, context_shape=(3,))
    y, log_det = flow.forward_and_log_det(torch.ones(5, 1, 2, 2), torch.ones(4, 3))
    assert (y.shape, log_det.shape) == ((5, 4, 2, 2), (5, 4))
    assert shapes == {((), (20, 2, 2), (20, 3))}


def test_context_shape_is_that_of_the_field():
    assert ContinuousFlow(RidgeField(context_features=2), (2,)).context_shape == (2,)
    assert ContinuousFlow(RidgeField(), (2,)).context_shape is None


def test_closed_form_divergence_is_used_and_agrees():
    torch.manual_seed(0)
    field, x = RidgeField(3, context_features=1).double(), points()
    context = torch.ones(7, 1, dtype=torch.float64)
    flow = ContinuousFlow(field, (3,), solver="rk4", steps=5)
    plain = ContinuousFlow(lambda t, x, c: field(t, x, c), (3,), solver="rk4", steps=5, context_shape=(1,))
    assert torch.allclose(flow.forward_and_log_det(x, context)[1], plain.forward_and_log_det(x, context)[1], atol=1e-13)
    field.divergence = lambda t, x, c: torch.ones(len(x), dtype=x.dtype)
    assert torch.allclose(flow.forward_and_log_det(x, context)[1], torch.ones(7, dtype=torch.float64))


# --------------------------------------------------------------------------------------------------------------------- adjoint


@pytest.mark.parametrize("divergence", ["exact", "hutchinson"])
@pytest.mark.parametrize("settings", [{"solver": "verner8", "steps": 8}, {"rtol": 1e-10, "atol": 1e-10}])
def test_adjoint_gradients_equal_backpropagation(settings, divergence):
    torch.manual_seed(0)
    field, x = RidgeField(3, context_features=1).double(), points().requires_grad_()
    field.divergence = None
    source = torch.ones(7, 1, dtype=torch.float64, requires_grad=True)
    grads, values = [], []
    for adjoint in (False, True):
        flow = ContinuousFlow(field, (3,), adjoint=adjoint, divergence=divergence, **settings)
        probes = draw_probes(1, (3,), dtype=x.dtype, generator=torch.Generator().manual_seed(2))
        z, log_dets, _ = flow.integrate(x, source.sin(), inverse=True, probes=probes if divergence == "hutchinson" else None)
        loss = -0.5 * z.square().sum() + log_dets.mean(0).sum()
        grads.append(torch.autograd.grad(loss, [x, source, *field.parameters()]))
        values.append(float(loss.detach()))
        assert flow.static_graph == (not adjoint and "steps" in settings)
    assert values[0] == pytest.approx(values[1], abs=1e-9)
    for got, expected in zip(*grads, strict=True):
        assert torch.allclose(got, expected, rtol=1e-6, atol=1e-7)


# ------------------------------------------------------------------------------------------------------------ regularization


@pytest.mark.parametrize("inverse", [False, True])
def test_energies_of_a_linear_flow(inverse):
    """x' = -a x: kinetic a^2 |x|^2 integrated, Jacobian 3 a^2 T, both positive whichever way time runs."""
    flow, x = ContinuousFlow(lambda t, x: -0.5 * x, (3,), times=(0.0, 2.0), solver="verner8", steps=10), points()
    got = flow.integrate_energies(x, inverse=inverse)
    assert isinstance(got, FlowEnergies)
    plain = flow.integrate(x, inverse=inverse)
    assert torch.allclose(got.value, plain.value)
    assert torch.allclose(got.log_dets, plain.log_dets)
    growth = math.expm1(2.0) if inverse else -math.expm1(-2.0)
    assert torch.allclose(got.kinetic, 0.25 * growth * x.square().sum(-1), atol=1e-10)
    assert torch.allclose(got.jacobian, torch.full((7,), 3 * 0.25 * 2.0, dtype=torch.float64), atol=1e-12)


def test_energies_can_be_trained_on():
    torch.manual_seed(0)
    field, x = NetworkField(3), points(dtype=torch.float32)
    for adjoint in (False, True):
        flow = ContinuousFlow(field, (3,), solver="rk4", steps=8, divergence="hutchinson", adjoint=adjoint)
        probes = torch.ones(1, 3)
        got = flow.integrate_energies(x, inverse=True, probes=probes)
        (got.kinetic.sum() + got.jacobian.sum() - got.log_dets.sum()).backward()
    assert field.outer.weight.grad.isfinite().all()
    assert field.outer.weight.grad.abs().sum() > 0
    assert got.kinetic.shape == got.jacobian.shape == (7,)


# ------------------------------------------------------------------------------------------------------------ cost, plumbing


def test_evaluations_are_counted():
    calls = []

    def field(t, x):
        calls.append(t)
        return -x

    solution = ContinuousFlow(field, (2,)).integrate(torch.ones(3, 2))
    assert solution.evaluations == len(calls)
    assert ContinuousFlow(field, (2,), solver="rk4", steps=5).integrate(torch.ones(3, 2)).evaluations == 20


def test_a_rest_of_the_batch_changes_nothing_beyond_the_tolerance():
    torch.manual_seed(0)
    flow, x = ContinuousFlow(NetworkField(3).double(), (3,), rtol=1e-7, atol=1e-7), points()
    alone = torch.cat([flow(row[None]) for row in x])
    assert (flow(torch.cat([x, 30 * x])).detach()[:7] - alone.detach()).abs().max() < 1e-6


def test_too_hard_a_problem_is_an_error():
    flow = ContinuousFlow(lambda t, x: 1e3 * torch.sin(1e3 * x), (2,), max_steps=50)
    with pytest.raises(IntegrationError, match="50 steps"):
        flow(torch.ones(3, 2))


@pytest.mark.parametrize("divergence", ["exact", "hutchinson"])
def test_inference_mode_gives_the_same_log_det(divergence):
    """Nothing can be differentiated there; a divergence of zero would be silent."""
    torch.manual_seed(0)
    net, x, context = NetworkField(3), points(dtype=torch.float32), torch.full((7, 1), 0.3)
    flow = ContinuousFlow(
        lambda t, x, c: t * c * x * net(t, x), (3,), solver="rk4", steps=3, divergence=divergence, context_shape=(1,)
    )
    torch.manual_seed(1)
    expected = flow.forward_and_log_det(x, context)
    with torch.inference_mode():
        torch.manual_seed(1)
        got = flow.forward_and_log_det(x.clone(), context.clone())
    assert expected[1].abs().min() > 1e-4
    for a, b in zip(got, expected, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_copies_and_state():
    torch.manual_seed(0)
    flow = ContinuousFlow(NetworkField(), (2,), solver="rk4", steps=3)
    x = points(features=2, dtype=torch.float32)
    twin = copy.deepcopy(flow)
    assert torch.equal(twin(x), flow(x))
    assert next(name for name, _ in flow.named_parameters()) == "vector_field.inner.weight"
    assert "times=(0.0, 1.0), 'rk4', steps=3, 'exact'" in repr(flow)
    assert "rtol=1e-06, atol=1e-06" in repr(ContinuousFlow(linear, (3,)))
    assert not flow.exact_inverse


def test_a_plain_function_needs_no_module():
    assert not list(ContinuousFlow(linear, (3,)).parameters())
    with pytest.raises(TypeError, match="`adjoint` needs a `vector_field` that is a module; got function"):
        ContinuousFlow(linear, (3,), adjoint=True)


def test_scalar_flows_increase():
    assert ContinuousFlow(lambda t, x: -x, ()).sign == 1
    with pytest.raises(NotImplementedError, match="has no sign"):
        _ = ContinuousFlow(linear, (3,)).sign


def test_errors_name_what_came():
    with pytest.raises(ValueError, match="`divergence` must be 'exact' or 'hutchinson'; got 'trace'"):
        ContinuousFlow(linear, (3,), divergence="trace")
    with pytest.raises(ValueError, match="`probes` must be at least 1; got 0"):
        ContinuousFlow(linear, (3,), probes=0)
    with pytest.raises(ValueError, match=r"`vector_field` must keep the shape \(2, 3\); it gave \(2, 1\)"):
        ContinuousFlow(lambda t, x: x[:, :1], (3,))(torch.ones(2, 3))
    flow = ContinuousFlow(nn.Identity(), (3,), divergence="hutchinson")
    with pytest.raises(ValueError, match=r"`probes` must have shape \[k, \*batch, \*\(3,\)\]; got \(3,\)"):
        flow.integrate(torch.ones(2, 3), probes=torch.ones(3))
    with pytest.raises(ValueError, match="this flow has divergence='exact'"):
        ContinuousFlow(linear, (3,)).integrate(torch.ones(2, 3), probes=torch.ones(1, 3))

"""Residual bijectors: the Jacobian as oracle, honest estimates, Neumann gradients, inverses that converge or say so."""

import copy
import math

import pytest
import torch
from torch import nn

from probgen.distributions import DensityUnavailable, TransformedDistribution, standard_normal
from probgen.distributions._checks import InversionError
from probgen.distributions.bijectors import Residual
from probgen.distributions.bijectors._contraction import Contraction, Series, recomputed
from probgen.distributions.bijectors._contraction_inverse import invert_implicitly, invert_with_newton
from probgen.distributions.bijectors._rows import as_rows
from probgen.distributions.numerics.random_truncation import RandomTruncation
from probgen.nn import LipschitzConvNet, LipschitzMLP

DIM = 3


def steep(features=DIM, lipschitz=0.9, sign=-1.0, context_features=0, width=16, size=10.0):
    """A network whose Jacobian really comes close to its constant, negative or positive definite, in float64."""
    torch.manual_seed(0)
    network = LipschitzMLP(features, hidden=(max(width, features),), lipschitz=lipschitz, context_features=context_features)
    frame = torch.linalg.qr(torch.randn(max(width, features), features))[0]
    network.layers[0].weight.data = size * frame
    network.layers[1].weight.data = sign * size * frame.T
    return network.double()


def points(batch=5, features=DIM, seed=1):
    return torch.randn(batch, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def jacobians(f, x):
    return torch.func.vmap(torch.func.jacrev(f.forward))(x)


def basis(batch, features=DIM):
    """Probes whose mean is the trace."""
    return math.sqrt(features) * torch.eye(features, dtype=torch.float64).unsqueeze(1).expand(-1, batch, -1)


def gradients(network, x, log_dets):
    """Of a weighted sum of the log-determinants, by ``x`` and by all parameters."""
    weights = torch.linspace(-1.0, 2.0, log_dets.shape[-1], dtype=log_dets.dtype)
    found = torch.autograd.grad((log_dets.mean(0) * weights).sum(), [x, *network.parameters()], allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip([x, *network.parameters()], found, strict=True)]


# ------------------------------------------------------------------------------------------------------- the log-determinant


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_exact_log_det_is_slogdet(sign):
    f, x = Residual(steep(sign=sign), (DIM,)), points()
    y, fldj = f.forward_and_log_det(x)
    assert torch.allclose(fldj, torch.linalg.slogdet(jacobians(f, x))[1], atol=1e-12)
    assert torch.allclose(f.inverse_and_log_det(y)[1], -fldj, atol=1e-10)
    assert fldj.abs().max() > 0.5


def test_series_with_all_probes_and_many_terms_is_slogdet():
    network, x = steep(), points()
    f = Residual(network, (DIM,), log_det="truncated")
    expected = Residual(network, (DIM,)).forward_log_det_jacobian(x)
    _, log_dets = f.estimate(x, probes=basis(5), terms=400)
    assert torch.allclose(log_dets.mean(0), expected, atol=1e-12)
    _, few = f.estimate(x, probes=basis(5), terms=4)
    error = (few.mean(0) - expected).abs().max()
    four = Residual(network, (DIM,), log_det="truncated", terms=4)
    assert 0.01 < error <= four.truncation_error


@pytest.mark.parametrize("kind", ["geometric", "poisson"])
@pytest.mark.statistical(false_alarm=1e-9)
def test_roulette_is_unbiased(kind):
    """A CLT test over 5000 estimates of each of two points; a truncated series of the same mean length is 5 s.e. off."""
    network, x = steep(lipschitz=0.6), points(2)
    torch.manual_seed(0)
    law = RandomTruncation(1, kind, 0.6 if kind == "geometric" else 1.5)
    f = Residual(network, (DIM,), log_det="roulette", truncation=law)
    exact = Residual(network, (DIM,)).forward_log_det_jacobian(x)
    with torch.no_grad():
        estimates = f.forward_log_det_jacobian(x.expand(5000, 2, DIM))
    stderr = estimates.std(0) / math.sqrt(5000)
    assert ((estimates.mean(0) - exact) / stderr).abs().max() < 6.6
    _, short = f.estimate(x, probes=basis(2), terms=round(law.mean))
    assert ((short.mean(0) - exact) / stderr).abs().max() > 5.0


def test_evaluation_mode_leaves_little_to_chance():
    x = points(2)
    f = Residual(steep(lipschitz=0.6), (DIM,), log_det="roulette", evaluation_terms=40)
    exact = Residual(f.network, (DIM,)).forward_log_det_jacobian(x)
    _, log_dets = f.eval().estimate(x, probes=basis(2))
    assert torch.allclose(log_dets.mean(0), exact, atol=1e-8)


# ------------------------------------------------------------------------------------------------------------------ gradients


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("gradient", ["neumann", "series"])
def test_gradient_is_that_of_the_exact_log_det_for_any_weighting(gradient, recompute):
    """Summed over all probes the Neumann gradient is exact, sample by sample: weights of both signs."""
    network, x = steep(), points().requires_grad_()
    expected = gradients(network, x, Residual(network, (DIM,)).forward_log_det_jacobian(x)[None])
    f = Residual(network, (DIM,), log_det="truncated", gradient=gradient, recompute=recompute)
    got = gradients(network, x, f.estimate(x, probes=basis(5), terms=300)[1])
    for left, right in zip(got, expected, strict=True):
        assert torch.allclose(left, right, atol=1e-9)


@pytest.mark.parametrize("log_det", ["exact", "truncated"])
def test_recomputing_changes_neither_values_nor_gradients(log_det):
    network, x, context = steep(context_features=2), points().requires_grad_(), points(5, 2, seed=3).requires_grad_()
    results = []
    for recompute in (False, True):
        torch.manual_seed(5)
        f = Residual(network, (DIM,), log_det=log_det, recompute=recompute)
        y, log_dets = f.forward_and_log_det(x, context)
        loss = (y.sin().sum(-1) * torch.arange(5.0) + log_dets * torch.arange(5.0) ** 2).sum()
        found = torch.autograd.grad(loss, [x, context, *network.parameters()], allow_unused=True)
        results.append([y, log_dets, *found])
    for plain, again in zip(*results, strict=True):
        assert torch.allclose(plain, again, atol=1e-12)


@pytest.mark.statistical(false_alarm=1e-9)
def test_mean_roulette_gradient_is_the_exact_gradient():
    """Gradient by x of 5000 estimates with numbers of terms and probes of their own: 6 numbers, CLT."""
    network, x = steep(lipschitz=0.5), points(2)
    torch.manual_seed(0)
    start = x.clone().requires_grad_()
    exact = Residual(network, (DIM,)).forward_log_det_jacobian(start)
    (expected,) = torch.autograd.grad(exact.sum(), start)
    many = x.expand(5000, 2, DIM).clone().requires_grad_()
    (found,) = torch.autograd.grad(Residual(network, (DIM,), log_det="roulette").forward_log_det_jacobian(many).sum(), many)
    z = (found.mean(0) - expected) / (found.std(0) / math.sqrt(5000))
    assert z.abs().max() < 6.7
    assert expected.abs().max() > 0.05


@pytest.mark.statistical(false_alarm=1e-9)
def test_mean_roulette_gradient_of_parameters_is_the_exact_gradient():
    """Along one direction in parameter space, over 60 batches of 200 independent estimates."""
    network, x = steep(lipschitz=0.5), points(1)
    torch.manual_seed(0)
    parameters = list(network.parameters())
    direction = [torch.randn_like(p) for p in parameters]

    def slope(f, value):
        found = torch.autograd.grad(f.forward_log_det_jacobian(value).mean(), parameters, allow_unused=True)
        return sum((g * d).sum() for g, d in zip(found, direction, strict=True) if g is not None)

    expected = slope(Residual(network, (DIM,)), x)
    f = Residual(network, (DIM,), log_det="roulette")
    draws = torch.stack([slope(f, x.expand(200, DIM)) for _ in range(60)])
    assert abs(draws.mean() - expected) / (draws.std() / math.sqrt(60)) < 7.5  # 59 degrees of freedom


def test_memory_does_not_grow_with_the_number_of_terms():
    """Bytes that autograd keeps: equal for 2 and 40 terms by the Neumann series, and less still when recomputed."""

    def kept(**settings):
        saved = {}

        def pack(tensor):
            saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        f = Residual(steep(8, width=64), (8,), log_det="truncated", **settings)
        x = points(256, 8).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            f.forward_and_log_det(x)
        return sum(saved.values())

    few, many = kept(terms=2), kept(terms=40)
    assert many <= 1.05 * few
    assert kept(terms=40, gradient="series") > 5 * many
    assert kept(terms=40, recompute=True) < many / 3


# ----------------------------------------------------------------------------------------------------------------- the inverse


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("features", [1, 2, 8])
@pytest.mark.parametrize("scale", [1.0, 10.0, 1e3])
def test_inverse_error_is_rounding_even_next_to_the_limit(sign, features, scale):
    """Constant 0.97, Jacobians near -0.97 I: torchflows' InvertibleResNet is off by 0.02, ResFlow by 0.3, without a word."""
    f = Residual(steep(features, 0.97, sign).float(), (features,))
    x = scale * points(200, features).float()
    assert ((f.inverse(f(x)) - x).abs().amax(-1) <= 1e-5 * (1 + x.abs().amax(-1))).all()


@pytest.mark.parametrize("newton", [False, True])
def test_inverse_of_many_coordinates(newton):
    f = Residual(steep(40, 0.9, 1.0, width=64), (40,), newton=newton)
    x = points(20, 40)
    assert torch.allclose(f.inverse(f(x)), x, atol=1e-10)


def test_deep_inverse_in_single_precision():
    """Twelve layers: 1e-5, where peers lose 0.02 to 0.3."""
    torch.manual_seed(0)
    flow = Residual(steep(4, 0.9, 1.0).float(), (4,))
    for index in range(11):
        flow = flow >> Residual(steep(4, 0.9, (-1.0) ** index, size=1.0 + index).float(), (4,))
    x = torch.randn(100, 4)
    kappa = torch.linalg.matrix_norm(torch.linalg.inv(torch.func.vmap(torch.func.jacrev(flow.forward))(x)), 2)
    assert ((flow.inverse(flow(x)) - x).abs().amax(-1) <= 1e-5 * (1 + kappa)).all()


def test_what_does_not_converge_is_nan_and_an_error():
    f = Residual(steep(64, 0.97, width=64, size=30.0), (64,), evaluations=5)
    y = f(points(3, 64))
    with pytest.raises(InversionError, match="did not converge"):
        f.inverse(y)
    torch.distributions.Distribution.set_default_validate_args(False)
    try:
        assert f.inverse(y).isnan().all(-1).any()
    finally:
        torch.distributions.Distribution.set_default_validate_args(True)


def test_derivatives_of_the_inverse():
    f, y = Residual(steep(), (DIM,)), points(2)
    x = f.inverse(y)
    assert torch.allclose(jacobians(f.inv, y) @ jacobians(f, x), torch.eye(DIM, dtype=torch.float64), atol=1e-9)
    assert torch.autograd.gradgradcheck(lambda v: f.inverse(v).sum(), (y[:1].requires_grad_(),), atol=1e-5)


def test_implicit_gradients_are_those_of_newton():
    network, context = steep(context_features=2), points(4, 2, seed=7).requires_grad_()
    y, found = points(4).requires_grad_(), []
    for newton in (True, False):
        x = Residual(network, (DIM,), newton=newton).inverse(y, context)
        found.append(torch.autograd.grad((x.tanh() * torch.arange(3.0)).sum(), [y, context, *network.parameters()]))
    for left, right in zip(*found, strict=True):
        assert torch.allclose(left, right, atol=1e-10)


def test_implicit_inverse_refuses_what_it_would_get_wrong():
    f, y = Residual(steep(), (DIM,), newton=False), points(1)
    with pytest.raises(NotImplementedError, match="newton=True"):
        torch.func.jacfwd(f.inverse)(y[0])
    with pytest.raises(NotImplementedError, match="newton=True"):
        torch.func.grad(lambda v: f.inverse(v).sum())(y)
    (first,) = torch.autograd.grad(f.inverse(y.requires_grad_()).sum(), y, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.autograd.grad(first.sum(), y)


def test_number_of_evaluations_is_bounded():
    calls = []

    class Counting(nn.Module):
        lipschitz = 0.5

        def forward(self, x):
            calls.append(1)
            return 0.5 * torch.sin(x)

    for newton in (False, True):
        calls.clear()
        Residual(Counting(), (DIM,), newton=newton).inverse(points())
        assert 4 <= len(calls) <= 27


# -------------------------------------------------------------------------------------------------------------------- honesty


def test_a_biased_log_det_makes_no_density():
    f = Residual(steep(), (DIM,), log_det="truncated")
    assert (f.log_det_kind, (f.inv >> f).log_det_kind, f.static_graph) == ("biased", "biased", True)
    law = TransformedDistribution(standard_normal(DIM), f.inv)
    assert law.log_prob_kind == "none"
    with pytest.raises(DensityUnavailable, match="biased"):
        law.log_prob(points())
    with pytest.raises(DensityUnavailable):
        law.log_prob_estimate(points(), 4)
    trained = TransformedDistribution(standard_normal(DIM), f.inv, allow_estimate=True)
    assert trained.log_prob(points()).shape == (5,)


@pytest.mark.statistical(false_alarm=1e-9)
def test_an_unbiased_log_det_gives_estimates_with_errors():
    """Each of five estimates of 1000 draws is within 6.5 standard errors of the exact value."""
    f = Residual(steep(lipschitz=0.6), (DIM,), log_det="roulette")
    assert (f.log_det_kind, (f.inv >> f).log_det_kind, f.static_graph) == ("unbiased", "unbiased", False)
    law = TransformedDistribution(standard_normal(DIM), f.inv)
    with pytest.raises(DensityUnavailable, match="unbiased"):
        law.log_prob(points())
    torch.manual_seed(0)
    estimate = law.log_prob_estimate(points(), 1000)
    exact = TransformedDistribution(standard_normal(DIM), Residual(f.network, (DIM,)).inv).log_prob(points())
    assert estimate.kind == "unbiased"
    assert ((estimate.value - exact).abs() < 6.5 * estimate.stderr).all()


def test_value_does_not_depend_on_the_log_det():
    network, x = steep(), points()
    values = [Residual(network, (DIM,), log_det=kind).forward_and_log_det(x)[0] for kind in ("exact", "roulette", "truncated")]
    assert all(torch.allclose(value, x + network(x)) for value in values)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"log_det": "hutchinson"}, "`log_det` must be one of"),
        ({"gradient": "none"}, "`gradient` must be"),
        ({"terms": 0}, "`terms` and `probes`"),
        ({"evaluations": 4}, "`evaluations`"),
        ({"lipschitz": 1.0}, "must be a contraction"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Residual(steep(), (DIM,), **settings)


def test_a_network_of_unknown_constant_is_refused():
    with pytest.raises(ValueError, match="must be a contraction"):
        Residual(nn.Linear(DIM, DIM), (DIM,))
    with pytest.raises(TypeError, match="`recompute` needs"):
        Residual(torch.sin, (DIM,), lipschitz=0.5, recompute=True)


def test_estimates_are_only_for_estimates():
    with pytest.raises(ValueError, match="nothing to estimate"):
        Residual(steep(), (DIM,)).estimate(points())
    with pytest.raises(ValueError, match="`probes` must be"):
        Residual(steep(), (DIM,), log_det="truncated").estimate(points(), probes=torch.ones(1, DIM))


# --------------------------------------------------------------------------------------------------------------- shapes, modes


def test_scalars_images_and_batches():
    scalar = Residual(lambda x: 0.5 * torch.sin(x), (), lipschitz=0.5)
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    y, log_det = scalar.forward_and_log_det(x)
    assert torch.allclose(log_det, torch.log1p(0.5 * torch.cos(x)))
    assert torch.allclose(scalar.inverse(y), x)
    assert scalar.sign == 1
    torch.manual_seed(0)
    image = Residual(LipschitzConvNet((2, 3, 3), channels=4, context_shape=(3,)), (2, 3, 3), log_det="roulette", probes=2)
    x, context = torch.randn(4, 1, 2, 3, 3), torch.randn(5, 3)
    y, log_det = image.forward_and_log_det(x, context)
    assert (y.shape, log_det.shape) == ((4, 5, 2, 3, 3), (4, 5))
    assert torch.allclose(image.inverse(y, context), x.expand_as(y), atol=1e-5)
    assert image.forward_and_log_det(x[:0], context)[1].shape == (0, 5)


@pytest.mark.parametrize("log_det", ["exact", "roulette"])
def test_inference_mode_and_copies(log_det):
    f = copy.deepcopy(Residual(steep(), (DIM,), log_det=log_det))
    with torch.inference_mode():
        y, log_det_value = f.forward_and_log_det(points())
        assert torch.allclose(f.inverse_and_log_det(y)[0], points())
    assert log_det_value.shape == (5,)


def test_the_parts_agree():
    """The private pieces, one by one: rows, the series, its recomputed form, both inverses."""
    network, x = steep(), points()
    rows, context, batch = as_rows(x, None, (DIM,), None, network)
    assert (batch, context) == ((5,), None)
    contraction, series = Contraction(network, 1), Series(basis(5), 200, None, "neumann")
    held = list(network.parameters())
    for left, right in zip(
        contraction.expanded(rows, None, series), recomputed(contraction, rows, None, series, held), strict=True
    ):
        assert torch.allclose(left, right)
    y = x + network(x)
    for found in (invert_with_newton(contraction, y, None, 27), invert_implicitly(contraction, y, None, 27, held)):
        assert torch.allclose(found, x)


def test_a_network_that_changes_the_shape_is_refused_in_every_call():
    f = Residual(nn.Linear(3, 1), (3,), lipschitz=0.5)
    for call in (f, f.forward_and_log_det):
        with pytest.raises(ValueError, match=r"`(network|function)` must keep the shape \(2, 3\); it gave \(2, 1\)"):
            call(torch.zeros(2, 3))

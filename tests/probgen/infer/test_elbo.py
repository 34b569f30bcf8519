"""`ELBO` against Pyro's estimators with the same seeds, and its own laws."""

from contextlib import nullcontext

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal
from pyro.nn import PyroModule, PyroParam, PyroSample
from torch import nn
from torch.distributions import constraints
from torch.utils._python_dispatch import TorchDispatchMode

from probgen.infer import ELBO
from tests.probgen.infer.programs import Decoder, Encoder, Gaussian


def value_and_gradients(loss_function, modules):
    parameters = [p for module in modules for p in module.parameters()]
    torch.manual_seed(5)
    loss = loss_function()
    return loss.detach(), torch.autograd.grad(loss, parameters)


def assert_same(model, guide, args, ours, theirs):
    with pyro.settings.context(module_local_params=True):
        for module in (model, guide):
            for part in module.modules():
                if isinstance(part, PyroModule) and not hasattr(part._pyro_context, "param_state"):
                    part._pyro_context.param_state = {"params": {}, "constraints": {}}
        expected, expected_grads = value_and_gradients(lambda: theirs.differentiable_loss(model, guide, *args), (model, guide))
    loss = ours(model, guide)
    got, got_grads = value_and_gradients(lambda: loss(*args), (model, guide))
    torch.testing.assert_close(got, torch.as_tensor(expected), rtol=1e-5, atol=1e-5)
    for a, b in zip(got_grads, expected_grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


class Plain(PyroModule):
    """Two nested plates, scale, mask, a factor and a deterministic site."""

    def __init__(self):
        super().__init__()
        self.loc = nn.Parameter(torch.tensor(0.4))

    def forward(self, x):
        with pyro.plate("rows", 12, subsample=torch.arange(4), dim=-2):
            a = pyro.sample("a", dist.Normal(self.loc, 1.0))
            with pyro.plate("columns", 3, dim=-1), poutine.mask(mask=x > -0.5):
                b = pyro.sample("b", dist.LogNormal(a, 0.5))
                pyro.deterministic("c", b + 1)
                with poutine.scale(scale=0.3):
                    pyro.sample("x", dist.Normal(b, 1.0), obs=x)
            pyro.factor("f", -0.1 * a.squeeze(-1).unsqueeze(-1) ** 2)


class PlainGuide(PyroModule):
    def __init__(self):
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(4, 1))
        self.scale = PyroParam(torch.full((4, 3), 0.6), constraints.positive)

    def forward(self, x):
        with pyro.plate("rows", 12, subsample=torch.arange(4), dim=-2):
            a = pyro.sample("a", dist.Normal(self.loc, 0.8))
            with pyro.plate("columns", 3, dim=-1), poutine.mask(mask=x > -0.5):
                pyro.sample("b", dist.LogNormal(0.2 * a, self.scale))


@pytest.mark.parametrize("analytic", [False, True])
@pytest.mark.parametrize("validation", [False, True])
def test_equals_pyro_on_a_vae(analytic, validation):
    with pyro.validation_enabled(validation):
        theirs = TraceMeanField_ELBO() if analytic else Trace_ELBO()
        assert_same(Decoder(100), Encoder(100), (torch.randn(6, 5),), ELBO(analytic_kl=analytic), theirs)


@pytest.mark.parametrize("analytic", [False, True])
def test_equals_pyro_with_plates_scale_mask_and_factor(analytic):
    theirs = TraceMeanField_ELBO() if analytic else Trace_ELBO()
    assert_same(Plain(), PlainGuide(), (torch.randn(4, 3),), ELBO(analytic_kl=analytic), theirs)


def test_particles_are_averaged():
    model, guide = Decoder(), Encoder()
    x = torch.randn(6, 5)
    assert_same(model, guide, (x,), ELBO(3, analytic_kl=False), Trace_ELBO(num_particles=3))
    theirs = Trace_ELBO(num_particles=3, vectorize_particles=True, max_plate_nesting=1)
    assert_same(model, guide, (x,), ELBO(3, vectorize=True, analytic_kl=False), theirs)


def test_too_small_plate_nesting_is_named():
    def model():
        with pyro.plate("a", 2), pyro.plate("b", 3):
            pyro.sample("x", dist.Normal(0.0, 1.0), obs=torch.zeros(()))

    with pytest.raises(ValueError, match="max_plate_nesting=1"):
        ELBO(2, vectorize=True)(model)()


def test_bernoulli_pixels_use_one_kernel_and_agree():
    class Pixels(PyroModule):
        def __init__(self):
            super().__init__()
            self.logits = nn.Parameter(torch.randn(5, 7))

        def forward(self, x):
            with pyro.plate("data", 50, subsample=torch.arange(5)):
                pyro.sample("x", dist.Bernoulli(logits=self.logits).to_event(1), obs=x)

    model, x = Pixels(), torch.bernoulli(torch.full((5, 7), 0.4))
    with pyro.validation_enabled(False):
        assert_same(model, PyroModule(), (x,), lambda m, g: ELBO()(m), _NoGuide())


class _NoGuide(Trace_ELBO):
    def differentiable_loss(self, model, guide, *args):
        return super().differentiable_loss(model, lambda *a: None, *args)


def test_maximum_likelihood_is_the_elbo_without_latents():
    model, x = Gaussian(size=40), torch.randn(8, 3)
    expected = -5.0 * dist.Normal(model.loc, model.log_scale.exp()).log_prob(x).sum()
    torch.testing.assert_close(ELBO()(model)(x), expected)


def test_exact_posterior_gives_the_evidence():
    """With q = p(z|x), log p(x, z) - log q(z|x) is log p(x) for every draw."""

    def model(x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(torch.zeros(()), 1.0))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def guide(x):
        with pyro.plate("data", len(x)):
            pyro.sample("z", dist.Normal(x / 2, 0.5**0.5))

    x = torch.randn(7)
    evidence = dist.Normal(0.0, 2**0.5).log_prob(x).sum()
    torch.testing.assert_close(ELBO(analytic_kl=False)(model, guide)(x), -evidence)


@pytest.mark.statistical(false_alarm=1e-8)
def test_kl_is_sampled_where_integration_is_not_allowed():
    """Model z1 -> z2, guide z2 -> z1: the KL of z2 would treat z1, a function of z2, as fixed."""

    def model():
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("b", dist.Normal(a, 1.0))

    def reverse_guide():  # the exact joint, factored the other way: b ~ N(0, 2), a | b ~ N(b/2, 1/2)
        b = pyro.sample("b", dist.Normal(0.0, 2**0.5))
        pyro.sample("a", dist.Normal(b / 2, 0.5**0.5))

    losses = torch.stack([ELBO()(model, reverse_guide)() for _ in range(400)])
    # q equals p, so the bound is log 1 = 0; the wrong sum of both KLs has the mean 1.0. `a` comes first in the model and
    # may be integrated. The loss has sd < 1, so 5.8 standard errors (false alarm 1e-8) are below 0.29.
    assert losses.mean().abs() < 0.29


def test_scales_of_prior_and_posterior_may_differ():
    def model(beta):
        with poutine.scale(scale=beta):
            pyro.sample("z", dist.Normal(0.0, 1.0))

    def guide(beta):
        with poutine.scale(scale=beta.clone()):
            pyro.sample("z", dist.Normal(0.5, 0.4))

    def unscaled_guide(beta):
        pyro.sample("z", dist.Normal(0.5, 0.4))

    beta = torch.tensor(0.25)
    q, p = dist.Normal(0.5, 0.4), dist.Normal(0.0, 1.0)
    kl = torch.distributions.kl_divergence(q, p)
    torch.testing.assert_close(ELBO()(model, guide)(beta), beta * kl)
    torch.manual_seed(1)
    loss = ELBO()(model, unscaled_guide)(beta)
    torch.manual_seed(1)
    z = q.rsample()
    torch.testing.assert_close(loss, beta * kl + 0.75 * q.log_prob(z))


@pytest.mark.parametrize("events", [0, 1, 2])
@pytest.mark.parametrize("masked", [False, True])
def test_independent_coordinates_are_summed_at_once_and_weighted(events, masked):
    loc, scale = torch.randn(4, 3, 2), torch.rand(4, 3, 2) + 0.5
    mask = torch.tensor([True, False, True, True])[(...,) + (None,) * (2 - events)]
    mask = mask.expand(torch.Size([4, 3, 2])[: 3 - events])

    def program(posterior):
        with poutine.scale(scale=5.0), poutine.mask(mask=mask) if masked else nullcontext():
            pyro.sample("z", posterior.to_event(events))

    loss = ELBO()(lambda: program(dist.Normal(torch.zeros(4, 3, 2), 2.0)), lambda: program(dist.Normal(loc, scale)))()
    expected = torch.distributions.kl_divergence(dist.Normal(loc, scale), dist.Normal(0.0, 2.0))
    kept = mask[(...,) + (None,) * events] if masked else torch.ones(())
    torch.testing.assert_close(loss, 5.0 * (expected * kept).sum())


def test_autoguide_and_sampled_attributes():
    class Regression(PyroModule):
        def __init__(self):
            super().__init__()
            self.weight = PyroSample(dist.Normal(0.0, 1.0).expand([3]).to_event(1))

        def forward(self, x, y=None):
            mean = x @ self.weight
            with pyro.plate("data", len(x)):
                return pyro.sample("y", dist.Normal(mean, 0.1), obs=y)

    model = Regression()
    loss = ELBO()(model, AutoNormal(model))
    x, y = torch.randn(20, 3), torch.randn(20)
    loss(x, y)
    before = dict(pyro.get_param_store().named_parameters())
    loss(x, y).backward()
    assert all(p.grad is not None for p in loss.parameters())
    assert len(list(loss.parameters())) == 2
    assert dict(pyro.get_param_store().named_parameters()) == before


def test_a_point_mass_keeps_the_log_determinant_that_it_carries():
    def model(x):
        scale = pyro.sample("scale", dist.Gamma(2.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(0.0, scale), obs=x)

    x = torch.tensor([1.0, 2.0, 3.0])
    guide = AutoMultivariateNormal(model, init_scale=0.1)
    guide(x)
    values = []
    for loss in (ELBO()(model, guide), ELBO(analytic_kl=False)(model, guide), lambda x: Trace_ELBO().loss(model, guide, x)):
        torch.manual_seed(0)
        values.append(torch.as_tensor(loss(x)).detach())
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(values[0], values[2])


def test_other_event_shapes_in_the_guide_are_an_error():
    def model():
        with pyro.plate("data", 100, subsample_size=10):
            pyro.sample("z", dist.Normal(0.0, 1.0))

    with pytest.raises(ValueError, match=r"the site 'z' has events of shape \(\) in the model but \(10,\) in the guide"):
        ELBO()(model, lambda: pyro.sample("z", dist.Normal(torch.zeros(10), 1.0).to_event(1)))()


def test_global_store_is_untouched_and_modules_of_one_structure_stay_apart():
    a, b = Gaussian(), Gaussian()
    with torch.no_grad():
        b.loc += 1.0
    x = torch.randn(4, 3)
    pyro.clear_param_store()
    assert ELBO()(a)(x) != ELBO()(b)(x)
    assert list(pyro.get_param_store().keys()) == []
    assert not pyro.settings.get("module_local_params")


def test_bound_methods_bring_their_module():
    class Both(PyroModule):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

        def model(self, x):
            z = pyro.sample("z", dist.Normal(self.a, 1.0))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

        def guide(self, x):
            pyro.sample("z", dist.Normal(self.b, 1.0))

    both = Both()
    loss = ELBO()(both.model, both.guide)
    assert len(list(loss.parameters())) == 2
    loss(torch.tensor(1.0)).backward()
    assert both.a.grad is not None
    assert both.b.grad is not None


class _Syncs(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
        return func(*args, **(kwargs or {}))


def test_reads_no_value_on_the_host():
    with pyro.validation_enabled(False):
        loss = ELBO()(Plain(), PlainGuide())
        x = torch.randn(4, 3)
        with _Syncs() as syncs:
            loss(x).backward()
    assert syncs.count == 0


@pytest.mark.parametrize(
    ("model", "guide", "message"),
    [
        (lambda: pyro.sample("z", dist.Normal(0.0, 1.0)), None, r"\['z'\] are latent, but there is no guide"),
        (lambda: pyro.sample("z", dist.Normal(0.0, 1.0)), lambda: None, r"the guide does not draw them"),
        (lambda: None, None, "no sample site"),
        (
            lambda: pyro.sample("x", dist.Normal(0.0, 1.0), obs=torch.zeros(())),
            lambda: pyro.sample("y", dist.Normal(0.0, 1.0)),
            r"\['y'\] are not in the model",
        ),
        (
            lambda: pyro.sample("x", dist.Normal(0.0, 1.0), obs=torch.zeros(())),
            lambda: pyro.sample("x", dist.Normal(0.0, 1.0)),
            r"\['x'\] are observed in the model",
        ),
        (
            lambda: pyro.sample("z", dist.Normal(0.0, 1.0)),
            lambda: pyro.sample("z", dist.Normal(0.0, 1.0), obs=torch.zeros(())),
            "'z' is observed in the guide",
        ),
        (lambda: pyro.sample("x", dist.Normal(pyro.param("a", torch.ones(())), 1.0)), None, "`pyro.param"),
    ],
)
def test_errors_name_the_site(model, guide, message):
    with pytest.raises(ValueError, match=message):
        ELBO()(model, guide)()


def test_a_guide_site_without_reparameterization_is_an_error_only_where_it_would_matter():
    class Guide(PyroModule):
        def __init__(self):
            super().__init__()
            self.logits = nn.Parameter(torch.zeros(3))

        def forward(self):
            pyro.sample("k", dist.Categorical(logits=self.logits))

    def model():
        pyro.sample("k", dist.Categorical(logits=torch.zeros(3)))

    loss = ELBO()(model, Guide())
    with pytest.raises(ValueError, match=r"'k' \(Categorical\) has parameters but is not reparameterized"):
        loss()
    with torch.no_grad():
        assert loss().abs() < 1e-6
    fixed = ELBO()(model, lambda: pyro.sample("k", dist.Categorical(logits=torch.zeros(3))))
    assert fixed().abs() < 1e-6


def test_wrong_plate_shape_is_reported_while_validating():
    def model(x):
        pyro.sample("x", dist.Normal(0.0, 1.0).expand([4]), obs=x)

    with pyro.validation_enabled(True), pytest.raises(ValueError, match="invalid log_prob shape"):
        ELBO()(model)(torch.zeros(4))

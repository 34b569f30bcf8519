"""Interoperability with torch and Pyro, in both directions."""

import subprocess
import sys

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import MCMC, NUTS, Predictive, Trace_ELBO, TraceEnum_ELBO
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal, AutoNormalizingFlow
from pyro.infer.reparam import TransformReparam
from pyro.nn import PyroModule, PyroSample
from torch.distributions import biject_to, constraints, kl_divergence

from probgen.distributions import StandardNormal, TransformedDistribution, flow_on, standard_normal
from probgen.distributions.bijectors import Affine, Exp, Permutation
from probgen.distributions.constraints import circular, product, torus, unit_sphere
from probgen.flows import inverse_autoregressive_flow, neural_spline_coupling


def spline(features=2, **kwargs):
    return neural_spline_coupling(features, layers=2, hidden=(8,), **kwargs)


@pytest.mark.parametrize("cls", [torch.distributions.TransformedDistribution, dist.TransformedDistribution])
def test_our_bijectors_in_their_transformed_distribution(cls):
    f = spline()
    theirs = cls(dist.Normal(torch.zeros(2), 1.0).to_event(1), [f])
    x = theirs.rsample((5,))
    torch.testing.assert_close(theirs.log_prob(x), TransformedDistribution(standard_normal(2), f).log_prob(x))


def test_our_bijectors_in_pyros_conditional_distribution():
    f = spline(context_shape=(3,))
    context, x = torch.randn(5, 3), torch.randn(5, 2)
    theirs = dist.ConditionalTransformedDistribution(dist.Normal(torch.zeros(2), 1.0).to_event(1), [f])
    ours = TransformedDistribution(standard_normal(2), f.condition(context))
    torch.testing.assert_close(theirs.condition(context).log_prob(x), ours.log_prob(x))


def test_their_transforms_in_ours():
    their = dist.transforms.affine_autoregressive(2, hidden_dims=[8])
    x = torch.randn(5, 2)
    ours = TransformedDistribution(standard_normal(2), their)
    theirs = dist.TransformedDistribution(dist.Normal(torch.zeros(2), 1.0).to_event(1), [their])
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x))
    assert set(ours.bijector.parameters()) == set(their.parameters())


@pytest.mark.parametrize(
    ("constraint", "shape"),
    [
        (circular, ()),
        (torus, (3,)),
        (unit_sphere, (4,)),
        (product((constraints.positive, 2), (constraints.simplex, 3), (circular, 1)), (6,)),
    ],
)
def test_our_constraints_are_known_to_biject_to(constraint, shape):
    transform = biject_to(constraint)
    u = torch.randn(7, *transform.inverse_shape(shape), dtype=torch.float64)
    x = transform(u)
    assert x.shape == (7, *shape)
    assert constraint.check(x).all()
    torch.testing.assert_close(transform.inv(x), u, atol=1e-9, rtol=1e-9)


def test_divergence_of_flows_with_one_bijector():
    f, p0, q0 = spline(), dist.Normal(torch.ones(2), 0.5).to_event(1), standard_normal(2)
    p, q = TransformedDistribution(p0, f), TransformedDistribution(q0, f)
    expected = kl_divergence(p0, dist.Normal(torch.zeros(2), 1.0).to_event(1))
    torch.testing.assert_close(kl_divergence(p, q), expected)
    with pytest.raises(NotImplementedError, match="share"):
        kl_divergence(p, TransformedDistribution(q0, spline()))


def test_divergences_to_the_standard_normal():
    target = dist.MultivariateNormal(torch.zeros(3), torch.eye(3))
    root = torch.randn(3, 3).tril(-1) + torch.eye(3) * 0.7
    general = dist.MultivariateNormal(torch.randn(4, 3), scale_tril=root)
    torch.testing.assert_close(kl_divergence(general, standard_normal(3)), kl_divergence(general, target))
    diagonal = dist.Normal(torch.randn(4, 3), torch.rand(4, 3) + 0.1).to_event(1)
    expected = kl_divergence(diagonal, dist.Normal(torch.zeros(3), 1.0).expand((4, 3)).to_event(1))
    torch.testing.assert_close(kl_divergence(diagonal, standard_normal(3)), expected)
    assert kl_divergence(StandardNormal((3,), (4,)), standard_normal(3)).shape == (4,)
    with pytest.raises(ValueError, match="event shapes"):
        kl_divergence(diagonal, standard_normal(2))


def test_plates_and_effects():
    f = spline(context_shape=(1,))
    context = torch.randn(5, 1)

    def model(x=None):
        with pyro.plate("outer", 3, dim=-2), pyro.plate("data", 5, dim=-1):
            return pyro.sample("x", TransformedDistribution(standard_normal(2), f.condition(context)), obs=x)

    trace = poutine.trace(model).get_trace()
    x = trace.nodes["x"]["value"]
    assert x.shape == (3, 5, 2)
    replayed = poutine.trace(poutine.replay(model, trace)).get_trace()
    assert replayed.nodes["x"]["value"] is x
    total = poutine.trace(model).get_trace(x).log_prob_sum()
    torch.testing.assert_close(trace.log_prob_sum(), total, atol=1e-4, rtol=1e-5)
    conditioned = poutine.trace(poutine.condition(model, {"x": x})).get_trace()
    torch.testing.assert_close(conditioned.log_prob_sum(), total)
    torch.testing.assert_close(poutine.trace(poutine.scale(model, 3.0)).get_trace(x).log_prob_sum(), 3 * total)
    mask = torch.tensor([True, False, True, True, False])
    masked = poutine.trace(poutine.mask(model, mask)).get_trace(x).log_prob_sum()
    expected = TransformedDistribution(standard_normal(2), f.condition(context)).log_prob(x)[:, mask].sum()
    torch.testing.assert_close(masked, expected)


@pytest.mark.parametrize("parallel", [True, False])
def test_predictive(parallel):
    f = spline()

    def model():
        with pyro.plate("data", 5):
            z = pyro.sample("z", TransformedDistribution(standard_normal(2), f))
            return pyro.sample("x", TransformedDistribution(standard_normal(2), Affine(z, 1.0)))

    found = Predictive(model, num_samples=4, parallel=parallel)()
    assert found["z"].shape == found["x"].shape == (4, 5, 2)


def test_enumeration_is_not_broken():
    f = Affine(torch.tensor([-2.0, 2.0]), 0.5)

    def model(x):
        with pyro.plate("data", len(x)):
            k = pyro.sample("k", dist.Bernoulli(0.25), infer={"enumerate": "parallel"})
            pyro.sample("x", TransformedDistribution(standard_normal(), Affine(f.loc[k.long()], 0.5)), obs=x)

    x = torch.tensor([-2.0, 0.3, 1.0])
    loss = torch.tensor(TraceEnum_ELBO(max_plate_nesting=1).loss(model, lambda x: None, x))
    terms = torch.stack([dist.Normal(loc, 0.5).log_prob(x) for loc in (-2.0, 2.0)], -1)
    expected = torch.logsumexp(terms + torch.tensor([0.75, 0.25]).log(), -1).sum()
    torch.testing.assert_close(-loss, expected)


def flow_prior():
    """A posterior that is known: log-normal prior, as a flow, and one normal observation of the logarithm."""
    x = pyro.sample("x", flow_on(constraints.positive, Affine(0.0, 1.0), event_shape=()))
    pyro.sample("y", dist.Normal(x.log(), 1.0), obs=torch.tensor(1.0))


@pytest.mark.parametrize("guide_class", [AutoNormal, AutoMultivariateNormal])
def test_automatic_guides_find_a_known_posterior(guide_class):
    """The posterior of log x is N(0.5, 0.5); AutoNormal is of that family, so it is found exactly."""
    guide = guide_class(flow_prior)
    guide()
    optimizer = torch.optim.Adam(guide.parameters(), lr=0.05)
    for step in range(200):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * (1 - step / 200)
        optimizer.zero_grad()
        Trace_ELBO(num_particles=16, vectorize_particles=True).differentiable_loss(flow_prior, guide).backward()
        optimizer.step()
    levels = [0.25, 0.5, 0.75]
    found = guide.quantiles(levels)["x"].flatten().log()
    torch.testing.assert_close(found, dist.Normal(0.5, 0.5**0.5).icdf(torch.tensor(levels)), atol=0.06, rtol=0)


def test_normalizing_flow_guide_takes_our_bijector():
    guide = AutoNormalizingFlow(flow_prior, lambda dim: inverse_autoregressive_flow(dim, layers=1, hidden=(8,)))
    loss = Trace_ELBO().differentiable_loss(flow_prior, guide)
    loss.backward()
    assert loss.isfinite()
    assert guide()["x"] > 0


@pytest.mark.statistical(false_alarm=1e-9)
def test_nuts_on_a_flow_prior():
    """200 correlated draws (at least 20 effective) put the mean of log x within 1.0, which is 6.3 standard errors, of 0.5."""
    kernel = NUTS(flow_prior, max_tree_depth=4)
    mcmc = MCMC(kernel, num_samples=200, warmup_steps=60, disable_progbar=True)
    mcmc.run()
    draws = mcmc.get_samples()["x"].log()
    assert draws.shape == (200,)
    assert abs(draws.mean().item() - 0.5) < 1.0


@pytest.mark.parametrize("support", [unit_sphere, torus, constraints.simplex])
def test_nuts_stays_on_the_support(support):
    event = (3,)
    latent = biject_to(support).inverse_shape(event)

    def model():
        pyro.sample("x", flow_on(support, Affine(torch.zeros(latent), torch.ones(latent)), event_shape=event))

    mcmc = MCMC(NUTS(model, max_tree_depth=3), num_samples=5, warmup_steps=5, disable_progbar=True)
    mcmc.run()
    assert support.check(mcmc.get_samples()["x"]).all()


def test_transform_reparameterization():
    f = spline()

    def model():
        return pyro.sample("x", TransformedDistribution(standard_normal(2), f))

    trace = poutine.trace(poutine.reparam(model, {"x": TransformReparam()})).get_trace()
    torch.testing.assert_close(trace.nodes["x"]["value"], f(trace.nodes["x_base"]["value"]))


def test_random_parameters_are_drawn_once():
    """A ``PyroSample`` parameter is read when the distribution is built: the score uses the value that drew."""

    class Model(PyroModule):
        def __init__(self):
            super().__init__()
            self.bijector = PyroModule[Affine](shape=(2,), scale=1.0)
            self.bijector.raw_loc = PyroSample(dist.Normal(torch.zeros(2), 5.0).to_event(1))

        def forward(self, x):
            return pyro.sample("x", TransformedDistribution(standard_normal(2), self.bijector), obs=x)

    x = torch.zeros(2)
    trace = poutine.trace(Model()).get_trace(x)
    expected = dist.Normal(trace.nodes["bijector.raw_loc"]["value"], 1.0).log_prob(x).sum()
    for _ in range(2):
        torch.testing.assert_close(trace.nodes["x"]["fn"].log_prob(x), expected)


def test_random_parameters_inside_a_composition():
    inner = PyroModule[Affine](shape=(2,), scale=1.0)
    inner.raw_loc = PyroSample(dist.Normal(torch.zeros(2), 5.0).to_event(1))
    f = Permutation([1, 0]) >> inner >> Exp()
    d = TransformedDistribution(standard_normal(2), f)
    x = d.sample()
    torch.testing.assert_close(d.log_prob(x), d.log_prob(x.clone()))
    assert f.parts[1] is inner


def test_importing_changes_no_global_state():
    """In a fresh process: switches, registries and the classes of torch and Pyro are as without us, but for our own entries."""
    script = """
import torch, pyro, pyro.distributions as dist, pyro.infer
from torch.distributions import Distribution, biject_to, transform_to, kl
def state():
    return (Distribution._validate_args, torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads(),
            torch.random.get_rng_state().sum().item(), pyro.settings.get())
def registries():
    return dict(biject_to._registry), dict(transform_to._registry), dict(kl._KL_REGISTRY)
def attributes():
    return {(cls, name): id(value) for module in (torch.distributions, dist) for cls in vars(module).values()
            if isinstance(cls, type) for name, value in list(vars(cls).items()) if not name.startswith("_abc")}
before, tables, members = state(), registries(), attributes()
import probgen, probgen.distributions
assert state() == before
for old, new in zip(tables, registries()):
    assert all(new[key] is value for key, value in old.items())
    for key in new.keys() - old.keys():
        owners = key if isinstance(key, tuple) else (key,)
        assert any(owner.__module__.startswith("probgen") for owner in owners), key
changed = {key for key, value in attributes().items() if members.get(key, value) != value}
assert not changed, changed
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

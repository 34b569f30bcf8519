"""Implicit distributions in Pyro."""

import copy
import pickle

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import EnergyDistance, Predictive, Trace_ELBO

from probgen.distributions import DensityUnavailable, ImplicitDistribution, standard_normal
from probgen.distributions._checks import ContextError


def law():
    network = torch.nn.Sequential(torch.nn.Unflatten(1, (1, 2, 2)), torch.nn.Conv2d(1, 3, 1))
    return ImplicitDistribution(standard_normal(4), network, event_shape=(3, 2, 2))


def model(d, x=None):
    with pyro.plate("outer", 3, dim=-2), pyro.plate("data", 5, dim=-1):
        return pyro.sample("x", d, obs=x)


def test_plates_expand_it():
    assert poutine.trace(model).get_trace(law()).nodes["x"]["value"].shape == (3, 5, 3, 2, 2)
    assert law().expand((2,)).to_event(1).rsample((4,)).shape == (4, 2, 3, 2, 2)


@pytest.mark.parametrize("parallel", [True, False])
def test_predictive(parallel):
    d = law()
    found = Predictive(model, num_samples=2, parallel=parallel)(d)
    assert found["x"].shape == (2, 3, 5, 3, 2, 2)


def test_the_density_raises_everywhere_it_is_asked_for():
    d = law()
    with pytest.raises(DensityUnavailable, match=r"probgen\.infer\.Adversarial"):
        d.log_prob(torch.zeros(3, 2, 2))
    with pytest.raises(DensityUnavailable):
        d.log_prob_estimate(torch.zeros(3, 2, 2))
    with pytest.raises(NotImplementedError):
        Trace_ELBO().loss(model, lambda *args: None, d, torch.zeros(3, 5, 3, 2, 2))


def test_a_masked_site_is_hidden():
    trace = poutine.trace(model).get_trace(law().mask(False))
    assert trace.log_prob_sum() == 0


def test_draws_are_differentiable_if_the_noise_is():
    d = law()
    assert d.rsample().requires_grad
    assert not d.sample().requires_grad
    discrete = ImplicitDistribution(dist.Bernoulli(0.5 * torch.ones(4)).to_event(1), d.generator, (3, 2, 2))
    assert not discrete.has_rsample


def test_dtype_follows_the_generator_and_wrong_shapes_are_named():
    d = law()
    d.generator.double()
    assert d.sample().dtype == torch.float64
    wrong = ImplicitDistribution(standard_normal(4), torch.nn.Linear(4, 3), event_shape=(2,))
    with pytest.raises(ValueError, match=r"must return shape \(1, 2\); it returned \(1, 3\)"):
        wrong.sample()


class Joined(torch.nn.Module):
    """Noise and context, side by side."""

    def forward(self, z, context):
        return torch.cat([z, context], -1)


def conditional(**arguments):
    return ImplicitDistribution(standard_normal(1), Joined(), (3,), context_shape=(2,), **arguments)


def test_a_context_is_bound_once_and_broadcast():
    context = torch.arange(8.0).reshape(4, 2)
    d = conditional().condition(context)
    assert d.batch_shape == (4,)
    x = d.sample((5,))
    assert x.shape == (5, 4, 3)
    assert (x[..., 1:] == context).all()
    assert (x[:, 1:, 0] != x[:, :1, 0]).all(), "noise differs along the batch"
    assert (d.expand((2, 4)).sample()[..., 1:] == context).all()


def test_labels_are_a_context_without_dimensions():
    table = torch.nn.Embedding(3, 2)
    d = ImplicitDistribution(standard_normal(2), lambda z, label: z + table(label), (2,), context_shape=())
    assert d.condition(torch.tensor([0, 2, 1])).sample((4,)).shape == (4, 3, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: conditional().sample(), "needs a context with trailing shape"),
        (lambda: conditional().condition(torch.zeros(4, 5)), r"needs a context with trailing shape \(2,\)"),
        (lambda: law().condition(torch.zeros(4, 5)), "takes no context"),
    ],
)
def test_contexts_that_do_not_fit_are_named(make, message):
    with pytest.raises(ContextError, match=message):
        make()


def test_a_conditional_site_in_a_plate():
    d = conditional().condition(torch.zeros(5, 2))
    assert poutine.trace(model).get_trace(d).nodes["x"]["value"].shape == (3, 5, 3)


def test_copies_draw_the_same():
    d = conditional().condition(torch.ones(4, 2))
    for twin in (copy.deepcopy(d), pickle.loads(pickle.dumps(d))):
        torch.manual_seed(3)
        expected = d.sample((2,))
        torch.manual_seed(3)
        assert torch.equal(twin.sample((2,)), expected)


def test_vmap_of_draws_and_of_the_generator():
    d = law()
    drawn = torch.func.vmap(lambda _: d.rsample((2,)), randomness="different")(torch.zeros(5))
    assert drawn.shape == (5, 2, 3, 2, 2)
    assert (drawn[0] != drawn[1]).any()
    z = torch.randn(5, 4)
    torch.testing.assert_close(torch.func.vmap(d.generate)(z), d.generate(z))


def test_noise_of_another_shape_is_named():
    with pytest.raises(ValueError, match=r"`noise` must end with \(4,\); got \(2, 3\)"):
        law().generate(torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"`base` must have event shape \(4,\); got \(3,\)"):
        law().with_base(standard_normal(3))


def test_other_noise_for_the_same_generator():
    d = conditional().condition(torch.ones(4, 2)).with_base(dist.Normal(torch.full((1,), 9.0), 1e-3).to_event(1))
    x = d.sample()
    assert x.shape == (4, 3)
    assert ((x[:, 0] - 9).abs() < 0.1).all()


def test_pyros_energy_distance_trains_it():
    """A likelihood-free loss: the observation's site is drawn from, never scored."""
    shift = torch.nn.Linear(1, 1)
    d = ImplicitDistribution(standard_normal(1), shift, (1,))

    def program(x):
        with pyro.plate("data", len(x)):
            pyro.sample("x", d, obs=x)

    loss = EnergyDistance(max_plate_nesting=1)(program, lambda x: None, torch.full((200, 1), 5.0))
    loss.backward()
    assert shift.bias.grad < -0.5, "draws have to move up to the data"


def test_it_says_what_it_is():
    assert repr(conditional()) == "ImplicitDistribution(StandardNormal(event_shape=(1,), batch_shape=()), event_shape=(3,))"


def test_no_draws_at_all():
    assert law().sample((0,)).shape == (0, 3, 2, 2)
    assert conditional().condition(torch.zeros(0, 2)).sample((2,)).shape == (2, 0, 3)

"""The chain as a distribution and as a program: sites, shapes, contexts, where its states live, errors."""

import pyro
import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import GaussianChain, MarkovChain
from probgen.distributions._checks import ContextError
from probgen.distributions.chains import (
    FittedVariance,
    GaussianDenoiser,
    GaussianProcess,
    LearnedSchedule,
    LearnedVariance,
    MixtureDenoiser,
    NetworkDenoiser,
    PointMass,
    TimeGrid,
    TweedieCovariance,
    UnitPrior,
    cosine_schedule,
    edm_schedule,
    linear_schedule,
)
from tests.cases.networks import TinyDenoisingNetwork


def chain(schedule=None, steps=4, **options):
    denoiser = NetworkDenoiser(TinyDenoisingNetwork(2), schedule or linear_schedule(4, 0.05, 0.5), (2,))
    return GaussianChain(denoiser, TimeGrid(steps), **options)


def conditional(context, steps=3):
    denoiser = NetworkDenoiser(TinyDenoisingNetwork(2, context_shape=(3,)), cosine_schedule(), (2,))
    return GaussianChain(denoiser, TimeGrid(steps), context=context)


def test_sites_are_named_by_their_step():
    x = torch.randn(5, 2)
    model = pyro.poutine.trace(chain().model).get_trace(x)
    guide = pyro.poutine.trace(chain().guide).get_trace(x)
    forward = pyro.poutine.trace(chain().forward_guide).get_trace(x)
    assert [name for name in model.stochastic_nodes if name != "data"] == ["x_4", "x_3", "x_2", "x_1"]
    assert model.observation_nodes == ["x_0"]
    assert [name for name in guide.stochastic_nodes if name != "data"] == ["x_4", "x_3", "x_2", "x_1"]
    assert [name for name in forward.stochastic_nodes if name != "data"] == ["x_1", "x_2", "x_3", "x_4"]


def test_model_generates():
    assert chain().model(size=6).shape == (6, 2)
    assert chain().model().shape == (1, 2)


def test_log_prob_is_that_of_the_program():
    """One batched call of the denoiser against the sum over sites, data included."""
    this, x = chain(), torch.randn(5, 2)
    trace = pyro.poutine.trace(this.model).get_trace(x)
    path = torch.stack([trace.nodes[f"x_{index}"]["value"] for index in range(5)], 1)
    assert trace.log_prob_sum().item() == pytest.approx(this.log_prob(path).sum().item(), rel=1e-5)


def test_one_step_is_prior_and_decoder():
    this = chain(steps=1)
    path = this.sample((7,))
    expected = this.prior.log_prob(path[:, 1]) + this.kernel(path[:, 1], 1).log_prob(path[:, 0])
    assert torch.allclose(this.log_prob(path), expected)


def test_chain_stands_at_a_site():
    this = chain()
    path = pyro.sample("path", this.expand((3,)).to_event(1))
    assert path.shape == (3, 5, 2)


@pytest.mark.parametrize("schedule", [linear_schedule(4, 0.05, 0.5), edm_schedule(3.0)], ids=["VP", "VE"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_states_live_where_the_denoiser_does(schedule, dtype):
    """Not in the dtype of the schedule's table; the same chain follows its denoiser when that is cast."""
    this = chain(schedule)
    this.denoiser.to(dtype)
    assert this.sample((2,)).dtype == dtype
    assert this.start((3,)).dtype == dtype
    assert this.start((3,), like=torch.zeros(1).double()).dtype == torch.float64


def test_start_of_a_given_prior():
    this = chain(prior=dist.Normal(torch.full((2,), 3.0), 1e-3).to_event(1))
    assert torch.allclose(this.start((4,)), torch.tensor(3.0), atol=0.05)
    this.denoiser.double()
    assert this.start((4,)).dtype == torch.float64


def test_context_is_the_batch():
    this = conditional(torch.randn(4, 3))
    assert this.batch_shape == (4,)
    path = this.sample((2,))
    assert path.shape == (2, 4, 4, 2)
    assert this.log_prob(path).shape == (2, 4)
    for index in range(4):
        alone = GaussianChain(this.denoiser, this.grid, context=this.context[index])
        assert torch.allclose(alone.log_prob(path[:, index]), this.log_prob(path)[:, index], rtol=1e-5, atol=1e-5)


def test_context_expands():
    wide = conditional(torch.randn(3)).expand((5,))
    assert wide.context.shape == (5, 3)
    assert wide.log_prob(wide.sample()).shape == (5,)


def test_context_in_the_program():
    this = conditional(torch.randn(4, 3))
    x = torch.randn(4, 2)
    trace = pyro.poutine.trace(this.model).get_trace(x)
    path = torch.stack([trace.nodes[f"x_{index}"]["value"] for index in range(4)], 1)
    assert trace.log_prob_sum().item() == pytest.approx(this.log_prob(path).sum().item(), rel=1e-5)


def test_contexts_that_are_wrong():
    with pytest.raises(ContextError, match="needs a context"):
        conditional(None).sample()
    with pytest.raises(ContextError, match="with trailing shape"):
        conditional(torch.zeros(4, 2)).sample()
    with pytest.raises(ContextError, match="takes no context"):
        chain(context=torch.zeros(3)).sample()


def test_arguments_are_checked():
    denoiser = GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.ones(2))
    with pytest.raises(ValueError, match=r"`grid` must end at the data, t = 0; it ends at t = 0\.1"):
        GaussianChain(denoiser, TimeGrid([0.1, 1.0]))
    this = GaussianChain(denoiser, TimeGrid(3))
    for index in (0, 4):
        with pytest.raises(ValueError, match=r"`index` must lie in 1 \.\. 3"):
            this.kernel(torch.zeros(2), index)
    with pytest.raises(ValueError, match="`value` of GaussianChain must have event shape"):
        this.log_prob(torch.zeros(3, 2))
    assert "TimeGrid(3 steps" in repr(this)


def test_subclass_must_say_what_a_step_is():
    denoiser = GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.ones(2))
    bare = MarkovChain(GaussianProcess(cosine_schedule(), (2,)), denoiser, TimeGrid(2))
    with pytest.raises(NotImplementedError, match="MarkovChain does not define `_reverse`"):
        bare.sample()


def test_gradients_of_the_bound_reach_the_network():
    this, x = chain(), torch.randn(3, 2)
    path = this.posterior(x).sample()
    this.log_prob(torch.cat([x.unsqueeze(1), path], 1)).sum().backward()
    assert all(bool(weight.grad.isfinite().all()) for weight in this.denoiser.parameters())


SPREADS = {
    "point": PointMass,
    "unit": UnitPrior,
    "learned": LearnedVariance,
    "fitted": lambda: FittedVariance(torch.tensor([-2.0, 2.0]), torch.zeros(2)),
    "Tweedie": TweedieCovariance,
}


@pytest.mark.parametrize("schedule", [linear_schedule, cosine_schedule, edm_schedule, LearnedSchedule])
@pytest.mark.parametrize("spread", sorted(SPREADS))
def test_everything_happens_on_the_device_of_the_denoiser(schedule, spread):
    """On the device without memory: a tensor left behind on the CPU, or a value read back, is an error there."""
    network = TinyDenoisingNetwork(2, 4 if spread == "learned" else 2)
    denoiser = NetworkDenoiser(network, schedule(), (2,), spread=SPREADS[spread]())
    this = GaussianChain(denoiser, TimeGrid(4))
    denoiser.to("meta")
    path = this.sample((3,))
    t = torch.rand(3, device="meta")
    found = denoiser(path[:, 1], t)
    for tensor in (
        path,
        this.log_prob(path),
        this.posterior(path[:, 0]).sample(),
        found.eps,
        found.reverse(denoiser.schedule.level(t / 2)).mean,
    ):
        assert tensor.is_meta


@pytest.mark.parametrize("schedule", [linear_schedule, LearnedSchedule])
def test_oracles_move_too(schedule):
    covariances = torch.eye(2).expand(2, 2, 2)
    for oracle in (
        GaussianDenoiser(schedule(), torch.zeros(2), torch.ones(2)),
        MixtureDenoiser(schedule(), torch.zeros(2), torch.randn(2, 2), covariances),
    ):
        this = GaussianChain(oracle, TimeGrid(3))
        oracle.to("meta")
        assert this.log_prob(this.sample((3,))).is_meta

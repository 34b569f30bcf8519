"""The VAE: its programs against its law, N/B, contexts, learned priors, copies, Pyro's own objectives and tools."""

import copy
import math
import pickle

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import Predictive, Trace_ELBO, TraceMeanField_ELBO
from pyro.nn import PyroModule
from torch import nn

import probgen as pg
from probgen.distributions import LatentVariable, TransformedDistribution, standard_normal
from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import Affine
from probgen.distributions.elements import NetworkLaw, NormalElement
from probgen.vae import VAE, mlp_vae


def small(**options):
    return mlp_vae((6,), 2, hidden=(8,), **options)


def binary(*batch):
    return torch.rand(*batch, 6).round()


class Scalar(nn.Module):
    """A linear-Gaussian law of a scalar."""

    def __init__(self, gain, std):
        super().__init__()
        self.gain, self.std = nn.Parameter(torch.tensor(gain)), std

    def forward(self, x):
        return dist.Normal(self.gain * x, self.std).to_event(1)


def exact():
    """p(z) = N(0, 1), p(x|z) = N(z, 1) and its exact posterior."""
    return VAE(standard_normal(1), Scalar(1.0, 1.0), Scalar(0.5, 0.5**0.5), event_shape=(1,))


# ------------------------------------------------------------------------------------------------------------- programs and law


def test_programs_and_law_give_the_same_bound():
    vae, x = small(), binary(5)
    torch.manual_seed(1)
    loss = vae.loss()(x)
    torch.manual_seed(1)
    torch.testing.assert_close(loss, -vae.distribution().elbo(x).sum())


def test_programs_and_law_give_the_same_bound_at_the_draw():
    vae, x = small(), binary(5)
    torch.manual_seed(1)
    loss = vae.loss(pg.infer.ELBO(analytic_kl=False))(x)
    torch.manual_seed(1)
    torch.testing.assert_close(loss, -vae.distribution().elbo(x, closed_form=False).sum())


@pytest.mark.parametrize("estimator", [Trace_ELBO, TraceMeanField_ELBO])
def test_pyros_own_objectives_agree(estimator):
    vae, x = small(), binary(5)
    torch.manual_seed(1)
    theirs = estimator().differentiable_loss(vae.model, vae.guide, x)
    torch.manual_seed(1)
    ours = vae.loss(pg.infer.ELBO(analytic_kl=estimator is TraceMeanField_ELBO))(x)
    torch.testing.assert_close(ours, theirs)


def test_exact_posterior_gives_the_evidence():
    vae, x = exact(), torch.tensor([[1.0], [-0.3]])
    truth = dist.Normal(0.0, 2**0.5).log_prob(x).sum()
    torch.testing.assert_close(vae.loss(pg.infer.ELBO(analytic_kl=False))(x), -truth)
    torch.testing.assert_close(vae.distribution().iwae(x, 3).sum(), truth)


def test_part_of_the_data_weighs_as_all_of_them():
    vae, x = small(), binary(5)
    for objective in (None, pg.infer.ELBO(analytic_kl=False)):
        torch.manual_seed(1)
        batch = vae.loss(objective)(x)
        torch.manual_seed(1)
        torch.testing.assert_close(vae.loss(objective)(x, size=50), 10 * batch)
    with pytest.raises(ValueError, match="`size` must be at least the number of data, 5; got 4"):
        vae.loss()(x, size=4)


def test_pyro_sees_the_same_weight():
    vae, x = small(), binary(5)
    trace = pyro.poutine.trace(vae.model).get_trace(x, size=50)
    assert trace.nodes["x"]["scale"] == trace.nodes["z"]["scale"] == 10


# ----------------------------------------------------------------------------------------------------------------- Pyro's tools


def test_generating():
    vae = small()
    assert vae.model().shape == (1, 6)
    assert vae.model(size=4).shape == (4, 6)
    draws = Predictive(vae.model, num_samples=3)(size=4)
    assert draws["x"].shape == (3, 4, 6)
    assert draws["z"].shape == (3, 4, 2)


def test_conditioning_on_latents():
    vae, z = small(), torch.zeros(4, 2)
    trace = pyro.poutine.trace(pyro.poutine.condition(vae.model, {"z": z})).get_trace(size=4)
    torch.testing.assert_close(trace.nodes["x"]["fn"].base_dist.logits, vae.decode(z).base_dist.logits)


def test_posterior_predictive():
    vae, x = small(), binary(4)
    draws = Predictive(vae.guide, num_samples=3)(x)
    again = Predictive(vae.model, posterior_samples={"z": draws["z"]})(size=4)
    assert again["x"].shape == (3, 4, 6)


class Decoder(PyroModule):
    """The model as a user writes it."""

    def __init__(self):
        super().__init__()
        self.law = NetworkLaw(pg.nn.MLP(2, 12, hidden=(8,)), NormalElement(), event_shape=(6,), input_shape=(2,))

    def forward(self, x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", standard_normal(2))
            pyro.sample("x", self.law(z), obs=x)


class Encoder(PyroModule):
    """The guide as a user writes it: its posterior is a flow."""

    def __init__(self):
        super().__init__()
        self.flow = pg.flows.neural_spline_coupling(features=2, context_shape=(6,), layers=2, hidden=(8,))

    def forward(self, x):
        with pyro.plate("data", len(x)):
            pyro.sample("z", TransformedDistribution(standard_normal(2), self.flow.condition(x)))


def test_the_program_of_two_modules_trains_eagerly_and_compiled():
    loss = pg.infer.ELBO()(Decoder(), Encoder())
    assert len(list(loss.parameters())) > 8
    batches = pg.data.Batches(torch.randn(64, 2) @ torch.randn(2, 6), 32)
    first = pg.infer.fit(loss, batches, steps=4, progress=False).losses
    later = pg.infer.fit(
        pg.infer.compile(loss, backend="eager"), batches, lambda p: torch.optim.Adam(p, lr=1e-2), steps=60, progress=False
    )
    assert all(math.isfinite(value) for value in first)
    assert sum(later.losses[-5:]) < 0.9 * sum(first[:5])


# --------------------------------------------------------------------------------------------------------------------- contexts


@pytest.mark.parametrize("conditional_prior", [False, True])
def test_context_reaches_every_part(conditional_prior):
    prior = NetworkLaw(nn.Linear(3, 4), NormalElement(), (2,), (3,)) if conditional_prior else None
    vae = small(context_shape=(3,), prior=prior, conditional_prior=conditional_prior)
    x, c = binary(5), torch.randn(5, 3)
    torch.manual_seed(1)
    loss = vae.loss()(x, c)
    torch.manual_seed(1)
    law = vae.distribution(c)
    torch.testing.assert_close(loss, -law.elbo(x).sum())
    assert law.batch_shape == (5,)
    assert law.sample((7,)).shape == (7, 5, 6)
    assert vae.model(context=c).shape == (5, 6)
    loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in vae.parameters())
    other = vae.distribution(c + 1)
    assert not torch.allclose(other.decoder(torch.zeros(5, 2)).mean, law.decoder(torch.zeros(5, 2)).mean)
    assert torch.allclose(other.prior.mean, law.prior.mean) != conditional_prior


def test_contexts_broadcast():
    vae, x, c = small(context_shape=(3,)), binary(5), torch.eye(3)
    assert vae.distribution(c[:, None].expand(3, 5, 3)).elbo(x).shape == (3, 5)


def test_context_is_checked():
    vae, x = small(context_shape=(3,)), binary(5)
    with pytest.raises(ContextError):
        vae.loss()(x)
    with pytest.raises(ContextError):
        vae.loss()(x, torch.zeros(5, 2))
    with pytest.raises(ContextError):
        small().loss()(x, torch.zeros(5, 3))
    with pytest.raises(ValueError, match="`conditional_prior` needs a `context_shape`"):
        small(conditional_prior=True)


# ----------------------------------------------------------------------------------------------------------------------- priors


class Shifted(nn.Module):
    """A learned prior."""

    def __init__(self):
        super().__init__()
        self.mean = nn.Parameter(torch.ones(2))

    def forward(self):
        return dist.Normal(self.mean, 1.0).to_event(1)


def test_learned_prior_trains():
    vae = small(prior=Shifted())
    vae.loss()(binary(5)).backward()
    assert vae.prior.mean.grad.abs().sum() > 0


def test_flow_prior_trains_moves_and_is_saved(tmp_path):
    flow = TransformedDistribution(standard_normal(2), Affine(shape=(2,)))
    vae, x = small(prior=flow), binary(5)
    assert len(list(vae.prior_modules[0].parameters())) == 2
    vae.loss()(x).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in vae.prior_modules.parameters())
    for other in (copy.deepcopy(vae), pickle.loads(pickle.dumps(vae))):
        with torch.no_grad():
            for parameter in other.prior_modules.parameters():
                parameter.add_(1.0)
        assert not torch.equal(other.latent_law().log_prob(torch.ones(2)), vae.latent_law().log_prob(torch.ones(2)))
    pg.save(vae, tmp_path / "vae.safetensors")
    again = pg.load(tmp_path / "vae.safetensors")
    torch.testing.assert_close(again.latent_law().log_prob(torch.ones(2)), vae.latent_law().log_prob(torch.ones(2)))
    assert next(again.prior_modules.parameters()) is next(again.prior.bijector.parameters())
    assert vae.double().loss()(x.double()).dtype == torch.float64


# -------------------------------------------------------------------------------------------------------- dtypes, copies, files


def test_double_precision_and_no_data():
    vae = small().double()
    x = binary(5).double()
    assert vae.loss()(x).dtype == torch.float64
    assert vae.distribution().sample((3,)).dtype == torch.float64
    assert vae.distribution().log_prob_estimate(x, 4).value.dtype == torch.float64
    assert vae.distribution().elbo(x[:0]).shape == (0,)


def test_copies_and_files(tmp_path):
    vae, x = small(context_shape=(3,)), binary(5)
    context = torch.randn(5, 3)
    pg.save(vae, tmp_path / "vae.safetensors")
    fresh = small(context_shape=(3,))
    fresh.load_state_dict(vae.state_dict())
    expected = vae.encode(x, context).mean
    for other in (copy.deepcopy(vae), pickle.loads(pickle.dumps(vae)), pg.load(tmp_path / "vae.safetensors"), fresh):
        torch.testing.assert_close(other.encode(x, context).mean, expected)
        assert other.event_shape == (6,)


def test_compiled_step_is_the_step():
    vae, x = small(), binary(5)
    loss = vae.loss()
    compiled = pg.infer.compile(loss, backend="eager")
    for size in (None, 50):
        torch.manual_seed(1)
        expected = torch.autograd.grad(loss(x, size=size), list(vae.parameters()))
        torch.manual_seed(1)
        found = torch.autograd.grad(compiled(x, size=size), list(vae.parameters()))
        torch.testing.assert_close(found, expected)


def test_event_shape_without_the_decoders_word():
    vae = VAE(standard_normal(1), Scalar(1.0, 1.0), Scalar(0.5, 0.5))
    assert vae.event_shape == (1,)
    assert isinstance(vae.distribution(), LatentVariable)


def test_two_models_in_one_process_train_apart():
    x, first, second = binary(32), small(), small()
    kept = copy.deepcopy(first.state_dict())
    pg.infer.fit(second.loss(), [x], steps=3, progress=False)
    assert all(torch.equal(kept[name], value) for name, value in first.state_dict().items())
    before = second.loss()(x)
    pg.infer.fit(second.loss(), [x], lambda p: torch.optim.Adam(p, lr=1e-2), steps=60, progress=False)
    assert second.loss()(x) < before
    assert not list(pyro.get_param_store().keys())


@pytest.mark.parametrize(
    "objective",
    [
        pg.infer.ELBO(),
        pg.infer.ELBO(3, vectorize=True, path_derivative=True),
        pg.infer.ELBO(free_bits=pg.infer.FreeBits(0.5, per="unit")),
        pg.infer.IWAE(3),
        pg.infer.IWAE(3, "doubly_reparameterized", vectorize=False),
        pg.infer.Renyi(-1.0, 3),
        pg.infer.WakeSleep(3, "both"),
    ],
)
def test_an_empty_batch_costs_nothing(objective):
    """As `LatentVariable` gives no terms, a loss is zero, with gradients of zero, with and without a size."""
    for vae, context in ((small(), ()), (small(context_shape=(2,)), (torch.zeros(0, 2),))):
        loss = vae.loss(objective)
        for options in ({}, {"size": 9}):
            value = loss(binary(0), *context, **options)
            value.backward()
            assert value.item() == 0.0
        assert not any(p.grad.any() for p in vae.parameters() if p.grad is not None)
    pg.infer.fit(small().loss(objective), [binary(3), binary(0)], epochs=1, progress=False)


def test_nothing_is_generated_if_nothing_is_asked_for():
    assert small().model(size=0).shape == (0, 6)


def test_a_prior_of_bare_parameters_is_refused():
    with pytest.raises(ValueError, match=r"`prior` \(Independent\) is made of parameters that belong to no module"):
        VAE(dist.Normal(nn.Parameter(torch.zeros(1)), 1.0).to_event(1), Scalar(1.0, 1.0), Scalar(0.5, 0.5), event_shape=(1,))

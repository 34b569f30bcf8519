"""The variational autoencoder behind the demo's interface: a bound of the mass of integers, flat inside a cell, repeatable."""

import math

import pytest
import torch

from probgen.demo import ENTRIES, FlowModel, Settings, VAEModel, class_posterior, digits_vae, evidence_bound, load_problem
from probgen.distributions.bijectors import Affine


@pytest.fixture(scope="module")
def problem():
    return load_problem(Settings.smoke())


def small(*, conditional=False, draws=8):
    torch.manual_seed(0)
    return VAEModel(digits_vae(width=16, conditional=conditional), draws=draws).eval()


def test_it_takes_part():
    assert ENTRIES["variational autoencoder"].objective is evidence_bound


def test_the_bound_depends_on_the_cell_only_and_repeats(problem):
    model, x = small(), problem.test.x[:5]
    low, high = ((x + u) / 17 for u in (0.01, 0.99))
    state = torch.random.get_rng_state()
    assert torch.equal(model.log_prob(low), model.log_prob(high))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_bound_is_that_of_a_probability(problem):
    """The mass of an integer image is below one, so the density of its cell is below 17 to the 64."""
    assert (small().log_prob(problem.test_v[0][:20]) < 64 * math.log(17)).all()


def test_labels_matter_and_make_a_posterior(problem):
    model, v = small(conditional=True), problem.test_v[0][:4]
    a, b = (model.log_prob(v, torch.full((4,), label)) for label in (0, 1))
    assert not torch.allclose(a, b)
    assert torch.allclose(class_posterior(model, problem, v).exp().sum(-1), torch.ones(4), atol=1e-5)


def test_draws_codes_and_pictures_have_their_shapes():
    model, by_class = small(), small(conditional=True)
    label = torch.arange(3)
    assert model.sample(3).shape == by_class.sample(3, label).shape == (3, 64)
    assert model.decode(model.encode(torch.rand(3, 64))).shape == (3, 64)
    assert by_class.decode(by_class.encode(torch.rand(3, 64), label), label).shape == (3, 64)
    assert [rows.shape for rows in model.pictures().values()] == [(4, 10, 64)]
    assert by_class.pictures() == {}


def test_the_loss_is_the_negative_bound(problem):
    model, v = small(), problem.test_v[0][:50]
    loss = torch.stack([evidence_bound(model)(v) for _ in range(30)]).detach()
    bound = torch.stack([model.vae.distribution().elbo((v * 17).floor() / 8 - 1).sum() for _ in range(30)]).detach()
    spread = float((loss.var() / 30 + bound.var() / 30).sqrt())
    assert abs(float(loss.mean() + bound.mean())) < 7 * spread + 1e-3 * float(loss.mean())


def test_completions_keep_what_is_given(problem):
    model, v = small(), problem.test_v[0][:4]
    torch.manual_seed(0)
    done = model.complete(v, 3, moves=2)
    assert torch.equal(done[:, :24], v[:, :24])
    assert not torch.equal(done[:, 24:], v[:, 24:])


def test_another_model_is_refused():
    with pytest.raises(TypeError, match="VAEModel"):
        evidence_bound(FlowModel(Affine(shape=(64,)), Affine(shape=(64,))))

"""Diffusion behind the demo's interface: a bound on the mass of the integers, flat inside a cell, one noise for all classes."""

import math

import pyro
import pytest
import torch

from probgen.demo import ENTRIES, DiffusionModel, Settings, class_posterior, denoising, digits_diffusion, load_problem


@pytest.fixture(scope="module")
def problem():
    return load_problem(Settings.smoke())


@pytest.fixture
def model():
    """A small model whose last layer is not zero."""
    torch.manual_seed(0)
    model = DiffusionModel(digits_diffusion(width=8, steps=30), draws=4, steps=5)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model.eval()


def test_it_takes_part():
    entry = ENTRIES["diffusion"]
    assert entry.serves_both
    assert entry.objective is denoising


def test_the_bound_depends_on_the_cell_only_and_repeats(model, problem):
    x = problem.test.x[:5]
    low, high = ((x + u) / 17 for u in (0.01, 0.99))
    label = problem.test.labels[:5]
    assert torch.equal(model.log_prob(low, label), model.log_prob(high, label))
    state = torch.random.get_rng_state()
    assert torch.equal(model.log_prob(low, label), model.log_prob(low, label))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_no_label_is_the_null_context_and_labels_matter(model, problem):
    v = problem.test_v[0][:4]
    assert torch.equal(model.log_prob(v), model.log_prob(v, torch.full((4,), 10)))
    assert not torch.allclose(model.log_prob(v), model.log_prob(v, torch.zeros(4, dtype=torch.long)))
    posterior = class_posterior(model, problem, v)
    assert torch.allclose(posterior.exp().sum(-1), torch.ones(4), atol=1e-5)


def test_batches_of_any_shape(model):
    v = torch.rand(2, 3, 64)
    assert model.log_prob(v).shape == (2, 3)


def test_the_pyro_program_scores_the_integers_at_one_site(model, problem):
    """One random step a datum: its value is finite, its shape that of the images."""
    v, label = problem.test_v[0][:6], problem.test.labels[:6]
    trace = pyro.poutine.trace(model).get_trace(v, label)
    assert trace.nodes["x_0"]["value"].shape == (6, 1, 8, 8)
    assert math.isfinite(trace.log_prob_sum().item())


def test_draws_lie_in_the_middle_of_their_cells(model):
    torch.manual_seed(1)
    draws = model.sample(9)
    assert draws.shape == (9, 64)
    inside = draws * 17
    assert torch.allclose(inside - inside.floor(), torch.full_like(inside, 0.5), atol=1e-4)
    assert bool(((draws > 0) & (draws < 1)).all())


def test_decoding_undoes_encoding_better_with_more_steps(problem):
    torch.manual_seed(0)
    errors = []
    for steps in (4, 24):
        torch.manual_seed(0)
        model = DiffusionModel(digits_diffusion(width=8, steps=50), steps=steps).eval()
        v = problem.test_v[0][:3].clamp(0.02, 0.98)
        errors.append(float((model.decode(model.encode(v)) - v).abs().max()))
    assert errors[1] < 0.3 * errors[0]


def test_the_way_between_latents_keeps_their_length(model):
    torch.manual_seed(2)
    a, b = torch.randn(2, 64)
    middle = model.mix(a, b, torch.tensor([0.0, 0.5, 1.0]))
    assert torch.allclose(middle[0], a)
    assert torch.allclose(middle[2], b, atol=1e-6)
    assert float(middle[1].norm()) > 0.9 * min(float(a.norm()), float(b.norm()))


def test_pictures_are_pixels(model):
    torch.manual_seed(3)
    for rows in model.pictures().values():
        assert rows.shape[-1] == 64
        assert bool(((rows >= 0) & (rows <= 1)).all())


def test_training_lowers_the_loss_and_another_model_is_refused(problem):
    torch.manual_seed(0)
    model = DiffusionModel(digits_diffusion(width=8, steps=30))
    loss, optimizer = denoising(model), torch.optim.Adam(model.parameters(), lr=1e-2)
    v, label = problem.noisy(problem.train.x[:128], 0), problem.train.labels[:128]
    values = []
    for _ in range(40):
        optimizer.zero_grad()
        value = loss(v, label)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert sum(values[-5:]) < 0.8 * sum(values[:5])
    with pytest.raises(TypeError, match="DiffusionModel"):
        denoising(ENTRIES["spline coupling"].build(problem, conditional=False))

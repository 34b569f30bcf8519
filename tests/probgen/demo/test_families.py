"""Every entry builds a model that obeys the interface: density, draws, encoding; unconditional and by class."""

import math

import pyro
import pytest
import torch

from probgen.demo import DIGITS, ENTRIES, Entry, ImageModel, Settings, entries_for, load_problem, maximum_likelihood

EXACT = [name for name, entry in ENTRIES.items() if entry.objective is maximum_likelihood]


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("name", EXACT)
def test_exact_densities(name, conditional):
    problem = load_problem(Settings.smoke())
    assert isinstance(ENTRIES[name], Entry)
    model = ENTRIES[name].build(problem, conditional=conditional).eval()
    assert isinstance(model, ImageModel)
    assert model.kind == "exact"
    label = problem.test.labels[:7] if conditional else None
    v = problem.test_v[0][:7]
    draws = model.sample(7, label)
    assert draws.shape == (7, 64)
    assert bool(((draws >= 0) & (draws <= 1)).all())
    assert torch.allclose(model.decode(model.encode(v, label), label), v, atol=1e-4)
    trace = pyro.poutine.trace(model).get_trace(v, label)
    cells = 0.0 if model.dequantized else len(v) * DIGITS.num_pixels * math.log(DIGITS.levels)
    expected = model.log_prob(v, label).sum() - cells
    assert torch.allclose(trace.log_prob_sum(), expected, rtol=1e-4)
    loss = maximum_likelihood(model)(v, label) if conditional else maximum_likelihood(model)(v)
    assert math.isclose(loss.item(), -float(expected), rel_tol=1e-4)


@pytest.fixture(scope="module")
def large():
    return load_problem(Settings.smoke("fashion-mnist"))


@pytest.mark.parametrize("name", ["Glow", "PixelCNN", "variational autoencoder", "diffusion", "adversarial network"])
def test_larger_images_get_one_convolutional_model_a_family(large, name):
    entries = entries_for(large)
    assert sorted(entry.family for entry in entries.values()) == sorted({entry.family for entry in ENTRIES.values()})
    torch.manual_seed(0)
    model = entries[name].build(large, conditional=entries[name].serves_both).eval()
    assert any(parameter.dim() == 4 for parameter in model.parameters())
    draws = model.sample(2)
    assert draws.shape == (2, 784)
    assert 0 <= float(draws.min()) <= float(draws.max()) <= 1
    if model.kind != "none":
        assert bool(model.log_prob(large.test_v[0][:2]).isfinite().all())


def test_an_unknown_family_says_what_is_missing():
    with pytest.raises(NotImplementedError):
        ImageModel().log_prob(torch.zeros(1, 64))

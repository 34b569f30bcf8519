"""Every entry builds a model that obeys the interface: density, draws, encoding; unconditional and by class."""

import math

import pyro
import pytest
import torch

from probgen.demo import ENTRIES, LEVELS, PIXELS, DigitModel, Entry, Settings, load_problem, maximum_likelihood

EXACT = [name for name, entry in ENTRIES.items() if entry.objective is maximum_likelihood]


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("name", EXACT)
def test_exact_densities(name, conditional):
    problem = load_problem(Settings.smoke())
    assert isinstance(ENTRIES[name], Entry)
    model = ENTRIES[name].build(problem, conditional=conditional).eval()
    assert isinstance(model, DigitModel)
    assert model.kind == "exact"
    label = problem.test.labels[:7] if conditional else None
    v = problem.test_v[0][:7]
    draws = model.sample(7, label)
    assert draws.shape == (7, 64)
    assert bool(((draws >= 0) & (draws <= 1)).all())
    assert torch.allclose(model.decode(model.encode(v, label), label), v, atol=1e-4)
    trace = pyro.poutine.trace(model).get_trace(v, label)
    cells = 0.0 if model.dequantized else len(v) * PIXELS * math.log(LEVELS)  # a program of integers gives the masses of cells
    expected = model.log_prob(v, label).sum() - cells
    assert torch.allclose(trace.log_prob_sum(), expected, rtol=1e-4)
    loss = maximum_likelihood(model)(v, label) if conditional else maximum_likelihood(model)(v)
    assert math.isclose(loss.item(), -float(expected), rel_tol=1e-4)


def test_an_unknown_family_says_what_is_missing():
    with pytest.raises(NotImplementedError):
        DigitModel().log_prob(torch.zeros(1, 64))

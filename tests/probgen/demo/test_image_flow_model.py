"""Glow behind the demo's interface: started from data, exact, with pictures that begin and end at real images."""

import copy
import math

import pytest
import torch

from probgen.data import load_digits, slant
from probgen.demo import DIGITS, ENTRIES, Settings, glow_model, load_problem, maximum_likelihood


@pytest.fixture(scope="module")
def problem():
    return load_problem(Settings.smoke())


def moved(problem, *, conditional):
    """As if trained a little: the couplings are no longer the identity."""
    torch.manual_seed(0)
    model = glow_model(problem, conditional=conditional).eval()
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model


@pytest.fixture(scope="module")
def model(problem):
    return moved(problem, conditional=False)


@pytest.fixture(scope="module")
def by_class(problem):
    return moved(problem, conditional=True)


def first(digits, labels):
    found = digits.labels.tolist()
    return digits.x[[found.index(label) for label in labels]].flatten(1).float()


def integers(v):
    return (v * 17).floor()


def test_it_takes_part():
    entry = ENTRIES["Glow"]
    assert entry.objective is maximum_likelihood
    assert not entry.serves_both


@pytest.mark.parametrize("conditional", [False, True])
def test_it_starts_from_data(problem, conditional):
    torch.manual_seed(0)
    model = glow_model(problem, conditional=conditional)
    v, label = problem.noisy(problem.train.x[:256], 0), problem.train.labels[:256] if conditional else None
    z = model.encode(v, label)
    assert abs(float(z.mean())) < 1e-3
    assert abs(float(z.square().mean()) - 1) < 0.2  # channels that leave early are mixed with others after their normalization


def test_the_density_is_the_change_of_variables(problem, model, by_class):
    v, label = problem.test_v[0][0].double(), problem.test.labels[:1]
    for found, context in ((model, None), (by_class, label)):
        double = copy.deepcopy(found.bijector).double()
        flow = double if context is None else double.condition(DIGITS.one_hot(context[0]).double())
        log_slope = torch.func.jacrev(flow.inverse)(v).slogdet().logabsdet
        normal = -0.5 * (flow.inverse(v).square().sum() + 64 * math.log(2 * math.pi))
        assert float(found.log_prob(v[None].float(), context)[0]) == pytest.approx(
            float((normal + log_slope).detach()), abs=1e-2
        )


def test_labels_matter(problem, by_class):
    v = problem.test_v[0][:4]
    a, b = (by_class.log_prob(v, torch.full((4,), label)) for label in (0, 1))
    assert not torch.allclose(a, b)


def test_temperatures_scale_one_latent(model, by_class):
    torch.manual_seed(3)
    rows = next(iter(model.pictures().values()))
    torch.manual_seed(3)
    z = torch.randn(10, 64)
    assert rows.shape == (6, 10, 64)
    torch.testing.assert_close(rows[0], model.decode(torch.zeros(1, 64)).clamp(0, 1).expand(10, 64))
    torch.testing.assert_close(rows[2], model.decode(0.5 * z).clamp(0, 1))
    torch.testing.assert_close(rows[5], model.decode(z).clamp(0, 1))
    (rows,) = by_class.pictures().values()
    torch.testing.assert_close(rows[0], by_class.decode(torch.zeros(10, 64), torch.arange(10)).clamp(0, 1))


def test_the_vector_of_slant_adds_slant_and_without_strength_nothing_moves(model):
    *_, rows = model.pictures().values()
    assert rows.shape == (5, 9, 64)
    assert torch.equal(integers(rows[:, 4]), first(load_digits().test, (0, 1, 4, 7, 9)))
    lean = slant(integers(rows).reshape(-1, 1, 8, 8) / 8 - 1).reshape(5, 9)
    assert bool((lean[:, -1] > lean[:, 4]).all())
    assert bool((lean[:, 4] > lean[:, 0]).all())

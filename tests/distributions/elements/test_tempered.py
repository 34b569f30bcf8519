"""Tempered elements: digits of the reference, closed forms, masses one."""

import math

import pytest
import torch

from probgen.distributions import Autoregressive, OneHotEmbedding, Quantization
from probgen.distributions.elements import (
    BernoulliElement,
    CategoricalElement,
    ContinuousBernoulliElement,
    DiscretizedLogisticElement,
    DiscretizedLogisticMixtureElement,
    DiscretizedNormalElement,
    NormalElement,
    TemperedElement,
)
from probgen.distributions.elements.tables import Table, as_table, with_log_masses
from probgen.nn import MADE

LOGITS = torch.tensor([0.5, 0.25, 0.15, 0.1], dtype=torch.float64).log()
LEVELS = Quantization(6, 0.0, 1.0)


@pytest.mark.parametrize(
    ("temperature", "wanted"),
    [(0.5, (0.724638, 0.181159, 0.065217, 0.028986)), (2.0, (0.370090, 0.261693, 0.202707, 0.165509))],
)
def test_known_digits(temperature, wanted):
    law = TemperedElement(CategoricalElement(4), temperature)(LOGITS)
    torch.testing.assert_close(law.probs, torch.tensor(wanted, dtype=torch.float64), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "element",
    [
        BernoulliElement(),
        CategoricalElement(6),
        CategoricalElement(LEVELS),
        DiscretizedLogisticElement(LEVELS),
        DiscretizedNormalElement(LEVELS),
        DiscretizedLogisticMixtureElement(LEVELS, 3, channels=None),
    ],
    ids=lambda element: type(element).__name__,
)
def test_finite_laws_are_powers_with_mass_one(element):
    torch.manual_seed(0)
    params = torch.randn(5, element.num_parameters, dtype=torch.float64)
    tempered = TemperedElement(element, 0.7)(params)
    values = tempered.enumerate_support()
    before, after = element(params).log_prob(values), tempered.log_prob(values)
    torch.testing.assert_close(after.logsumexp(0), torch.zeros(5, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(after, (before / 0.7).log_softmax(0), atol=1e-10, rtol=0)
    table = as_table(element(params))
    assert isinstance(table, Table)
    torch.testing.assert_close(table.log_probs.movedim(-1, 0), before, atol=1e-10, rtol=0)
    torch.testing.assert_close(with_log_masses(table, table.log_probs).log_probs, table.log_probs)
    assert as_table(element(params[:0])).batch_shape == (0,)


@pytest.mark.parametrize(("element", "low", "high"), [(NormalElement(), -30.0, 30.0), (ContinuousBernoulliElement(), 0.0, 1.0)])
def test_densities_are_powers_with_mass_one(element, low, high):
    torch.manual_seed(0)
    params = torch.randn(element.num_parameters, dtype=torch.float64)
    grid = torch.linspace(low, high, 20_001, dtype=torch.float64)
    before, after = element(params).log_prob(grid), TemperedElement(element, 2.5)(params).log_prob(grid)
    assert float(torch.trapezoid(after.exp(), grid)) == pytest.approx(1, abs=1e-6)
    difference = after - before / 2.5
    assert float(difference.max() - difference.min()) < 1e-9


def test_the_law_of_an_event_has_tempered_conditionals_and_mass_one():
    torch.manual_seed(0)
    p = Autoregressive(
        MADE(3, 4, num_inputs=4, hidden=(16,)).double(), (3,), CategoricalElement(4), embedding=OneHotEmbedding(4)
    )
    states = p.enumerate_support()
    tempered = p.tempered(0.5)
    assert abs(tempered.log_prob(states).exp().sum() - 1) < 1e-12
    params = p.network(p._seen(states)).log_softmax(-1)
    wanted = (2 * params).log_softmax(-1).gather(-1, states.unsqueeze(-1)).squeeze(-1).sum(-1)
    torch.testing.assert_close(tempered.log_prob(states), wanted)
    joint = (2 * p.log_prob(states)).log_softmax(0)
    assert (tempered.log_prob(states) - joint).abs().max() > 1e-4  # not the tempered joint law
    torch.testing.assert_close(p.tempered(1.0).log_prob(states), p.log_prob(states))
    assert tempered.sample((5,)).shape == (5, 3)
    gradient = torch.autograd.grad(tempered.log_prob(states).sum(), p.network.layers[0].weight)[0]
    assert gradient.isfinite().all()


@pytest.mark.parametrize("element", [BernoulliElement(), CategoricalElement(4), DiscretizedLogisticElement(LEVELS)])
def test_the_coldest_law_takes_the_mode(element):
    torch.manual_seed(0)
    numbers = torch.randn(5, element.num_parameters)
    cold = TemperedElement(element, 1e-30)(numbers)
    values = cold.enumerate_support()
    mode = values.gather(0, element(numbers).log_prob(values).argmax(0, keepdim=True))
    assert torch.equal(cold.log_prob(mode).abs(), torch.zeros(1, 5))
    assert torch.equal(cold.sample((3,)), mode.expand(3, 5))


def test_what_cannot_be_tempered_is_refused():
    with pytest.raises(ValueError, match=r"`temperature` must be positive and lie in .*; got 0"):
        TemperedElement(BernoulliElement(), 0.0)
    with pytest.raises(ValueError, match="got 1e-40"):  # in float32 nothing but NaN
        TemperedElement(BernoulliElement(), 1e-40)
    with pytest.raises(ValueError, match="got inf"):
        TemperedElement(BernoulliElement(), math.inf)
    with pytest.raises(TypeError, match="DiscretizedLogisticMixtureElement has not"):
        TemperedElement(DiscretizedLogisticMixtureElement(LEVELS, 3, channels=3), 2.0)

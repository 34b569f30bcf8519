"""Any law's modules are found, moved and copied with it."""

import copy

import pytest
import torch
from torch import nn

import probgen as pg
from probgen.distributions import ImplicitDistribution, TransformedDistribution, standard_normal
from probgen.infer.adversarial.law_module import LawModule


def test_a_flow_on_a_flow_is_found_whole():
    bijector = pg.flows.neural_spline_coupling(features=2, layers=2, hidden=(4,))
    inner = TransformedDistribution(standard_normal(2), bijector)
    law = ImplicitDistribution(inner, nn.Linear(2, 2), (2,))
    expected = [*law.generator.parameters(), *bijector.parameters()]
    assert {id(parameter) for parameter in LawModule(law).parameters()} == {id(parameter) for parameter in expected}


def test_a_copy_is_a_law_of_its_own():
    law = LawModule(ImplicitDistribution(standard_normal(2), nn.Linear(2, 2), (2,)))
    other = copy.deepcopy(law).double()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert other().sample((3,)).abs().sum() == 0
    assert other().sample((3,)).dtype == torch.float64
    assert law().sample((3,)).abs().sum() > 0


def test_a_context_is_bound():
    law = LawModule(ImplicitDistribution(standard_normal(2), nn.Bilinear(2, 1, 2), (2,), context_shape=(1,)))
    assert law(torch.zeros(5, 1)).batch_shape == (5,)


def test_a_module_that_returns_no_distribution_is_named():
    with pytest.raises(TypeError, match="`law` must return a distribution; it returned Tensor"):
        LawModule(nn.Identity())(torch.zeros(3, 2))

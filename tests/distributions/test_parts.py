"""The parts of a distribution: each found once, none forgotten."""

import pyro.distributions as dist
import pytest
import torch
from torch import nn

import probgen as pg
from probgen.distributions import ImplicitDistribution, TransformedDistribution, standard_normal
from probgen.distributions._parts import parts_of, trainable_modules
from probgen.distributions.bijectors import Affine


def test_a_flow_on_a_flow_is_found_whole():
    bijector = pg.flows.neural_spline_coupling(features=2, layers=2, hidden=(4,))
    inner = TransformedDistribution(standard_normal(2), bijector)
    law = ImplicitDistribution(inner, nn.Linear(2, 2), (2,))
    assert {id(part) for part in parts_of(law, nn.Module)} == {id(law.generator), id(bijector)}


def test_what_is_used_twice_is_one_part():
    shift = Affine(shape=(2,))
    law = TransformedDistribution(TransformedDistribution(standard_normal(2), shift), shift)
    assert parts_of(law, nn.Module) == [shift]


def test_parameters_of_no_module_are_refused_unless_a_module_of_the_law_has_them():
    network = nn.Linear(2, 2)
    law = ImplicitDistribution(dist.Normal(network.bias, 1.0).to_event(1), network, (2,))
    assert list(trainable_modules(law, "law")) == [network]
    other = ImplicitDistribution(dist.Normal(nn.Parameter(torch.zeros(2)), 1.0).to_event(1), network, (2,))
    with pytest.raises(ValueError, match=r"`law` \(ImplicitDistribution\) is made of parameters that belong to no module"):
        trainable_modules(other, "law")

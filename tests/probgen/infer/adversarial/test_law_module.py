"""Any law's modules are found, moved and copied with it."""

import copy

import pyro.distributions as dist
import pytest
import torch
from torch import nn

from probgen.distributions import ImplicitDistribution, standard_normal
from probgen.infer.adversarial.law_module import LawModule


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


def test_what_is_not_a_law_is_refused():
    with pytest.raises(TypeError, match="`law` must be a distribution or a module that returns one; got int"):
        LawModule(1)
    loc = nn.Parameter(torch.zeros(2))
    with pytest.raises(ValueError, match=r"`law` \(ImplicitDistribution\) is made of parameters that belong to no module"):
        LawModule(ImplicitDistribution(dist.Normal(loc, 1.0).to_event(1), nn.Linear(2, 2), (2,)))

"""The module that gives an autoregressive law: trained, saved, and in the place of a decoder."""

import copy

import pytest
import torch

import probgen as pg
from probgen.distributions import AutoregressiveLaw, LatentVariable, standard_normal
from probgen.distributions.elements import BernoulliElement, NetworkLaw, NormalElement
from probgen.nn import MADE


def test_it_is_a_module_whose_call_is_the_law():
    model = AutoregressiveLaw(MADE(4, 1, hidden=(8,)), (2, 2), BernoulliElement())
    assert model.context_shape is None
    assert set(model.state_dict()) == {f"network.layers.{k}.{name}" for k in (0, 1) for name in ("weight", "bias")}
    twin = copy.deepcopy(model).double()
    x = model().sample((3,))
    torch.testing.assert_close(model().log_prob(x), twin().log_prob(x.double()).float())


def test_it_decodes_latents():
    decoder = AutoregressiveLaw(MADE(6, 1, hidden=(8,), context_features=2), (6,), BernoulliElement())
    encoder = NetworkLaw(pg.nn.MLP(6, 4), NormalElement(), event_shape=(2,), input_shape=(6,))
    law = LatentVariable(standard_normal(2), decoder, encoder, event_shape=(6,))
    x = law.sample((5,))
    assert x.shape == (5, 6)
    assert law.elbo(x).shape == (5,)


def test_what_does_not_fit_is_refused_when_it_is_made():
    with pytest.raises(ValueError, match="must have 6 positions"):
        AutoregressiveLaw(MADE(4, 1, hidden=(8,)), (6,), BernoulliElement())

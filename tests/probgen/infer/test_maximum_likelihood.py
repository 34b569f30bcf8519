"""Maximum likelihood of a law: the sum is what Pyro's program with one site costs, and a compiled step is the same."""

import pyro
import pytest
import torch
from pyro.nn import PyroModule

from probgen.distributions import AutoregressiveLaw
from probgen.distributions.elements import BernoulliElement
from probgen.infer import ELBO, MaximumLikelihood, compile
from probgen.nn import MADE


def law_by_class():
    torch.manual_seed(0)
    return AutoregressiveLaw(MADE(9, 1, hidden=(16,), context_features=3), (3, 3), BernoulliElement()).double()


class Program(PyroModule):
    """The law at one site."""

    def __init__(self, law):
        super().__init__()
        self.law = law

    def forward(self, x, context):
        with pyro.plate("data", len(x)):
            pyro.sample("x", self.law(context), obs=x)


def test_it_is_the_elbo_of_the_one_site_program():
    law = law_by_class()
    x, context = (torch.rand(7, 3, 3) < 0.5).double(), torch.randn(7, 3).double()
    elbo = ELBO()(Program(law))(x, context)
    torch.testing.assert_close(MaximumLikelihood(law, reduction="sum")(x, context), elbo, rtol=0, atol=1e-10)
    torch.testing.assert_close(MaximumLikelihood(law)(x, context), elbo / 7, rtol=0, atol=1e-10)


def test_gradients_are_those_of_the_elbo():
    law = law_by_class()
    x, context = (torch.rand(7, 3, 3) < 0.5).double(), torch.randn(7, 3).double()
    parameters = list(law.parameters())
    expected = torch.autograd.grad(ELBO()(Program(law))(x, context), parameters)
    found = torch.autograd.grad(MaximumLikelihood(law, reduction="sum")(x, context), parameters)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_compiled_it_is_the_same_for_every_batch_size():
    law = law_by_class()
    loss = MaximumLikelihood(law)
    quick = compile(loss, backend="eager")
    for n in (4, 4, 6):
        x, context = (torch.rand(n, 3, 3) < 0.5).double(), torch.randn(n, 3).double()
        torch.testing.assert_close(quick(x, context), loss(x, context), rtol=0, atol=1e-10)


def test_one_player_owns_all_parameters():
    loss = MaximumLikelihood(law_by_class())
    assert list(loss.players) == ["model"]
    assert len(loss.players["model"].parameters) == len(list(loss.law.parameters()))


def test_an_empty_batch_costs_nothing():
    law = law_by_class()
    assert MaximumLikelihood(law)(torch.zeros(0, 3, 3).double(), torch.zeros(0, 3).double()).item() == 0


def test_unknown_reductions_are_refused():
    with pytest.raises(ValueError, match="`reduction` must be 'mean' or 'sum'; got 'none'"):
        MaximumLikelihood(law_by_class(), reduction="none")

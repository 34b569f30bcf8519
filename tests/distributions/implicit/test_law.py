"""A generator and its noise as a module."""

import copy

import pytest
import torch

from probgen.distributions import ImplicitLaw, standard_normal


def law():
    return ImplicitLaw(standard_normal(2), torch.nn.Bilinear(2, 3, 4), (4,), context_shape=(3,))


def test_it_gives_the_law_of_a_context():
    d = law()(torch.zeros(5, 3))
    assert d.batch_shape == (5,)
    assert d.rsample((2,)).shape == (2, 5, 4)


def test_its_state_is_the_generators():
    first, second = law(), law()
    second.load_state_dict(first.state_dict())
    context = torch.ones(5, 3)
    torch.manual_seed(1)
    expected = first(context).sample()
    for twin in (second, copy.deepcopy(first)):
        torch.manual_seed(1)
        assert torch.equal(twin(context).sample(), expected)
    assert first.double()(context.double()).sample().dtype == torch.float64


def test_a_function_is_no_module():
    with pytest.raises(TypeError, match=r"`generator` must be a torch\.nn\.Module; got function"):
        ImplicitLaw(standard_normal(2), lambda z: z, (2,))

"""Elementwise maps whose parameters come from the context."""

import pytest
import torch
from torch import nn

from probgen.distributions.bijectors import Affine, ConditionalElementwise, Exp, SumOfSquares
from probgen.distributions.bijectors._conditioning import flat_context
from probgen.nn import MLP


def test_the_map_is_the_formula():
    conditioner = nn.Linear(2, 6)
    f = ConditionalElementwise(Affine(), conditioner, context_shape=(2,), event_shape=(3,))
    x, context = torch.randn(5, 3), torch.randn(5, 2)
    raw = conditioner(context).reshape(5, 3, 2)
    scale = torch.exp(torch.log(torch.tensor(1e3)) * torch.tanh(raw[..., 1] / torch.log(torch.tensor(1e3))))
    y, log_det = f.forward_and_log_det(x, context)
    assert torch.allclose(y, raw[..., 0] + scale * x, atol=1e-5)
    assert torch.allclose(log_det, scale.log().sum(-1), atol=1e-5)
    assert f.constant_log_det


def test_context_and_value_broadcast():
    f = ConditionalElementwise(Affine(), MLP(4, 2, hidden=(8,)), context_shape=(2, 2))
    y, log_det = f.forward_and_log_det(torch.randn(7, 1), torch.randn(5, 2, 2))
    assert y.shape == log_det.shape == (7, 5)
    assert flat_context(torch.zeros(0, 2, 2), (2, 2)).shape == (0, 4)


def test_the_sets_are_those_of_the_element():
    with pytest.raises(ValueError, match="free parameters"):
        ConditionalElementwise(Exp(), nn.Linear(1, 1), context_shape=(1,))
    f = ConditionalElementwise(Affine(), nn.Linear(1, 2), context_shape=(1,))
    assert f.domain.event_dim == 0
    with pytest.raises(ValueError, match="needs a context"):
        f(torch.zeros(3))


def test_it_is_as_fast_as_its_element():
    element = SumOfSquares()
    assert ConditionalElementwise(element, nn.Linear(2, element.num_free), (2,)).fast_direction == "forward"
    assert ConditionalElementwise(Affine(), nn.Linear(2, 2), (2,)).fast_direction == "both"

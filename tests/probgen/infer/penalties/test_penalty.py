"""The abstract class and its two tools."""

import pytest
import torch

from probgen.infer import Penalty
from probgen.infer.penalties.penalty import event_norm, gradient_at


def test_gradient_of_each_example_is_its_own():
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(gradient_at(lambda x: (x**3).sum((1, 2)), x), 3 * x**2)


def test_gradient_of_several_outputs_is_that_of_their_sum():
    x = torch.randn(4, 3, dtype=torch.float64)
    matrix = torch.randn(3, 6, dtype=torch.float64)
    gradient = gradient_at(lambda x: (x @ matrix).reshape(-1, 1, 2, 3), x)
    torch.testing.assert_close(gradient, matrix.sum(1).expand(4, 3))


def test_gradient_leaves_nothing_on_the_events():
    x = torch.randn(4, 3, requires_grad=True)
    weight = torch.ones(3, requires_grad=True)
    gradient_at(lambda x: (x**2) @ weight, x).sum().backward()
    assert x.grad is None
    torch.testing.assert_close(weight.grad, 2 * x.detach().sum(0))


def test_norm_is_of_the_event_and_flat_at_zero():
    x = torch.zeros(3, 2, 2, requires_grad=True)
    event_norm(x).sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))
    assert torch.equal(event_norm(torch.tensor([-2.0, 3.0])), torch.tensor([2.0, 3.0]))
    assert event_norm(torch.zeros(0, 2, 2)).shape == (0,)


def test_terms_are_abstract():
    with pytest.raises(NotImplementedError):
        Penalty(1.0)(lambda x: x, torch.zeros(2), torch.zeros(2))

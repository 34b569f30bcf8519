"""Elementwise bijectors: where the parameters come from, how they broadcast, what is refused."""

import pytest
import torch
from torch import nn

from probgen.distributions.bijectors import Affine, Elementwise, Exp
from probgen.distributions.testing import validation


def test_free_parameters_start_at_the_identity_and_learn():
    f = Affine(shape=(3,))
    x = torch.randn(5, 3)
    assert torch.equal(f(x), x)
    assert sorted(name for name, _ in f.named_parameters()) == ["raw_loc", "raw_scale"]
    f(x).sum().backward()
    assert all(p.grad is not None for p in f.parameters())


def test_given_values_are_buffers_unless_they_are_parameters():
    learnable = nn.Parameter(torch.tensor(2.0))
    f = Affine(loc=1.0, scale=learnable)
    assert [name for name, _ in f.named_buffers()] == ["loc"]
    assert f.scale is learnable
    assert f(torch.tensor(3.0)) == 7.0


def test_parameters_broadcast_with_the_batch():
    f = Affine(loc=torch.zeros(4, 1), scale=torch.ones(3))
    assert f(torch.zeros(3)).shape == (4, 3)
    assert f.forward_shape((2, 1, 1)) == (2, 4, 3)
    assert f.forward_log_det_jacobian(torch.zeros(())).shape == (4, 3)


def test_a_conditioner_emits_the_free_parameters_only():
    f = Affine(scale=2.0)
    assert f.num_free == 1
    element = f.as_element()
    assert not list(element.parameters())
    x, raw = torch.randn(5), torch.randn(5, 1)
    value, log_derivative = element.element_forward(x, raw)
    assert torch.allclose(value, raw[:, 0] + 2 * x)
    assert torch.allclose(log_derivative, torch.full((5,), 2.0).log())
    back, _ = element.element_inverse(value, raw)
    assert torch.allclose(back, x, atol=1e-5)
    assert torch.equal(element.element_forward_value(x, raw), value)
    assert torch.equal(element.element_inverse_value(value, raw), back)
    assert [name for name, _ in f.named_parameters()] == ["raw_loc"]  # the original keeps its own


def test_errors_name_the_parameter():
    with pytest.raises(TypeError, match=r"Exp declares the parameters \[\]; got \['rate'\]"):
        Elementwise.__init__(Exp.__new__(Exp), rate=1.0)
    with validation(enabled=True), pytest.raises(ValueError, match="`scale` must satisfy"):
        Affine(loc=0.0, scale=-1.0)


def test_an_element_without_hooks_says_so():
    class Empty(Elementwise):
        pass

    with pytest.raises(NotImplementedError, match="Empty does not define `_element_forward`"):
        Empty()(torch.ones(2))
    with pytest.raises(NotImplementedError, match="Empty does not define `_element_inverse`"):
        Empty().inverse(torch.ones(2))

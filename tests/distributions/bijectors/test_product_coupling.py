"""Coupling of blocks on different sets."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import constraints

from probgen.distributions.bijectors import Affine, CircularSpline, ProductCoupling, embedding_size
from probgen.distributions.constraints import circular, product, unit_sphere
from probgen.nn import MLP

DOMAIN = product((constraints.real, 2), (circular, 1), (unit_sphere, 3))


def coupling():
    torch.manual_seed(0)
    return ProductCoupling(Affine(), MLP(embedding_size(DOMAIN, 0), 4, hidden=(8,)), DOMAIN, 0)


def test_the_network_sees_both_ends_of_the_circle_as_one_point():
    f = coupling()
    x = torch.tensor([[0.3, -1.0, angle, 0.6, 0.0, 0.8] for angle in (-math.pi, math.pi)])
    y = f(x)
    torch.testing.assert_close(y[0, :2], y[1, :2], rtol=1e-5, atol=1e-6)
    assert torch.equal(y[:, 2:], x[:, 2:])
    assert not torch.allclose(y[:, :2], x[:, :2])


def test_the_support_is_the_product():
    assert repr(coupling().codomain) == repr(DOMAIN)
    assert embedding_size(DOMAIN, 1) == 5


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`index`"):
        ProductCoupling(Affine(), nn.Identity(), DOMAIN, 3)
    with pytest.raises(ValueError, match="`element`"):
        ProductCoupling(CircularSpline(), nn.Identity(), DOMAIN, 0)
    with pytest.raises(TypeError, match="Elementwise"):
        ProductCoupling("affine", nn.Identity(), DOMAIN, 0)
    with pytest.raises(ValueError, match="4 numbers"):
        ProductCoupling(Affine(), nn.Linear(5, 3), DOMAIN, 0)(torch.eye(6)[5:])

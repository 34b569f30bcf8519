"""Activations of slope one at most; steeper ones are refused."""

import pytest
import torch
from torch import nn

from probgen.nn import LipschitzMLP, LipSwish
from probgen.nn.lipschitz.activations import require_one_lipschitz


@pytest.mark.parametrize("beta", [1e-2, 1.0, 50.0])
def test_slope_is_at_most_one_for_every_beta(beta):
    activation = LipSwish(beta).double()
    x = torch.linspace(-30, 30, 100_001, dtype=torch.float64) / beta
    slope = torch.func.vmap(torch.func.grad(activation))(x).detach()
    assert slope.max() == pytest.approx(0.99986, abs=2e-5)
    assert slope.min() == pytest.approx(-0.0908, abs=1e-3)


@pytest.mark.parametrize("activation", [nn.Tanh(), nn.CELU(), nn.ELU(), nn.Softplus(), nn.ReLU(), LipSwish()])
def test_known_activations_pass(activation):
    assert require_one_lipschitz(activation) is activation


@pytest.mark.parametrize("activation", [nn.SiLU, nn.GELU, nn.Mish, lambda: nn.ELU(2.0), lambda: nn.LeakyReLU(3.0)])
def test_steep_activations_are_refused(activation):
    with pytest.raises(ValueError, match="slopes of at most one"):
        LipschitzMLP(2, activation=activation)


def test_beta_must_be_positive():
    with pytest.raises(ValueError, match="`beta` must be positive"):
        LipSwish(0.0)

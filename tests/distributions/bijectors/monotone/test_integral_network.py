"""Integrals of positive networks: against scipy's quadrature, and of what exactly the log-derivative is taken."""

import numpy as np
import pytest
import scipy.integrate
import torch

from probgen.distributions.bijectors import IntegralNetwork
from probgen.distributions.testing import REGIMES


def built(regime="strong", **given):
    torch.manual_seed(0)
    return REGIMES[regime].apply(IntegralNetwork(**given))


def slope_of(f, x):
    """The integrand times the scale, with the map's own signal."""
    signal, _, scale = f._own_values()
    return (scale * f.integrand(x, signal)).detach()


@pytest.mark.parametrize("x", [-7.0, -2.3, 0.4, 5.0, 9.0])
def test_with_enough_nodes_the_value_is_the_integral(x):
    f = built(nodes=12).double()
    expected, _ = scipy.integrate.quad(
        lambda t: float(slope_of(f, torch.tensor(t, dtype=torch.float64))), 0.0, x, epsabs=1e-12, epsrel=1e-12, limit=200
    )
    with torch.no_grad():
        got = float(f(torch.tensor(x, dtype=torch.float64)) - f(torch.zeros((), dtype=torch.float64)))
    assert abs(got - expected) < 1e-9


@pytest.mark.parametrize(("nodes", "largest"), [(6, 1e-6), (8, 1e-7)])
def test_the_interpolant_is_the_integrand_up_to(nodes, largest):
    f = built(nodes=nodes).double()
    x = torch.linspace(-8, 8, 1001, dtype=torch.float64)
    with torch.no_grad():
        gap = (f.forward_and_log_det(x)[1] - slope_of(f, x).log()).abs().max()
    assert gap < largest


def test_value_and_log_det_agree_also_where_the_interpolation_has_not_converged():
    f = built(cells=2, nodes=2).double()
    f.network.first.weight.data[:, 0] *= 4  # a rough integrand for four nodes in all
    x = torch.linspace(-4.9, 4.9, 400, dtype=torch.float64).requires_grad_()
    y, log_slope = f.forward_and_log_det(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert (slope - slope_of(f, x.detach())).abs().max() > 1e-3  # the network's own value would be wrong
    torch.testing.assert_close(log_slope, slope.log(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(f.inverse(y), x, rtol=1e-9, atol=1e-9)


def test_narrow_modes_are_learned_without_losing_the_map():
    """A quadrature of the network falls somewhere: its loss was no number from step 112 on."""
    torch.manual_seed(0)
    f = IntegralNetwork((64, 64, 64))
    data = torch.cat([0.05 * torch.randn(2000) - 1.0, 0.3 * torch.randn(2000) + 0.5, 0.2 * torch.rand(1000) + 2.0])
    data = (data - data.mean()) / data.std()
    optimizer = torch.optim.Adam(f.parameters(), 3e-3)
    for _ in range(300):
        z, log_slope = f.forward_and_log_det(data[torch.randint(len(data), (256,))])
        loss = (z.square() / 2 - log_slope).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        f, x = f.double(), torch.linspace(-6, 6, 20_001, dtype=torch.float64)
        y, log_slope = f.forward_and_log_det(x)
        mass = torch.trapezoid((-0.5 * y.square() + log_slope).exp(), x) / (2 * torch.pi) ** 0.5
    assert loss < -0.3  # of a normal law it is 0.5
    assert bool((y.diff() > 0).all())
    assert abs(mass - 1) < 1e-3


def test_one_signal_for_many_points_and_one_for_each_are_the_same_map():
    f = built(shape=(3,)).double()
    x = torch.randn(50, 3, dtype=torch.float64) * 3
    together = torch.stack([torch.cat(f.forward_and_log_det(row)) for row in x])
    torch.testing.assert_close(together, torch.cat(f.forward_and_log_det(x), -1))


@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
def test_inverts_at_every_scale_and_at_the_knots(scale):
    """Where zuko's integral flow returns plus or minus ten, and torchflows' leaves its bracket of a hundred."""
    f = built(shape=(6,))
    x = torch.cat([scale * torch.randn(60, 6), torch.linspace(-5, 5, 17)[:, None].expand(-1, 6)])
    torch.testing.assert_close(f.inverse(f(x)), x, rtol=1e-5, atol=1e-5)


def test_beyond_the_bound_it_is_a_straight_line():
    f = built("moderate").double()
    x = torch.tensor([5.0, 6.0, 7.0, 1e3], dtype=torch.float64)
    y = f(x).detach().numpy()
    assert np.allclose(np.diff(y) / np.diff(x.numpy()), (y[1] - y[0]))


def test_rejects_bad_arguments():
    with pytest.raises(ValueError, match="`cells` must be even and positive"):
        IntegralNetwork(cells=3)
    with pytest.raises(ValueError, match="`hidden` and `signal` must be positive"):
        IntegralNetwork(hidden=())

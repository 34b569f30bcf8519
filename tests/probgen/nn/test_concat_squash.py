"""The field of FFJORD: its divergence in closed form against automatic differentiation, its times, its contexts."""

import pytest
import torch

from probgen.distributions._checks import ContextError
from probgen.distributions.numerics.divergence import exact_divergence
from probgen.nn import ConcatSquashConv, ConcatSquashMLP, TimeGate


@pytest.mark.parametrize("hidden", [(), (5,), (5, 7), (5, 7, 6)])
@pytest.mark.parametrize("activation", ["tanh", "softplus", "silu"])
@pytest.mark.parametrize("context_shape", [None, (2,)])
@pytest.mark.parametrize("one_time", [True, False])
def test_divergence_equals_automatic_differentiation(hidden, activation, context_shape, one_time):
    torch.manual_seed(0)
    network = ConcatSquashMLP(3, hidden=hidden, activation=activation, context_shape=context_shape).double()
    x = torch.randn(4, 3, dtype=torch.float64)
    context = () if context_shape is None else (torch.randn(4, 2, dtype=torch.float64),)
    t = torch.tensor(0.3, dtype=torch.float64) if one_time else torch.rand(4, 1, dtype=torch.float64)
    velocity, divergence = network.velocity_and_divergence(t, x, *context)
    expected, trace = exact_divergence(lambda points: network(t, points, *context), x)
    assert torch.allclose(velocity, expected, rtol=0, atol=1e-14)
    assert torch.allclose(divergence, trace, rtol=0, atol=1e-13)
    assert divergence.shape == (4,)


def test_gradients_of_the_divergence_are_those_of_the_derivative():
    """The closed form is differentiated once, the derivative twice."""
    torch.manual_seed(0)
    network, t = ConcatSquashMLP(3, hidden=(6, 5)).double(), torch.tensor(0.3, dtype=torch.float64)
    x = torch.randn(4, 3, dtype=torch.float64)
    parameters = list(network.parameters())
    closed = torch.autograd.grad(network.velocity_and_divergence(t, x)[1].sin().sum(), parameters, allow_unused=True)
    traced = torch.autograd.grad(exact_divergence(lambda p: network(t, p), x)[1].sin().sum(), parameters, allow_unused=True)
    for one, other, parameter in zip(closed, traced, parameters, strict=True):
        zeros = torch.zeros_like(parameter)
        assert torch.allclose(zeros if one is None else one, zeros if other is None else other, atol=1e-13)


@pytest.mark.parametrize("make", [lambda: ConcatSquashMLP(3, hidden=(6,)), lambda: ConcatSquashConv(3, hidden=(6,))])
def test_rows_have_times_of_their_own(make):
    torch.manual_seed(0)
    network = make().double()
    x = torch.randn(4, 3, *(() if isinstance(network, ConcatSquashMLP) else (4, 5)), dtype=torch.float64)
    t = torch.rand(4, *(1,) * (x.dim() - 1), dtype=torch.float64)
    together = network(t, x)
    alone = torch.cat([network(t[i].reshape(()), x[i : i + 1]) for i in range(4)])
    assert torch.allclose(together, alone, atol=1e-14)
    assert (network(t.flip(0), x) - together).abs().max() > 1e-3


def test_time_moves_every_gate_and_context_only_inner_ones():
    torch.manual_seed(0)
    gate, shift = TimeGate(5, context_features=2, gated_by_context=False)(torch.tensor(0.5), torch.randn(7, 2))
    assert (gate.shape, shift.shape) == ((1, 5), (7, 5))
    assert bool(((gate > 0) & (gate < 1)).all())


@pytest.mark.parametrize("network", [ConcatSquashMLP(2, hidden=(4,), context_shape=(3,))])
def test_contexts_are_asked_for(network):
    with pytest.raises(ContextError, match="needs a context"):
        network(torch.tensor(0.0), torch.zeros(5, 2))
    with pytest.raises(ContextError, match="takes no context"):
        ConcatSquashMLP(2)(torch.tensor(0.0), torch.zeros(5, 2), torch.zeros(5, 3))


def test_errors_name_what_came():
    with pytest.raises(ValueError, match=r"`features` and `hidden` must be positive; got 0 and \(64, 64\)"):
        ConcatSquashMLP(0)
    with pytest.raises(ValueError, match=r"`activation` must be one of \['silu', 'softplus', 'tanh'\]; got 'relu'"):
        ConcatSquashMLP(2, activation="relu")
    with pytest.raises(ValueError, match="`kernel_size` odd; got 1, \\(8,\\) and 2"):
        ConcatSquashConv(1, hidden=(8,), kernel_size=2)
    with pytest.raises(ValueError, match="`features` must be positive"):
        TimeGate(0)

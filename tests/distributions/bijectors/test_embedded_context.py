"""EmbeddedContext: one run of the network for all layers, batches of contexts, errors."""

import pytest
import torch
from torch import nn

from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import ActNorm, Affine, Compose, ConditionalElementwise, EmbeddedContext, Exp


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.calls = nn.Linear(6, 4), 0

    def forward(self, context):
        self.calls += 1
        assert context.shape[1:] == (2, 3)
        return self.linear(context.flatten(1))


def _layer():
    return ConditionalElementwise(Affine(), nn.Linear(4, 4), context_shape=(4,), event_shape=(2,))


def test_the_network_runs_once_for_all_layers():
    network = Counting()
    inner = Compose(_layer(), _layer(), _layer())
    f = EmbeddedContext(inner, network, (2, 3))
    x, context = torch.randn(5, 2), torch.randn(7, 1, 2, 3)
    y, log_det = f.forward_and_log_det(x, context)
    assert network.calls == 1
    embedded = network.linear(context.flatten(-2))
    expected = inner.forward_and_log_det(x, embedded)
    torch.testing.assert_close(y, expected[0])
    torch.testing.assert_close(log_det, expected[1])
    assert y.shape == (7, 5, 2)


def test_the_network_learns():
    network = Counting()
    f = EmbeddedContext(_layer(), network, (2, 3))
    f.forward_and_log_det(torch.randn(5, 2), torch.randn(5, 2, 3))[1].sum().backward()
    assert network.linear.weight.grad.abs().sum() > 0


def test_a_flow_starts_from_data_through_it():
    f = EmbeddedContext(Compose(_layer(), ActNorm((2,))), Counting(), (2, 3))
    y, context = 5 + 2 * torch.randn(200, 2), torch.randn(200, 2, 3)
    f.initialize_from(y, context)
    torch.testing.assert_close(f.base[-1].loc, y.mean(0))


def test_errors_say_what_came():
    f = EmbeddedContext(_layer(), nn.Sequential(nn.Flatten(), nn.Linear(6, 5)), (2, 3))
    with pytest.raises(ValueError, match=r"must give contexts \[N, 4\]; got \(5, 5\)"):
        f(torch.zeros(5, 2), torch.zeros(5, 2, 3))
    with pytest.raises(ContextError, match=r"trailing shape \(2, 3\)"):
        f(torch.zeros(5, 2), torch.zeros(5, 3))
    with pytest.raises(ValueError, match="takes none"):
        EmbeddedContext(Exp(), nn.Identity(), (2,))


def test_refuses_what_is_no_bijector():
    with pytest.raises(TypeError, match="`base` of EmbeddedContext must be a Bijector; got Linear"):
        EmbeddedContext(nn.Linear(2, 2), nn.Identity(), (2,))


def test_starting_from_data_sees_the_embedded_context():
    torch.manual_seed(0)
    told = ConditionalElementwise(Affine(), nn.Linear(4, 2), context_shape=(4,))
    f = EmbeddedContext(Compose(ActNorm((3,)), told), nn.Linear(2, 4), (2,))
    y, context = 5.0 + torch.randn(40, 3), torch.randn(40, 2)
    f.initialize_from(y, context)
    z = f.inverse(y, context)
    torch.testing.assert_close(z.mean(0), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(3), rtol=0, atol=1e-3)

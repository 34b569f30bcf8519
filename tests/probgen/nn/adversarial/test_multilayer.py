"""Perceptrons as generators and critics: events of any shape, and what they refuse."""

import pytest
import torch

from probgen.distributions._checks import ContextError
from probgen.nn import ClassConditioning, MLPCritic, MLPGenerator


@pytest.mark.parametrize("event_shape", [(), (3,), (1, 8, 8)])
def test_events_of_any_shape(event_shape):
    x = MLPGenerator(event_shape, 4)(torch.randn(5, 4))
    assert x.shape == (5, *event_shape)
    assert MLPCritic(event_shape)(x).shape == (5, 1)
    assert MLPCritic(event_shape)(x[:0]).shape == (0, 1)


def test_the_output_is_applied():
    assert MLPGenerator((2,), 4, output=torch.nn.Tanh())(100 * torch.randn(9, 4)).abs().max() <= 1


def test_what_does_not_fit_is_named():
    labels = ClassConditioning(3, features=2)
    with pytest.raises(ValueError, match=r"`noise` of MLPGenerator must be \[N, 4\]; got \(3, 5\)"):
        MLPGenerator((2,), 4)(torch.zeros(3, 5))
    with pytest.raises(ValueError, match=r"`x` of MLPCritic must be \[N, 2, 3\]; got \(3, 6\)"):
        MLPCritic((2, 3))(torch.zeros(3, 6))
    with pytest.raises(ContextError, match="MLPCritic needs a context"):
        MLPCritic((2,), conditioning=labels)(torch.zeros(3, 2))
    with pytest.raises(ContextError, match="MLPGenerator takes no context"):
        MLPGenerator((2,), 4)(torch.zeros(3, 4), torch.zeros(3))

"""Networks that see angles as points of the circle."""

import math

import pytest
import torch

from probgen.nn import MADE, MLP, Periodic, PeriodicIncremental


def test_turns_do_not_matter_and_other_inputs_pass():
    torch.manual_seed(0)
    network = Periodic(MLP(5, 2, hidden=(8,)), angles=2)
    x = torch.randn(4, 3, dtype=torch.float32)
    turned = x + torch.tensor([2 * math.pi, -4 * math.pi, 0.0])
    torch.testing.assert_close(network(x), network(turned), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(network(x), network(x + torch.tensor([0.0, 0.0, 1.0])))


def test_incremental_networks_of_angles():
    torch.manual_seed(0)
    network = PeriodicIncremental(MADE(3, 2, num_inputs=2, hidden=(8,)))
    x = torch.randn(4, 3)
    torch.testing.assert_close(network(x), network(x + 2 * math.pi), rtol=1e-4, atol=1e-5)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`angles`"):
        Periodic(MLP(2, 2), angles=-1)
    with pytest.raises(ValueError, match="`network`"):
        PeriodicIncremental(MADE(3, 2))

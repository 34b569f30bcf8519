"""Skip connections."""

import torch

from probgen.nn import MLP, Skip


def test_input_goes_around_the_network():
    network = MLP(3, 3, hidden=(8,), context_features=2)
    x, context = torch.randn(5, 3), torch.randn(5, 2)
    torch.testing.assert_close(Skip(network)(x, context), x + network(x, context))


def test_without_further_inputs_and_without_rows():
    assert Skip(torch.nn.Linear(3, 3))(torch.zeros(0, 3)).shape == (0, 3)

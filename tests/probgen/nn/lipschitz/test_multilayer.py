"""Lipschitz networks: the constant holds after training that fights it, the function is the same in every mode."""

import copy
import math
import pickle

import pytest
import torch

from probgen.distributions._checks import ContextError
from probgen.nn import LipschitzConv2d, LipschitzConvNet, LipschitzLinear, LipschitzMLP

CASES = {
    "perceptron": (lambda: LipschitzMLP(4, hidden=(16, 16), lipschitz=0.9), (4,)),
    "perceptron with context": (lambda: LipschitzMLP(4, hidden=(8,), lipschitz=0.9, context_features=(3,)), (4,)),
    "convolutions": (lambda: LipschitzConvNet((2, 3, 4), channels=6, lipschitz=0.9), (2, 3, 4)),
    "convolutions with context": (
        lambda: LipschitzConvNet((1, 4, 4), channels=4, kernels=(3, 3), lipschitz=0.9, context_shape=(3,)),
        (1, 4, 4),
    ),
}


def built(name):
    torch.manual_seed(0)
    make, event = CASES[name]
    network = make()
    x = torch.randn(6, *event)
    context = None if network.context_shape is None else torch.randn(6, *network.context_shape)
    return network, x, context


def jacobian_norms(network, x, context):
    """Spectral norms of the network's Jacobians at the rows, in float64."""
    wide = copy.deepcopy(network).double()
    function = wide.bind(None if context is None else context.double())
    matrix = torch.autograd.functional.jacobian(lambda v: function(v).sum(0), x.double()).movedim(-x.dim(), 0)
    return torch.linalg.matrix_norm(matrix.reshape(len(x), x[0].numel(), x[0].numel()), 2)


@pytest.mark.parametrize("name", sorted(CASES))
def test_constant_holds_after_training_that_stretches(name):
    """Training maximizes |g(x) - g(x')|: the network comes close to its constant and does not pass it."""
    network, x, context = built(name)
    direction = torch.randn_like(x)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for _ in range(60):
        function = network.bind(context)
        loss = -(function(x + 1e-2 * direction) - function(x)).square().sum()
        optimizer.zero_grad()
        (1e4 * loss).backward()
        optimizer.step()
    largest = jacobian_norms(network, x, context).max()
    assert 0.3 < largest <= 0.9
    assert max(layer.weight.detach().flatten(1).norm() for layer in network.layers) > 1.5  # the weights themselves went far
    far, function = x + 3 * torch.randn_like(x), network.bind(context)
    change = function(far) - function(x)
    assert (change.flatten(1).norm(dim=1) <= 0.9 * (far - x).flatten(1).norm(dim=1)).all()


@pytest.mark.parametrize("name", sorted(CASES))
def test_no_state_but_parameters(name):
    network, x, context = built(name)
    arguments = (x,) if context is None else (x, context)
    assert not list(network.buffers())
    expected = network(*arguments)
    assert torch.equal(network.eval()(*arguments), expected)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(100.0)  # a jump, after which a power iteration would need many steps
    assert jacobian_norms(network, x, context).max() <= 0.9
    assert torch.equal(pickle.loads(pickle.dumps(network))(*arguments), network(*arguments))


@pytest.mark.parametrize("name", sorted(CASES))
def test_bind_is_the_network(name):
    network, x, context = built(name)
    arguments = (x,) if context is None else (x, context)
    assert torch.equal(network.bind(context)(x), network(*arguments))
    assert network(*(a[:0] for a in arguments)).shape == x[:0].shape


def test_context_is_asked_for():
    network, x, _ = built("perceptron with context")
    with pytest.raises(ContextError, match="needs a context"):
        network(x)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LipschitzMLP(0),
        lambda: LipschitzMLP(2, lipschitz=0.0),
        lambda: LipschitzLinear(2, 2, lipschitz=-1.0),
        lambda: LipschitzConvNet((4, 4)),
        lambda: LipschitzConv2d(1, 1, kernel=2, size=(4, 4)),
    ],
)
def test_wrong_settings_are_refused(make):
    with pytest.raises(ValueError, match="must be"):
        make()


def test_the_layers_share_the_constant():
    for network, count in ((LipschitzMLP(3, hidden=(4, 4), lipschitz=0.5), 3), (LipschitzConvNet((1, 4, 4), lipschitz=0.5), 3)):
        shares = [layer.lipschitz for layer in network.layers]
        assert len(shares) == count
        assert math.prod(shares) == pytest.approx(0.5)

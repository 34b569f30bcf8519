"""Layered maps: autograd as oracle for products with the transposed Jacobian, and for their derivatives."""

import pytest
import torch

from probgen.distributions.numerics.layered_map import LayeredMap
from probgen.distributions.numerics.log_det_series import log_det_series, shrinking_log_det_series
from probgen.distributions.numerics.random_truncation import RandomTruncation
from probgen.nn import LipschitzConvNet, LipschitzMLP


def made(kind):
    torch.manual_seed(0)
    if kind == "vectors":
        return LipschitzMLP(3, hidden=(8, 6), context_features=2).double(), (4, 3), torch.randn(4, 2, dtype=torch.float64)
    network = LipschitzConvNet((2, 3, 4), channels=5, context_shape=(2,)).double()
    return network, (4, 2, 3, 4), torch.randn(4, 2, dtype=torch.float64)


@pytest.mark.parametrize("kind", ["vectors", "images"])
def test_products_and_their_gradients_are_autograd_s(kind):
    network, shape, context = made(kind)
    x, probes = torch.randn(2, *shape, dtype=torch.float64)
    function = network.bind(context)
    results = []
    for layered in (True, False):
        point = x.clone().requires_grad_()
        if layered:
            value, jacobian = function.linearized(point)
            product = jacobian(probes)
        else:
            value = network(point, context)
            (product,) = torch.autograd.grad(value, point, probes, create_graph=True)
        loss = (value.sin() + product.cos()).sum()
        wanted = [point, *network.parameters()]
        found = torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True, materialize_grads=True)
        results.append([value, product, *found])
    for left, right in zip(*results, strict=True):
        assert torch.allclose(left, right, atol=1e-12)
    assert results[0][2].abs().max() > 0.01


@pytest.mark.parametrize("kind", ["vectors", "images"])
def test_many_probes_at_once_and_parts_of_a_batch(kind):
    network, shape, context = made(kind)
    x = torch.randn(shape, dtype=torch.float64)
    value, jacobian = network.bind(context).linearized(x)
    assert torch.equal(value, network(x, context))
    probes = torch.randn(5, *shape, dtype=torch.float64)
    assert torch.allclose(jacobian(probes), torch.stack([jacobian(probe) for probe in probes]), atol=1e-14)
    order = torch.tensor([2, 0, 3, 1])
    some = jacobian.ordered(order).first(2)(probes[0, order[:2]])
    assert torch.allclose(some, jacobian(probes[0])[order[:2]], atol=1e-14)


def test_an_activation_without_a_formula_is_said():
    assert not LipschitzMLP(3, activation=torch.nn.Tanh).bind(None).has_slopes
    assert LipschitzMLP(3).bind(None).has_slopes
    assert LayeredMap((torch.sin,), (torch.sin,), ()).has_slopes


@pytest.mark.parametrize("kind", ["geometric", "poisson"])
def test_a_shrinking_batch_has_the_same_sums(kind):
    """Every row keeps its own number of terms, also none at all."""
    network, shape, context = made("vectors")
    jacobian = network.bind(context).linearized(torch.randn(shape, dtype=torch.float64))[1]
    probes, law = torch.randn(1, *shape, dtype=torch.float64), RandomTruncation(0, kind, 0.7)
    for terms in ([[3, 0, 7, 3]], [[0, 0, 0, 0]], [[1, 2, 3, 4]]):
        with torch.no_grad():
            whole = log_det_series(jacobian, probes, torch.tensor(terms), law)
            parts = shrinking_log_det_series(jacobian, probes, torch.tensor(terms), law)
        for left, right in zip(whole, parts, strict=True):
            assert torch.allclose(left, right, atol=1e-13)

"""Divergences: exact against Jacobians on any event, estimates unbiased with the variance that theory gives."""

import math

import pytest
import torch
from torch import nn

from probgen.distributions.numerics.divergence import (
    coordinate_probes,
    draw_probes,
    exact_divergence,
    hutchinson_divergence,
    jacobian_products,
)


def matrix_field(features=4, seed=0):
    matrix = torch.randn(features, features, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return matrix, lambda x: x @ matrix.T


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("event", [(), (1,), (5,), (2, 3), (1, 4, 4), (3, 2, 2)])
@pytest.mark.parametrize("chunk_size", [None, 1, 3])
def test_exact_divergence_is_the_trace_of_the_jacobian(event, chunk_size):
    """Image-shaped events, too: a well-known peer raises an IndexError on them."""
    torch.manual_seed(1)
    size = math.prod(event)
    net = nn.Sequential(nn.Linear(size, 7), nn.Tanh(), nn.Linear(7, size)).double()

    def function(x):
        return net(x.reshape(len(x), size)).reshape(x.shape)

    x = torch.randn(6, *event, dtype=torch.float64)
    value, divergence = exact_divergence(function, x, len(event), chunk_size=chunk_size)
    jacobians = torch.stack([torch.func.jacrev(lambda v: function(v[None])[0])(row).reshape(size, size) for row in x])
    assert torch.equal(value, function(x))
    assert divergence.shape == (6,)
    assert torch.allclose(divergence, jacobians.diagonal(dim1=1, dim2=2).sum(-1), atol=1e-12)


def test_products_with_all_coordinates_are_the_jacobian():
    matrix, function = matrix_field()
    x = torch.zeros(2, 4, dtype=torch.float64)
    value, products = jacobian_products(function, x, coordinate_probes(x, 1))
    assert torch.equal(value, x)
    assert torch.allclose(products[:, 0], matrix)


def test_convolution_on_images():
    torch.manual_seed(0)
    net = nn.Conv2d(2, 2, 3, padding=1).double()
    x = torch.randn(3, 2, 5, 5, dtype=torch.float64)
    divergence = exact_divergence(net, x, 3)[1]
    center = net.weight[:, :, 1, 1]
    assert torch.allclose(divergence, 25 * (center[0, 0] + center[1, 1]).expand(3), atol=1e-10)


def test_any_batch_and_no_batch():
    matrix, function = matrix_field()
    for batch in ((), (3,), (2, 3), (0,), (2, 0)):
        value, divergence = exact_divergence(function, torch.ones(*batch, 4, dtype=torch.float64))
        assert value.shape == (*batch, 4)
        assert torch.allclose(divergence, matrix.trace().expand(batch))


def test_hutchinson_is_summed_over_the_event_not_averaged():
    """For a diagonal Jacobian every sign probe gives the trace itself: D times too small would show at once."""
    x = torch.randn(5, 1, 8, 8, dtype=torch.float64, generator=generator())
    probes = draw_probes(2, x.shape, dtype=torch.float64, generator=generator(1))
    estimates = hutchinson_divergence(lambda v: v**3, x, probes, 3)[1]
    expected = (3 * x**2).sum((1, 2, 3))
    assert estimates.shape == (2, 5)
    assert torch.allclose(estimates, expected.expand(2, 5))


@pytest.mark.parametrize("kind", ["rademacher", "gaussian"])
@pytest.mark.statistical(false_alarm=2e-9)
def test_hutchinson_is_unbiased_with_the_variance_of_theory(kind):
    """A CLT test of the mean: detects a bias of 3 % of one probe's standard deviation."""
    matrix, function = matrix_field()
    count = 40_000
    x = torch.zeros(1, 4, dtype=torch.float64)
    probes = draw_probes(count, x.shape, kind, dtype=torch.float64, generator=generator(2))
    estimates = hutchinson_divergence(function, x, probes)[1][:, 0]
    symmetric = (matrix + matrix.T) / 2
    off = symmetric - torch.diag(symmetric.diagonal()) if kind == "rademacher" else symmetric
    variance = 2 * off.square().sum()
    limit = 6.2 * float((variance / count).sqrt())  # two-sided 6e-10
    assert abs(float(estimates.mean() - matrix.trace())) < limit
    assert float(estimates.var() / variance) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("kind", ["rademacher", "gaussian"])
def test_probes_are_reproducible_and_leave_the_global_state(kind):
    before = torch.random.get_rng_state()
    first, second = (draw_probes(3, (5, 2), kind, generator=generator(7)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (3, 5, 2)
    assert torch.equal(before, torch.random.get_rng_state())


def test_derivatives_reach_parameters_and_points():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    divergence = exact_divergence(net, x)[1].sum()
    grads = torch.autograd.grad(divergence, [x, *net.parameters()], allow_unused=True)
    hidden = torch.tanh(net[0](x))
    closed = ((1 - hidden.square()) @ (net[2].weight.mT * net[0].weight).sum(-1)).sum()
    expected = torch.autograd.grad(closed, [x, *net.parameters()], allow_unused=True)
    for got, wanted in zip(grads, expected, strict=True):
        wanted = torch.zeros(()) if wanted is None else wanted
        assert torch.allclose(torch.zeros(()).double() if got is None else got, wanted.double(), atol=1e-12)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_result_is_the_same_where_nothing_is_recorded(mode):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    x = torch.randn(4, 3, dtype=torch.float64)
    expected = exact_divergence(net, x)
    with mode():
        for given in (x, x.clone()):
            got = exact_divergence(net, given)
            assert not any(tensor.requires_grad for tensor in got)
            assert all(torch.allclose(a, b) for a, b in zip(got, expected, strict=True))
        constant = exact_divergence(torch.ones_like, x)
    assert torch.equal(constant[1], torch.zeros(4, dtype=torch.float64))


def test_errors_name_what_came():
    with pytest.raises(ValueError, match=r"`function` must keep the shape \(3, 2\); it gave \(3, 1\)"):
        exact_divergence(lambda x: x[:, :1], torch.zeros(3, 2))
    with pytest.raises(ValueError, match="`num_probes` must be at least 1; got 0"):
        draw_probes(0, (2,))
    with pytest.raises(ValueError, match="`kind` must be 'rademacher' or 'gaussian'; got 'uniform'"):
        draw_probes(1, (2,), "uniform")

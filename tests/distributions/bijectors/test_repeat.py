"""Layers with stacked parameters: the map of the layers one by one, drawn independently, compiled once."""

import copy
import pickle
import random

import pytest
import torch
from torch import nn
from torch.distributions import Distribution
from torch.distributions.transforms import AffineTransform

from probgen.distributions.bijectors import (
    ActNorm,
    Affine,
    Compose,
    Coupling,
    Exp,
    LULinear,
    Permutation,
    Repeat,
    freeze,
    half_mask,
)
from probgen.flows import neural_spline_coupling
from probgen.nn import MLP


def _flow(count: int = 3, **options: bool) -> Repeat:
    torch.manual_seed(0)
    return Repeat(lambda: neural_spline_coupling(3, layers=2, context_shape=(2,), hidden=(8,)), count, **options)


def _small(count: int) -> Repeat:
    """A layer that compiles quickly."""
    torch.manual_seed(0)
    return Repeat(lambda: Coupling(Affine(), nn.Linear(1, 2), half_mask(2)), count)


def test_it_is_the_composition_of_its_layers() -> None:
    """Values, log-determinants and gradients, in both directions."""
    flow = _flow().double()
    x, context = torch.randn(5, 3).double(), torch.randn(5, 2).double()
    layers = flow.unstacked()
    assert len(layers) == 2 * len(flow)
    for direction in ("forward_and_log_det", "inverse_and_log_det"):
        got, expected = getattr(flow, direction)(x, context), getattr(layers, direction)(x, context)
        assert torch.allclose(got[0], expected[0])
        assert torch.allclose(got[1], expected[1])
        grads = torch.autograd.grad(got[1].sum(), list(flow.parameters()))
        single = torch.autograd.grad(expected[1].sum(), list(layers.parameters()))
        total = sum(float(g.square().sum()) for g in grads)
        assert total == pytest.approx(sum(float(g.square().sum()) for g in single))


def test_layers_start_independently() -> None:
    """Each layer is drawn anew; permutations may differ, too."""
    flow = Repeat(lambda: Permutation.random(6) >> LULinear(6, start="rotation"), 4)
    orders, weights = flow.base[0].order, flow.base[1].below
    assert orders.shape == (4, 6)
    assert len({tuple(order.tolist()) for order in orders}) > 1
    assert not torch.equal(weights[0], weights[1])
    assert {name: value.shape[0] for name, value in flow.state_dict().items()}.keys() == flow.state_dict().keys()


def test_recomputed_activations_give_the_same_gradients() -> None:
    """As in ``Compose``; what is kept does not grow with the number of layers."""
    flow, x, context = _flow(6).double(), torch.randn(5, 3).double(), torch.randn(5, 2).double()
    found = []
    for flow.reversible in (False, True):
        found.append(torch.autograd.grad(flow.inverse_and_log_det(x, context)[1].sum(), list(flow.parameters())))
    assert all(torch.allclose(a, b) for a, b in zip(*found, strict=True))


def test_one_program_serves_every_layer() -> None:
    """The compiler runs once for a direction, whatever the depth; validation stays on; copies compile anew."""
    programs = []

    def backend(graph, inputs):
        programs.append(graph)
        return graph

    x, before = torch.randn(5, 2), Distribution._validate_args
    for count in (2, 9):
        flow, start = _small(count), len(programs)
        expected = flow.inverse_and_log_det(x)
        got = flow.compile_layers(backend=backend).inverse_and_log_det(x)
        assert torch.allclose(got[0], expected[0], atol=1e-5)
        assert torch.allclose(got[1], expected[1], atol=1e-5)
        assert len(programs) == start + 1
    assert Distribution._validate_args == before
    assert torch.allclose(copy.deepcopy(flow).inverse_and_log_det(x)[0], expected[0], atol=1e-5)
    assert len(programs) == 3


@pytest.mark.slow
def test_compiled_layers_train() -> None:
    """Forward and backward programs from ``aot_eager``, with and without recomputation."""
    x, flow = torch.randn(5, 2), _small(3)
    expected = torch.autograd.grad(flow.inverse_and_log_det(x)[1].sum(), list(flow.parameters()))
    flow.compile_layers(backend="aot_eager")
    for flow.reversible in (False, True):
        got = torch.autograd.grad(flow.inverse_and_log_det(x)[1].sum(), list(flow.parameters()))
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(got, expected, strict=True))
    assert isinstance(pickle.loads(pickle.dumps(flow)), Repeat)


def test_tied_tensors_stay_tied() -> None:
    """One conditioner in two couplings of a layer: one stacked tensor."""

    def make() -> Compose:
        network = MLP(1, 2, hidden=(4,))
        return Compose(Coupling(Affine(), network, half_mask(2)), Coupling(Affine(), network, half_mask(2, flip=True)))

    flow = Repeat(make, 3)
    assert flow.base[0].conditioner is flow.base[1].conditioner
    assert len(list(flow.parameters())) == len(list(make().parameters()))
    x = torch.randn(4, 2)
    assert torch.allclose(flow.inverse(flow(x)), x, atol=1e-5)


def test_shapes_follow_one_layer() -> None:
    """A per-coordinate affine map widens the batch as one layer does."""
    flow = Repeat(lambda: Affine(shape=(3,)), 4)
    assert flow.forward_shape((5, 1)) == (5, 3)
    assert flow(torch.zeros(5, 1)).shape == (5, 3)
    assert Repeat(lambda: ActNorm((2, 1, 1)), 2)(torch.zeros(3, 2, 4, 4)).shape == (3, 2, 4, 4)


def test_what_cannot_be_stacked_is_refused() -> None:
    """No layers, another codomain, layers of different kinds."""
    with pytest.raises(ValueError, match="`count` must be at least 1"):
        Repeat(lambda: LULinear(2), 0)
    with pytest.raises(ValueError, match="from a set onto itself; got Exp"):
        Repeat(Exp, 2)
    flips = iter((False, True))
    with pytest.raises(ValueError, match="layer 1 differs"):
        Repeat(lambda: Coupling(Affine(), nn.Linear(1, 2), half_mask(2, flip=next(flips))), 2)
    widths = iter((4, 5))
    with pytest.raises(ValueError, match="layer 1 differs"):
        Repeat(lambda: Coupling(Affine(), MLP(1, 2, hidden=(next(widths),)), half_mask(2)), 2)
    with pytest.raises(ValueError, match="must leave layers of 3"):
        _flow().unstacked(3)


def test_activations_and_functions_do_not_count_as_differences() -> None:
    """Objects that hold no plain values are compared by kind only."""
    random.seed(0)
    flow = Repeat(lambda: neural_spline_coupling(2, layers=2, hidden=(4,), activation=nn.Tanh), 2)
    assert len(flow) == 2


def test_many_layers_are_undone_in_reverse():
    torch.manual_seed(0)
    flow = Repeat(lambda: LULinear(3, start="rotation"), 7)
    x = torch.randn(5, 3)
    torch.testing.assert_close(flow.inverse(flow(x)), x, rtol=1e-4, atol=1e-4)


def test_layers_that_decrease_take_turns():
    assert [Repeat(lambda: AffineTransform(0.0, -2.0), count).sign for count in (1, 2, 3)] == [-1, 1, -1]


def test_copies_of_resting_layers_rest():
    flow = freeze(Repeat(lambda: LULinear(3), 2))
    assert not any(parameter.requires_grad for parameter in flow.unstacked().parameters())

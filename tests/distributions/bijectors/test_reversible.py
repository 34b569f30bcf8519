"""Activations recomputed from outputs: exact gradients, constant memory, and what keeps its input instead."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from probgen.distributions.bijectors import (
    Affine,
    Bijector,
    Compose,
    Coupling,
    FactorOut,
    LULinear,
    Planar,
    Reshape,
    SplitCoupling,
    Squeeze,
    half_mask,
)
from probgen.distributions.bijectors._reversible import Stage
from probgen.flows import masked_autoregressive_flow, neural_spline_coupling, real_nvp

DIRECTIONS = ("forward_and_log_det", "inverse_and_log_det", "forward", "inverse")


class _Pointwise(nn.Module):
    """A conditioner of images."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(inputs, 8, 1), nn.Tanh(), nn.Conv2d(8, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def _images() -> Bijector:
    """Two scales, from 16 numbers to an image [1, 4, 4]."""
    coarse = Compose(Reshape((8,), (2, 2, 2)), SplitCoupling(Affine(), _Pointwise(1, 2), sizes=(1, 1)))
    fine = SplitCoupling(Affine(), _Pointwise(2, 4), sizes=(2, 2))
    return Compose(FactorOut(coarse, (2, 2, 2)), fine, Squeeze((2, 2)).inv)


FLOWS: dict[str, Callable[[], Bijector]] = {
    "splines, context": lambda: neural_spline_coupling(4, layers=4, context_shape=(2,), hidden=(16,)),
    "autoregressive": lambda: masked_autoregressive_flow(4, layers=3, hidden=(16,)),
    "dropout": lambda: real_nvp(4, layers=4, hidden=(16,), dropout=0.5),
    "iterative": lambda: Compose(Planar(4), LULinear(4), Planar(4), Reshape((4,), (2, 2))),
    "images": _images,
}


def _loss(flow: Bijector, direction: str, value: Tensor, context: Tensor | None) -> Tensor:
    """A scalar that weighs every output differently; the same random numbers each time."""
    torch.manual_seed(1)
    found = getattr(flow, direction)(value, context)
    outputs = found if isinstance(found, tuple) else (found,)
    return torch.stack([output.sin().sum() for output in outputs]).sum()


def _setting(name: str, direction: str, dtype: torch.dtype) -> tuple[Bijector, Tensor, Tensor | None]:
    torch.manual_seed(0)
    flow = FLOWS[name]().to(dtype)
    shape = flow.domain_shape if direction.startswith("f") else flow.codomain_shape
    value = torch.randn(8, *shape, dtype=dtype, requires_grad=True)
    context = None if flow.context_shape is None else torch.randn(8, *flow.context_shape, dtype=dtype, requires_grad=True)
    return flow, value, context


def _leaves(flow: Bijector, value: Tensor, context: Tensor | None) -> list[Tensor]:
    return [value, *([] if context is None else [context]), *flow.parameters()]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", FLOWS)
def test_gradients_are_those_of_the_plain_composition(name: str, direction: str) -> None:
    """Of the input, the context and all parameters, in float64 and to 1e-5 in float32."""
    for dtype, tolerance in ((torch.float64, 1e-11), (torch.float32, 1e-5)):
        flow, value, context = _setting(name, direction, dtype)
        leaves = _leaves(flow, value, context)
        expected = torch.autograd.grad(_loss(flow, direction, value, context), leaves, allow_unused=True)
        flow.reversible = True
        got = torch.autograd.grad(_loss(flow, direction, value, context), leaves, allow_unused=True)
        for a, b in zip(got, expected, strict=True):
            a, b = (torch.zeros(()) if g is None else g for g in (a, b))
            assert float((a - b).abs().max()) <= tolerance * (1 + float(b.abs().max()))


@pytest.mark.parametrize("name", FLOWS)
def test_second_derivatives_are_exact(name: str) -> None:
    """Double backward runs the plain composition from its start."""
    flow, value, context = _setting(name, "inverse_and_log_det", torch.float64)
    found = []
    for reversible in (False, True):
        flow.reversible = reversible
        loss = _loss(flow, "inverse_and_log_det", value, context)
        (grad,) = torch.autograd.grad(loss, value, create_graph=True)
        found.append(torch.autograd.grad(grad.square().sum(), [value, *flow.parameters()], allow_unused=True))
    for a, b in zip(*found, strict=True):
        assert (a is None) == (b is None)
        assert a is None or torch.allclose(a, b)


def _saved_bytes(flow: Bijector, value: Tensor) -> int:
    """What autograd keeps until the way back, besides the parameters."""
    storages = {}

    def pack(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        held = flow.inverse_and_log_det(value)
    own = {parameter.untyped_storage().data_ptr() for parameter in flow.parameters()}
    assert held[0].requires_grad
    return sum(size for pointer, size in storages.items() if pointer not in own)


def test_memory_does_not_grow_with_depth() -> None:
    """Activations of 4 and 16 layers: four times as much plain, no more with recomputation."""
    value = torch.randn(64, 4)
    sizes = {
        (layers, reversible): _saved_bytes(Compose(real_nvp(4, layers=layers, hidden=(32,)), reversible=reversible), value)
        for layers in (4, 16)
        for reversible in (False, True)
    }
    assert sizes[16, False] > 3.5 * sizes[4, False]
    assert sizes[16, True] <= sizes[4, True]
    assert sizes[16, True] < sizes[16, False] / 20


def test_what_cannot_be_undone_keeps_its_input() -> None:
    """An iterative inverse, a slow direction; the other directions of the same parts are undone."""
    slow = masked_autoregressive_flow(3, layers=1, hidden=(8,))[0]
    undoable = [Stage(part, d, 0, {}).undoable for part in (Planar(3), slow) for d in ("forward", "inverse")]
    assert undoable == [False, True, True, False]


def test_shared_parts_and_contexts_add_up() -> None:
    """One part twice, and a bound context that comes from a network."""
    torch.manual_seed(0)
    encoder = nn.Linear(3, 2).double()
    part = Coupling(Affine(), nn.Linear(1 + 2, 2 * 1).double(), half_mask(2), context_shape=(2,))
    x, data = torch.randn(5, 2).double(), torch.randn(5, 3).double()
    found = []
    for reversible in (False, True):
        flow = Compose(part, LULinear(2).double(), part, reversible=reversible).condition(encoder(data))
        loss = flow.inverse_and_log_det(x)[1].sum() + flow.forward(x).square().sum()
        found.append(torch.autograd.grad(loss, [*part.parameters(), *encoder.parameters()]))
    assert all(torch.allclose(a, b) for a, b in zip(*found, strict=True))


def test_a_context_that_widens_the_batch() -> None:
    """One point, many contexts: the gradient of the point sums over them."""
    torch.manual_seed(0)
    flow = Compose(LULinear(2), neural_spline_coupling(2, layers=2, context_shape=(1,), hidden=(8,))).double()
    x, context = torch.randn(2, dtype=torch.float64, requires_grad=True), torch.randn(5, 1, dtype=torch.float64)
    found = []
    for flow.reversible in (False, True):
        y, log_det = flow.forward_and_log_det(x, context)
        found.append(torch.autograd.grad(y.sin().sum() + log_det.sum(), [x, *flow.parameters()], allow_unused=True))
    assert all((a is None and b is None) or torch.allclose(a, b) for a, b in zip(*found, strict=True))


def test_changed_parameters_are_noticed() -> None:
    """Between the way there and the way back nothing may change."""
    flow = real_nvp(3, layers=2, hidden=(8,))
    flow.reversible = True
    loss = flow.inverse_and_log_det(torch.randn(4, 3))[1].sum()
    with torch.no_grad():
        next(flow.parameters()).add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_swapped_parameters_get_the_gradient() -> None:
    """Under ``functional_call`` the way back uses the tensors of the call, not the module's."""
    flow = real_nvp(3, layers=2, hidden=(8,))
    other = {name: (2 * value.detach()).requires_grad_() for name, value in flow.named_parameters()}
    x, found = torch.randn(4, 3), []
    for flow.reversible in (False, True):
        y = torch.func.functional_call(flow, other, (x,))
        found.append(torch.autograd.grad(y.sin().sum(), list(other.values())))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*found, strict=True))


def test_mixed_precision_is_that_of_the_way_there() -> None:
    """The way back runs under the autocast of the call, wherever it is started."""
    torch.manual_seed(0)
    flow, x, found = real_nvp(4, layers=4, hidden=(16,)), torch.randn(16, 4), []
    for flow.reversible in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = flow.inverse_and_log_det(x)[1].sum()
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(flow.parameters()))]))
    assert float((found[0] - found[1]).norm() / found[0].norm()) < 0.05


def test_slices_nesting_and_copies_keep_the_choice() -> None:
    """A slice recomputes, too; inside a plain composition a reversible one stays one part."""
    flow = Compose(Affine(0.0, 2.0), Affine(1.0, 1.0), Affine(0.0, 3.0), reversible=True)
    assert flow[1:].reversible
    assert copy.deepcopy(flow).reversible
    assert len(Compose(flow, Affine(0.0, 1.0))) == 2
    assert len(Compose(flow, Affine(0.0, 1.0), reversible=True)) == 4


def test_the_way_back_runs_in_the_precision_of_the_way_there():
    torch.manual_seed(0)
    seen = []

    class Spy(nn.Linear):
        def forward(self, x):
            seen.append(torch.is_autocast_enabled("cpu"))
            return super().forward(x)

    flow = Compose(*(Coupling(Affine(), Spy(1, 2), half_mask(2, flip=flip)) for flip in (False, True)), reversible=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, log_det = flow.forward_and_log_det(torch.randn(4, 2))
    before = len(seen)
    (z.square().sum() + log_det.sum()).backward()
    assert len(seen) > before
    assert all(seen)

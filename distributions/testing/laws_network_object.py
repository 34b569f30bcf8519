"""Laws of an incremental network as an object: batches, dtypes, transforms, gradients, copies, errors."""

from __future__ import annotations

import copy
import math
import pickle
import warnings

import torch
from torch import Tensor
from torch.func import vmap

from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law, require_equal
from probgen.distributions.testing.laws_network import forced
from probgen.distributions.testing.network_subject import NetworkSubject
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.regimes import has_parameters

__all__ = [
    "LAWS",
    "network_broadcasts_over_batches",
    "network_compiles_whole",
    "network_copies_and_restores",
    "network_dtype_is_kept",
    "network_parameters_get_gradients",
    "network_vmap_equals_batch",
    "wrong_network_inputs_raise",
]


def _learnable(subject: NetworkSubject) -> bool:
    return has_parameters(subject.network)


@define_law(
    "S1",
    "Any number of batch dimensions, none and empty ones too, and contexts that broadcast give the rows of one batch.",
    kind="network",
    scales=(),
)
def network_broadcasts_over_batches(subject: NetworkSubject, draw: Draw) -> Tally:
    """Batch shapes (), (3,), (2, 3) and (0,), at once and by steps."""
    network, law, tally = subject.network, "network_broadcasts_over_batches", Tally(0)
    with torch.no_grad():
        for batch in ((), (3,), (2, 3), (0,)):
            values, context = subject.values(draw, batch), subject.context(draw, batch)
            count = math.prod(batch)
            flat = values.reshape(count, values.shape[-1])
            rows = None if context is None else context.reshape(count, *(network.context_shape or ()))
            expected = network(flat, rows).reshape(*batch, network.features, network.num_outputs)
            order = [index for level in network.levels for index in level]
            stepped = forced(network, values, context, network.levels)
            tally += require_equal(law, network(values, context), expected, values, tolerance=_room(subject, expected))
            tally += require_equal(law, stepped, expected[..., order, :], values, tolerance=_room(subject, expected))
        single, contexts = subject.values(draw, ()), subject.context(draw, (4,))
        if contexts is not None:
            expected = network(single.expand(4, -1), contexts)
            tally += require_equal(law, network(single, contexts), expected, "contexts", tolerance=_room(subject, expected))
    return tally


@define_law("T1", "Parameters have the dtype of the weights, at once and by steps.", kind="network", scales=())
def network_dtype_is_kept(subject: NetworkSubject, draw: Draw) -> Tally:
    """Under both default dtypes of torch."""
    network, values, context = subject.network, subject.values(draw, (2,)), subject.context(draw, (2,))
    default = torch.get_default_dtype()
    try:
        for other in (torch.float32, torch.float64):
            torch.set_default_dtype(other)
            with torch.no_grad():
                found = {network(values, context).dtype, forced(network, values, context, network.levels).dtype}
            if found != {subject.dtype}:
                raise LawViolation("network_dtype_is_kept", f"under the default {other}", subject.dtype, found)
    finally:
        torch.set_default_dtype(default)
    return Tally(4)


@define_law("V1", "vmap of the parallel pass over rows equals the batched pass.", kind="network", scales=())
def network_vmap_equals_batch(subject: NetworkSubject, draw: Draw) -> Tally:
    """Over the leading axis of values and contexts."""
    values, context = subject.values(draw, (4,)), subject.context(draw, (4,))
    with torch.no_grad():
        expected: Tensor = subject.network(values, context)
        got = vmap(subject.network)(values) if context is None else vmap(subject.network)(values, context)
    return require_equal("network_vmap_equals_batch", got, expected, values, tolerance=_room(subject, expected))


@define_law(
    "V1",
    "torch.compile(fullgraph=True) of the parallel pass gives the eager result.",
    kind="network",
    scales=(),
    slow=True,
)
def network_compiles_whole(subject: NetworkSubject, draw: Draw) -> Tally:
    """With the aot_eager backend."""
    import torch._dynamo

    network, values, context = subject.build(seed=0), subject.values(draw, (4,)), subject.context(draw, (4,))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch._dynamo.reset()
        compiled = torch.compile(lambda v, c: network(v, c), fullgraph=True, backend="aot_eager", dynamic=False)
        got = compiled(values, context)
        torch._dynamo.reset()
        expected: Tensor = network(values, context)
    return require_equal("network_compiles_whole", got, expected, values, tolerance=_room(subject, expected))


@define_law(
    "P1",
    "Every parameter gets a gradient, from the parallel pass and from steps alike.",
    kind="network",
    applies=_learnable,
    scales=(),
)
def network_parameters_get_gradients(subject: NetworkSubject, draw: Draw) -> Tally:
    """The same gradients of a random weighting of all outputs."""
    law, network, tally = "network_parameters_get_gradients", subject.network, Tally(0)
    values, context = subject.values(draw, (3,)), subject.context(draw, (3,))
    named = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    order = [index for level in network.levels for index in level]
    at_once, stepped = network(values, context)[:, order], forced(network, values, context, network.levels)
    weights = torch.randn(at_once.shape, generator=torch.Generator().manual_seed(draw.seed), dtype=torch.float64).to(at_once)
    parameters = [parameter for _, parameter in named]
    first: tuple[Tensor | None, ...] = torch.autograd.grad((at_once * weights).sum(), parameters, allow_unused=True)
    second: tuple[Tensor | None, ...] = torch.autograd.grad((stepped * weights).sum(), parameters, allow_unused=True)
    for (name, _), direct, by_steps in zip(named, first, second, strict=True):
        if direct is None or by_steps is None:
            raise LawViolation(law, name, "a gradient", "none" if direct is None else "none by steps")
        tally += require_equal(law, by_steps, direct, name, tolerance=10 * _room(subject, direct))
    return tally


@define_law(
    "K1",
    "Deep copies after use, pickles and state_dicts give bitwise the same parameters.",
    kind="network",
    scales=(),
    once=True,
)
def network_copies_and_restores(subject: NetworkSubject, draw: Draw) -> Tally:
    """The state goes into a network that was built from another seed."""
    law, network, tally = "network_copies_and_restores", subject.network, Tally(0)
    values, context = subject.values(draw, (3,)), subject.context(draw, (3,))
    used = network(values, context)
    expected = used.detach()
    restored = subject.build(seed=12345)
    restored.load_state_dict(network.state_dict())
    with torch.no_grad():
        for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network)), restored):
            tally += require_equal(law, twin(values, context), expected, values)
    return tally


@define_law(
    "E1",
    "Another number of values raises, and so does a missing, wrong or unused context.",
    kind="network",
    scales=(),
    once=True,
)
def wrong_network_inputs_raise(subject: NetworkSubject, draw: Draw) -> Tally:
    """Errors are ValueErrors (a ContextError is one) or torch's own."""
    network, values, context = subject.network, subject.values(draw, (2,)), subject.context(draw, (2,))
    wrong = None if context is None else torch.cat([context, context[..., :1]], -1)
    calls: dict[str, tuple[Tensor, Tensor | None]] = {
        "one value too many": (torch.cat([values, values[:, :1]], -1), context),
        "an unused context" if context is None else "a missing context": (values, values if context is None else None),
    }
    if wrong is not None:
        calls["a context of another shape"] = (values, wrong)
    for what, arguments in calls.items():
        try:
            with torch.no_grad():
                result = network(*arguments)
        except (ValueError, RuntimeError, TypeError):
            continue
        raise LawViolation("wrong_network_inputs_raise", what, "an error", f"parameters of shape {tuple(result.shape)}")
    return Tally(len(calls))


def _room(subject: NetworkSubject, expected: Tensor) -> float:
    """The rounding that a network may have: relative to its largest parameter."""
    size = float(expected.detach().abs().max()) if expected.numel() else 0.0
    return subject.tolerance * (1e-10 if subject.dtype == torch.float64 else 1e-4) * (1 + size)


LAWS: tuple[Law, ...] = (
    network_broadcasts_over_batches,
    network_dtype_is_kept,
    network_vmap_equals_batch,
    network_compiles_whole,
    network_parameters_get_gradients,
    network_copies_and_restores,
    wrong_network_inputs_raise,
)

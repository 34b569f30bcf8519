r"""Backpropagation without stored activations: inputs are recomputed from outputs, layer by layer.

A chain :math:`z_{k+1} = f_k(z_k)`, :math:`\ell = \sum_k \log|\det J_{f_k}(z_k)|` usually keeps everything that was computed
inside of every :math:`f_k` until the way back. Since the layers are invertible, the way back can do without: from the last
value and the gradients :math:`g_n = \partial L / \partial z_n`, :math:`\lambda = \partial L / \partial \ell`, for
:math:`k = n-1, \dots, 0`,

.. math::

    z_k = f_k^{-1}(z_{k+1}), \qquad
    (g_k, \nabla_{\theta_k}) = \text{backpropagation of } g_{k+1}^\top f_k(z_k) + \lambda \log|\det J_{f_k}(z_k)|,

so only one layer's activations exist at a time. A training step costs one more inverse and one more forward pass. The input
of a layer is *kept* instead (one event, not its activations) where recomputing it would be wrong or slow: the inverse is
iterative or goes coordinate by coordinate, or the layer drew random numbers, which are then drawn again from the same state.

References:
    Gomez, Ren, Urtasun, Grosse (2017). The reversible residual network: backpropagation without storing activations.
    https://arxiv.org/abs/1707.04585
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from probgen.distributions._checks import require_values, values_readable
from probgen.distributions.bijectors._functional import call_hook
from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.combined import context_for
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Stage", "may_run_reversibly", "run_reversibly"]

_UNDONE_BY = {"forward": "inverse", "inverse": "forward"}


class Stage(NamedTuple):
    """One layer of a chain, in the direction in which it is run.

    Attributes:
        part: The bijector.
        direction: "forward" or "inverse".
        extra: By how many axes the part's event is smaller than the chain's.
        tensors: All tensors that the part holds, by name.
        label: How the part is called in messages; empty if its input needs no check.
        call: Calls a hook of the part with tensors; a compiled one where there is one.

    Example:
        >>> from probgen.distributions.bijectors import Exp, Planar
        >>> from probgen.distributions.bijectors._reversible import Stage
        >>> Stage(Exp(), "forward", 0, {}).undoable, Stage(Planar(2), "forward", 0, {}).undoable
        (True, False)
    """

    part: Bijector
    direction: str
    extra: int
    tensors: Mapping[str, Tensor]
    label: str = ""
    call: Callable[..., Any] = call_hook

    @property
    def undoable(self) -> bool:
        """Whether the input can be recomputed from the output exactly and in one pass."""
        back = _UNDONE_BY[self.direction]
        exact = self.part.exact_inverse or back == "forward"
        return exact and self.part.log_det_kind == "exact" and self.part.fast_direction in ("both", back)

    def run(self, value: Tensor, context: Tensor | None, tensors: Mapping[str, Tensor], *, log_det: bool) -> list[Tensor]:
        """The value after the part and, if wanted, the log-determinant summed over the chain's event."""
        if self.label:
            require_values("x", value, self.part.domain, self.label)
        hook = f"_{self.direction}_and_log_det" if log_det else f"_{self.direction}"
        found = self.call(self.part, hook, tensors, value, context_for(self.part, context, self.extra))
        return [found[0], sum_rightmost(found[1], self.extra)] if log_det else [found]

    def undo(self, value: Tensor, context: Tensor | None, tensors: Mapping[str, Tensor]) -> Tensor:
        """The value before the part."""
        own = context_for(self.part, context, self.extra)
        return cast(Tensor, self.call(self.part, f"_{_UNDONE_BY[self.direction]}", tensors, value, own))


@dataclass
class _Plan:
    """What the way back needs besides the tensors that autograd keeps."""

    stages: Sequence[Stage]
    slots: Sequence[Mapping[str, int]]
    log_det: bool
    mixed: tuple[str, bool, torch.dtype]
    states: dict[int, list[Tensor]] = field(default_factory=dict)
    kept: list[int] = field(default_factory=list)

    def tensors(self, index: int, given: Sequence[Tensor]) -> dict[str, Tensor]:
        """The tensors of a stage, those that autograd knows taken from ``given``."""
        return {**self.stages[index].tensors, **{name: given[slot] for name, slot in self.slots[index].items()}}

    def used(self, index: int) -> list[int]:
        """Which of the tensors that autograd knows a stage holds."""
        return sorted(set(self.slots[index].values()))

    @contextmanager
    def circumstances(self, index: int) -> Iterator[None]:
        """Precision and random numbers as they were when the stage ran first."""
        device, enabled, dtype = self.mixed
        state = self.states.get(index)
        with torch.autocast(device, dtype=dtype, enabled=enabled, cache_enabled=False):
            if state is None:
                yield
                return
            with torch.random.fork_rng(devices=_devices(state, device), device_type=device if device != "cpu" else "cuda"):
                _restore(state, device)
                yield


def may_run_reversibly(stages: Sequence[Stage], value: Tensor, context: Tensor | None) -> bool:
    """Whether the chain runs in plain eager mode and something asks for a gradient.

    Function transforms, compilers, tracing and forward-mode derivatives see the plain chain.

    Args:
        stages: The chain.
        value: Its input.
        context: Its context.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._reversible import may_run_reversibly
        >>> may_run_reversibly([], torch.zeros(2), None), may_run_reversibly([], torch.zeros(2, requires_grad=True), None)
        (False, True)
    """
    if not torch.is_grad_enabled() or not values_readable(value):
        return False
    held = [value, *([] if context is None else [context]), *(t for stage in stages for t in stage.tensors.values())]
    if not any(tensor.requires_grad for tensor in held):
        return False
    return all(torch.autograd.forward_ad.unpack_dual(tensor).tangent is None for tensor in held)


def run_reversibly(stages: Sequence[Stage], value: Tensor, context: Tensor | None, *, log_det: bool) -> list[Tensor]:
    """Run a chain whose way back recomputes what it needs.

    Args:
        stages: The chain, in the order in which it runs.
        value: Its input ``[*batch, *event]``.
        context: Its context.
        log_det: Also return the sum of the log-determinants.

    Returns:
        The output and, if wanted, the log-determinant ``[*batch]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.distributions.bijectors._reversible import Stage, run_reversibly
        >>> x = torch.tensor(1.0, requires_grad=True)
        >>> y, log_det = run_reversibly([Stage(Exp(), "forward", 0, {})], x, None, log_det=True)
        >>> torch.autograd.grad(y + log_det, x)
        (tensor(3.7183),)
    """
    tensors: list[Tensor] = []
    places: dict[int, int] = {}
    slots = []
    for stage in stages:
        known = {name: t for name, t in stage.tensors.items() if t.requires_grad or isinstance(t, nn.Parameter)}
        for tensor in known.values():
            if places.setdefault(id(tensor), len(tensors)) == len(tensors):
                tensors.append(tensor)
        slots.append({name: places[id(tensor)] for name, tensor in known.items()})
    device = value.device.type
    mixed = (device, torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
    plan = _Plan(stages, slots, log_det, mixed)
    return list(_Chain.apply(plan, value, context, *tensors))  # type: ignore[no-untyped-call]


class _Chain(torch.autograd.Function):
    """A chain as one node of the graph."""

    @staticmethod
    def forward(ctx: Any, plan: _Plan, value: Tensor, context: Tensor | None, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the chain; keep the ends, and the inputs that cannot be recomputed."""
        ctx.set_materialize_grads(False)
        start, total, kept = value, None, []
        for index, stage in enumerate(plan.stages):
            before, state = value, _random_state(value.device)
            value, *terms = stage.run(value, context, stage.tensors, log_det=plan.log_det)
            random = any(not torch.equal(a, b) for a, b in zip(state, _random_state(value.device), strict=True))
            if random:
                plan.states[index] = state
            if index and (random or not stage.undoable):
                plan.kept.append(index)
                kept.append(before)
            if terms:
                total = terms[0] if total is None else total + terms[0]
        ctx.plan = plan
        ctx.save_for_backward(start, value, context, *kept, *tensors)
        return (value,) if total is None else (value, total)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """Walk back; with ``create_graph`` run the plain chain again instead, so that all orders are exact."""
        plan: _Plan = ctx.plan
        start, end, context, *rest = ctx.saved_tensors  # raises if a parameter was changed since
        kept, tensors = dict(zip(plan.kept, rest, strict=False)), rest[len(plan.kept) :]
        needs = ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():
            return (None, *_recorded(plan, grads, [start, context, *tensors], needs))
        return (None, *_walked(plan, grads, {0: start, **kept}, end, context, tensors, needs))


def _walked(
    plan: _Plan,
    grads: Sequence[Tensor | None],
    kept: Mapping[int, Tensor],
    after: Tensor,
    context: Tensor | None,
    tensors: Sequence[Tensor],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    """Gradients of the input, the context and the tensors, one stage at a time."""
    grad, weight = grads[0], grads[1] if len(grads) > 1 else None
    found: list[Tensor | None] = [None] * (1 + len(tensors))
    for index in reversed(range(len(plan.stages))):
        own = plan.tensors(index, tensors)
        before = kept.get(index)
        if before is None:
            with plan.circumstances(index):
                before = plan.stages[index].undo(after, context, own)
        slots = [0, *(1 + slot for slot in plan.used(index))]
        grad, *parts = _stage_gradients(plan, index, before, context, tensors, (grad, weight), needs)
        for slot, part in zip(slots, parts, strict=True):
            total = found[slot]
            found[slot] = part if total is None else total if part is None else total + part
        after = before
    return [grad if needs[0] else None, *found]


def _stage_gradients(
    plan: _Plan,
    index: int,
    before: Tensor,
    context: Tensor | None,
    tensors: Sequence[Tensor],
    grads: tuple[Tensor | None, Tensor | None],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    """Run one stage again and backpropagate: gradients of its input, of the context and of its tensors."""
    with torch.enable_grad(), plan.circumstances(index):
        used = plan.used(index)
        leaves = {slot: tensors[slot].detach().requires_grad_(needs[2 + slot]) for slot in used}
        value = before.detach().requires_grad_()
        own_context = None if context is None else context.detach().requires_grad_(needs[1])
        given = [leaves.get(slot, tensor) for slot, tensor in enumerate(tensors)]
        results = plan.stages[index].run(value, own_context, plan.tensors(index, given), log_det=plan.log_det)
        pairs = [(out, g.sum_to_size(out.shape)) for out, g in zip(results, grads, strict=False) if g is not None]
        return _gradients(pairs, [value, own_context, *(leaves[slot] for slot in used)])


def _recorded(
    plan: _Plan, grads: Sequence[Tensor | None], inputs: Sequence[Tensor | None], needs: Sequence[bool]
) -> list[Tensor | None]:
    """Gradients as differentiable functions of everything, from a plain run from the start."""
    aliases = [t if t is None or not need else t.view_as(t) for t, need in zip(inputs, needs, strict=True)]
    value, context, *tensors = aliases
    total: Tensor | None = None
    for index, stage in enumerate(plan.stages):
        with plan.circumstances(index):
            value, *terms = stage.run(
                cast(Tensor, value), context, plan.tensors(index, cast(list[Tensor], tensors)), log_det=plan.log_det
            )
        total = terms[0] if total is None and terms else cast(Tensor, total) + terms[0] if terms else None
    pairs = [(cast(Tensor, out), g) for out, g in zip((value, total), grads, strict=False) if g is not None]
    return _gradients(pairs, aliases, create_graph=True)


def _gradients(
    pairs: Sequence[tuple[Tensor, Tensor]], inputs: Sequence[Tensor | None], *, create_graph: bool = False
) -> list[Tensor | None]:
    """Vector-Jacobian products; None where an input needs no gradient or is not used."""
    pairs = [(out, grad) for out, grad in pairs if out.requires_grad]
    wanted = [(place, tensor) for place, tensor in enumerate(inputs) if tensor is not None and tensor.requires_grad]
    result: list[Tensor | None] = [None] * len(inputs)
    if pairs and wanted:
        outputs, weights = zip(*pairs, strict=True)
        found = torch.autograd.grad(outputs, [t for _, t in wanted], weights, allow_unused=True, create_graph=create_graph)
        for (place, _), grad in zip(wanted, found, strict=True):
            result[place] = grad
    return result


def _random_state(device: torch.device) -> list[Tensor]:
    """The states of the generators that a layer may draw from."""
    states = [torch.get_rng_state()]
    if device.type != "cpu":
        states.append(torch.get_device_module(device).get_rng_state(device))
    return states


def _devices(states: Sequence[Tensor], device: str) -> list[int]:
    return [torch.get_device_module(device).current_device()] if len(states) > 1 else []


def _restore(states: Sequence[Tensor], device: str) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.get_device_module(device).set_rng_state(states[1])

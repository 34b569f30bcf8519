r"""Laws of function transforms: vmap, forward-mode and double derivatives, whole-graph compilation, export."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.func import jacfwd, jacrev, jvp, vmap

from probgen.distributions.bijectors import Bijector
from probgen.distributions.testing.law import Law, Tally, define_law, require_equal
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.subject import BijectorSubject
from probgen.distributions.testing.validation import validation

__all__ = [
    "LAWS",
    "compiles_whole",
    "double_backward_matches_forward_over_reverse",
    "exports",
    "forward_jacobian_matches_reverse",
    "forward_mode_matches_reverse_mode",
    "inverse_compiles_whole",
    "vmap_equals_batch",
]


def _static(subject: BijectorSubject) -> bool:
    return subject.bijector.static_graph


@define_law("V1", "vmap over the rows of a batch equals the batched call, in both directions.")
def vmap_equals_batch(subject: BijectorSubject, draw: Draw) -> Tally:
    """Vmap over the leading axis of x and of the context."""
    bijector, law = subject.bijector, "vmap_equals_batch"
    x, context = subject.points(draw), subject.context(draw)
    tally = Tally(0)
    with validation(enabled=False), torch.no_grad():
        y = bijector.forward(x, context)
        for call, value in ((bijector.forward_and_log_det, x), (bijector.inverse_and_log_det, y)):
            if context is None:
                mapped = vmap(lambda row, call=call: call(row))(value)
            else:
                mapped = vmap(lambda row, own, call=call: call(row, own))(value, context)
            for got, expected in zip(mapped, call(value, context), strict=True):
                tally += require_equal(law, got, expected, value, tolerance=_tolerance(subject, expected))
    return tally


@define_law("V1", "Forward-mode derivatives (jvp) of value and log-determinant equal reverse-mode ones, in both directions.")
def forward_mode_matches_reverse_mode(subject: BijectorSubject, draw: Draw) -> Tally:
    """One direction: <w, J v> from both modes, in float64."""
    law, bijector = "forward_mode_matches_reverse_mode", subject.double
    x, context = _wide(subject, draw)
    tally = Tally(0)
    with validation(enabled=False):
        y = bijector.forward(x, context).detach()
        for call, value in ((bijector.forward_and_log_det, x), (bijector.inverse_and_log_det, y)):
            tangents: Any = jvp(lambda v, call=call: call(v, context), (value,), (_direction(value, 0),))[1]
            leaf = value.detach().requires_grad_()
            for output, tangent in zip(call(leaf, context), tangents, strict=True):
                weights = _direction(output.detach(), 1)
                total = (output * weights).sum()
                grad = (
                    torch.autograd.grad(total, leaf, retain_graph=True, allow_unused=True)[0] if total.requires_grad else None
                )
                expected = torch.zeros_like(total) if grad is None else (grad * _direction(value, 0)).sum()
                got, size = (tangent * weights).sum().detach(), tangent.detach().abs().sum()
                expected = expected.detach()
                tolerance = 1e-7 * (1 + expected.abs() + size).nan_to_num()
                tally += require_equal(law, got, expected, draw, tolerance=tolerance)
    return tally


@define_law("V1", "Second derivatives of FLDJ agree between double backward and forward-over-reverse.")
def double_backward_matches_forward_over_reverse(subject: BijectorSubject, draw: Draw) -> Tally:
    """Hessian-vector products, in float64."""
    law, bijector = "double_backward_matches_forward_over_reverse", subject.double
    x, context = _wide(subject, draw)
    v = _direction(x, 0)

    def total(value: Tensor) -> Tensor:
        y, fldj = bijector.forward_and_log_det(value, context)
        return fldj.sum() + y.tanh().sum()

    with validation(enabled=False):
        forward_over_reverse: Any = jvp(torch.func.grad(total), (x,), (v,))[1]
        leaf = x.detach().requires_grad_()
        (first,) = torch.autograd.grad(total(leaf), leaf, create_graph=True)
        product = (first * v).sum()
        (second,) = torch.autograd.grad(product, leaf, allow_unused=True) if product.requires_grad else (None,)
    expected = torch.zeros_like(x) if second is None else second
    tolerance = 1e-7 * (1 + expected.abs().nan_to_num() + forward_over_reverse.abs().nan_to_num())
    return require_equal(law, forward_over_reverse, expected, x, tolerance=tolerance)


@define_law("V1", "jacfwd = jacrev for one event.", scales=())
def forward_jacobian_matches_reverse(subject: BijectorSubject, draw: Draw) -> Tally:
    """Whole Jacobians of the value by both modes, under vmap."""
    law, bijector = "forward_jacobian_matches_reverse", subject.double
    recipe = Draw(seed=draw.seed, count=2)
    x, context = _wide(subject, recipe)
    own = None if context is None else context[0]
    with validation(enabled=False):
        forward = jacfwd(lambda v: bijector.forward(v, own))(x[0])
        reverse = jacrev(lambda v: bijector.forward(v, own))(x[0])
    return require_equal(law, forward, reverse, x[0], tolerance=1e-7 * (1 + reverse.abs()))


@define_law(
    "V1",
    "torch.compile(fullgraph=True) of value and log-determinant gives the eager result.",
    applies=_static,
    scales=(),
    slow=True,
)
def compiles_whole(subject: BijectorSubject, draw: Draw) -> Tally:
    """Forward, with the aot_eager backend."""
    x, context = subject.points(draw), subject.context(draw)
    return _compiled(subject, subject.bijector.forward_and_log_det, x, context, "compiles_whole")


@define_law("V1", "torch.compile(fullgraph=True) of the inverse gives the eager result.", applies=_static, scales=(), slow=True)
def inverse_compiles_whole(subject: BijectorSubject, draw: Draw) -> Tally:
    """Inverse, with the aot_eager backend."""
    context = subject.context(draw)
    with validation(enabled=False), torch.no_grad():
        y = subject.bijector.forward(subject.points(draw), context)
    return _compiled(subject, subject.bijector.inverse_and_log_det, y, context, "inverse_compiles_whole")


@define_law("V1", "torch.export gives a program with the eager result.", applies=_static, scales=(), slow=True)
def exports(subject: BijectorSubject, draw: Draw) -> Tally:
    """Forward and inverse of one event shape, one batch size."""
    tally = Tally(0)
    x, context = subject.points(draw), subject.context(draw)
    bijector = copy.deepcopy(subject.bijector).eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        y = bijector.forward(x, context)
        for inverse, value in ((False, x), (True, y)):
            module = _Fused(bijector, inverse=inverse)
            arguments = (value,) if context is None else (value, context)
            results = torch.export.export(module, arguments).module()(*arguments)
            for got, expected in zip(results, module(*arguments), strict=True):
                tally += require_equal("exports", got, expected, value, tolerance=_tolerance(subject, expected))
    return tally


class _Fused(nn.Module):
    """Both results of one direction as a module's forward."""

    def __init__(self, bijector: Bijector, *, inverse: bool) -> None:
        super().__init__()
        self.bijector, self.inverse = bijector, inverse

    def forward(self, value: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        call = self.bijector.inverse_and_log_det if self.inverse else self.bijector.forward_and_log_det
        return call(value, context)


def _compiled(
    subject: BijectorSubject,
    function: Callable[..., tuple[Tensor, Tensor]],
    value: Tensor,
    context: Tensor | None,
    law: str,
) -> Tally:
    import torch._dynamo

    before, tally = Distribution._validate_args, Tally(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch._dynamo.reset()
            compiled = torch.compile(function, fullgraph=True, backend="aot_eager", dynamic=False)
            results = compiled(value, context)
        finally:
            Distribution.set_default_validate_args(before)
            torch._dynamo.reset()
    for got, expected in zip(results, function(value, context), strict=True):
        got, expected = got.detach(), expected.detach()
        tally += require_equal(law, got, expected, value, tolerance=_tolerance(subject, expected))
    return tally


def _wide(subject: BijectorSubject, draw: Draw) -> tuple[Tensor, Tensor | None]:
    context = subject.context(draw)
    return subject.points(draw).double(), None if context is None else context.double()


def _direction(value: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value)


def _tolerance(subject: BijectorSubject, expected: Tensor) -> Tensor:
    """Room for another order of summation, through a few layers."""
    return 16 * subject.slack * subject.eps * (1 + expected.abs()).nan_to_num(1.0, 1.0, 1.0)


LAWS: tuple[Law, ...] = (
    vmap_equals_batch,
    forward_mode_matches_reverse_mode,
    double_backward_matches_forward_over_reverse,
    forward_jacobian_matches_reverse,
    compiles_whole,
    inverse_compiles_whole,
    exports,
)

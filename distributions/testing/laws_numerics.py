r"""Laws of floating point: special values, gradients, dtypes, NaN."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from probgen.distributions.bijectors import Bijector
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law, require_equal
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.regimes import has_parameters
from probgen.distributions.testing.subject import BijectorSubject
from probgen.distributions.testing.validation import validation

__all__ = [
    "LAWS",
    "autocast_keeps_single_precision",
    "dtype_does_not_depend_on_the_default",
    "dtype_is_kept",
    "every_parameter_gets_a_gradient",
    "extreme_inputs_give_no_nan",
    "gradients_are_finite",
    "gradients_match_finite_differences",
    "nan_in_gives_nan_out",
    "second_derivatives_are_finite",
]


def _learnable(subject: BijectorSubject) -> bool:
    return has_parameters(subject.bijector)


@define_law(
    "N1", "No NaN in y or FLDJ for |x| up to 10^4, zero, subnormal numbers, knots and bounds.", scales=(0.0, 3.0, 100.0, 1e4)
)
def extreme_inputs_give_no_nan(subject: BijectorSubject, draw: Draw) -> Tally:
    """Forward at extreme points of the domain, inverse at extreme points of the codomain."""
    bijector, context, law = subject.bijector, subject.context(draw), "extreme_inputs_give_no_nan"
    x, y = subject.points(draw), subject.outputs(draw)
    with validation(enabled=False), torch.no_grad():
        tally = Tally(0)
        for value in bijector.forward_and_log_det(x, context):
            tally += _no_nan(law, value, x, skip=torch.zeros_like(value, dtype=torch.bool))
        for value in bijector.inverse_and_log_det(y, context):
            flagged = value.isnan() & (not bijector.exact_inverse)
            tally += _no_nan(law, value, y, skip=flagged)
    return tally


@define_law("N2", "Gradients of y and FLDJ with respect to x and every parameter are finite, also at special points.")
def gradients_are_finite(subject: BijectorSubject, draw: Draw) -> Tally:
    """One backward pass through value and log-determinant."""
    x, context = subject.points(draw), subject.context(draw)
    grads = _derivatives(subject.bijector, x, context, order=1)
    return _require_finite("gradients_are_finite", grads, x, lambda: _exact(subject, x, context, order=1))


@define_law("N2", "Second derivatives with respect to x and every parameter are finite.")
def second_derivatives_are_finite(subject: BijectorSubject, draw: Draw) -> Tally:
    """The gradient of the sum of all first derivatives."""
    x, context = subject.points(draw), subject.context(draw)
    grads = _derivatives(subject.bijector, x, context, order=2)
    return _require_finite("second_derivatives_are_finite", grads, x, lambda: _exact(subject, x, context, order=2))


@define_law("N3", "NaN in gives NaN out (or an error): no NaN is replaced by a number.", scales=())
def nan_in_gives_nan_out(subject: BijectorSubject, draw: Draw) -> Tally:
    """One NaN in one coordinate, each direction, validation off."""
    bijector, context = subject.bijector, subject.context(draw)
    for name, value, call in (
        ("x", subject.points(draw), bijector.forward_and_log_det),
        ("y", subject.outputs(draw), bijector.inverse_and_log_det),
    ):
        poisoned = value.clone()
        poisoned.reshape(-1)[0] = torch.nan
        with validation(enabled=False), torch.no_grad():
            result = call(poisoned, context)[0]
        row = result[0].reshape(-1)
        if not bool(row.isnan().any()):
            raise LawViolation("nan_in_gives_nan_out", f"{name} with NaN in its first coordinate", "NaN", row)
    return Tally(2)


@define_law(
    "P1",
    "Every parameter receives a gradient from the log-density, in training and in evaluation mode.",
    applies=_learnable,
    scales=(),
)
def every_parameter_gets_a_gradient(subject: BijectorSubject, draw: Draw) -> Tally:
    """-log p of a standard normal base through the inverse, and the sampling direction."""
    law = "every_parameter_gets_a_gradient"
    recipe = Draw(seed=3, scale=1.5, count=64)
    context = subject.context(recipe)
    for training in (True, False):
        bijector = copy.deepcopy(subject.bijector).train(training)
        with validation(enabled=False):
            x, ildj = bijector.inverse_and_log_det(subject.outputs(recipe), context)
            y, fldj = bijector.forward_and_log_det(subject.points(recipe), context)
        loss = (x * x).nan_to_num().sum() + ildj.nan_to_num().sum() + (y * y.detach().sin()).sum() + fldj.sum()
        named = [(name, parameter) for name, parameter in bijector.named_parameters() if parameter.requires_grad]
        grads = _gradients(loss, [parameter for _, parameter in named])
        missing = [name for (name, _), grad in zip(named, grads, strict=True) if grad is None]
        if missing:
            raise LawViolation(law, f"training={training}", "a gradient for every parameter", f"none for {missing}")
    return Tally(2)


@define_law("P1", "Gradients of y and FLDJ with respect to parameters equal central differences (float64).", applies=_learnable)
def gradients_match_finite_differences(subject: BijectorSubject, draw: Draw) -> Tally:
    """One random direction in parameter space."""
    bijector = copy.deepcopy(subject.double)
    x, context = subject.points(draw).double(), subject.context(draw)
    context = None if context is None else context.double()
    leaves = [parameter for parameter in bijector.parameters() if parameter.requires_grad]
    generator = torch.Generator().manual_seed(draw.seed)
    direction = [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in leaves]
    weights = torch.randn(x.shape[0], generator=generator, dtype=torch.float64)

    def loss() -> Tensor:
        y, fldj = bijector.forward_and_log_det(x, context)
        rows = y.reshape(len(x), -1).tanh().sum(-1) + fldj.reshape(len(x), -1).sum(-1)
        return (weights * rows).sum()

    with validation(enabled=False):
        grads = _gradients(loss(), leaves)
        got = sum((grad * d).sum() for grad, d in zip(grads, direction, strict=True) if grad is not None)
        estimates = [_central(loss, leaves, direction, step) for step in (1e-4, 1e-5, 1e-6)]
    expected = estimates[1]
    spread = max(abs(float(value - expected)) for value in estimates)
    error = abs(float(got - expected))
    allowed = 1e-6 * (1 + abs(float(expected))) + 3 * spread
    if not error <= allowed:
        if spread > 1e-2 * (1 + abs(float(expected))):
            return Tally(1, skipped=1)
        raise LawViolation("gradients_match_finite_differences", draw, expected, torch.as_tensor(got))
    return Tally(1)


@define_law("T1", "The dtype of the input is the dtype of every output, in both directions.", scales=())
def dtype_is_kept(subject: BijectorSubject, draw: Draw) -> Tally:
    """float32 and float64 by ``.to(dtype)``; half precision is reached by autocast, which has a law of its own."""
    for dtype in (torch.float32, torch.float64):
        bijector = copy.deepcopy(subject.bijector).to(dtype)
        x, context = subject.points(draw).to(dtype), subject.context(draw)
        context = None if context is None else context.to(dtype)
        with validation(enabled=False), torch.no_grad():
            y, fldj = bijector.forward_and_log_det(x, context)
            back, ildj = bijector.inverse_and_log_det(y, context)
        found = (y.dtype, fldj.dtype, back.dtype, ildj.dtype)
        if found != (dtype,) * 4:
            raise LawViolation("dtype_is_kept", dtype, (dtype,) * 4, found)
    return Tally(8)


@define_law("T1", "A map in one dtype gives the same values when torch's default dtype is another.", scales=())
def dtype_does_not_depend_on_the_default(subject: BijectorSubject, draw: Draw) -> Tally:
    """The default dtype is switched for one call and restored."""
    law, bijector = "dtype_does_not_depend_on_the_default", subject.bijector
    x, context = subject.points(draw), subject.context(draw)
    before = torch.get_default_dtype()
    with validation(enabled=False), torch.no_grad():
        y, fldj = bijector.forward_and_log_det(x, context)
        back, ildj = bijector.inverse_and_log_det(y, context)
        torch.set_default_dtype(torch.float32 if before == torch.float64 else torch.float64)
        try:
            other = (*bijector.forward_and_log_det(x, context), *bijector.inverse_and_log_det(y, context))
        finally:
            torch.set_default_dtype(before)
    tally = Tally(0)
    for got, expected in zip(other, (y, fldj, back, ildj), strict=True):
        tally += require_equal(law, got, expected, x)
    return tally


@define_law("T1", "Under bfloat16 autocast, values and log-determinants stay float32 and finite.", scales=(), once=True)
def autocast_keeps_single_precision(subject: BijectorSubject, draw: Draw) -> Tally:
    """CPU autocast around both directions of a float32 map."""
    bijector = copy.deepcopy(subject.bijector).float()
    x, context = subject.points(draw).float(), subject.context(draw)
    context = None if context is None else context.float()
    with validation(enabled=False), torch.no_grad():
        plain = bijector.forward_and_log_det(x, context)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            results = (*bijector.forward_and_log_det(x, context), *bijector.inverse_and_log_det(plain[0], context))
    found = tuple(value.dtype for value in results)
    if found != (torch.float32,) * 4:
        raise LawViolation("autocast_keeps_single_precision", f"x of shape {tuple(x.shape)}", "float32 four times", found)
    if bool(results[1].isnan().any()):
        raise LawViolation("autocast_keeps_single_precision", f"x of shape {tuple(x.shape)}", "finite FLDJ", results[1])
    return Tally(4)


# ---------------------------------------------------------------------------------------------------------------------- helpers


def _derivatives(bijector: Bijector, x: Tensor, context: Tensor | None, *, order: int) -> list[Tensor | None]:
    """With respect to x and every parameter, of the sum of all finite values and log-determinants (or of its slopes in x)."""
    x = x.detach().requires_grad_()
    leaves = [x, *(parameter for parameter in bijector.parameters() if parameter.requires_grad)]
    with torch.enable_grad(), validation(enabled=False):
        y, fldj = bijector.forward_and_log_det(x, context)
        total = _finite_sum(y) + _finite_sum(fldj)
        if order == 1:
            return _gradients(total, leaves)
        first = torch.autograd.grad(total, x, create_graph=True, allow_unused=True)[0] if total.requires_grad else None
        return [None] * len(leaves) if first is None or not first.requires_grad else _gradients(first.sum(), leaves)


def _exact(subject: BijectorSubject, x: Tensor, context: Tensor | None, *, order: int) -> list[Tensor | None]:
    wide = None if context is None else context.double()
    return _derivatives(copy.deepcopy(subject.bijector).double(), x.double(), wide, order=order)


def _gradients(total: Tensor, leaves: Sequence[Tensor]) -> list[Tensor | None]:
    if not total.requires_grad or not leaves:
        return [None] * len(leaves)
    return list(torch.autograd.grad(total, leaves, allow_unused=True))


def _finite_sum(value: Tensor) -> Tensor:
    """Sum of the finite entries; an overflowed value has no gradient worth asking for."""
    return torch.where(value.isfinite(), value, torch.zeros_like(value)).sum()


def _require_finite(law: str, grads: list[Tensor | None], x: Tensor, exact: Callable[[], list[Tensor | None]]) -> Tally:
    """All finite, except where the float64 derivative is nearly too large for the dtype."""
    tally = Tally(0)
    for index, grad in enumerate(grads):
        if grad is None:
            continue
        tally += Tally(grad.numel())
        bad = ~grad.isfinite()
        if bool(bad.any()):
            true = exact()[index]
            size = torch.zeros_like(grad) if true is None else true.abs()
            bad = bad & (grad.isnan() | ~(size > torch.finfo(x.dtype).max / 1e3))
        if bool(bad.any()):
            place = tuple(bad.nonzero()[0].tolist())
            where = x[place].detach() if index == 0 else x.detach()
            name = "x" if index == 0 else f"parameter {index - 1}"
            raise LawViolation(law, where, "finite derivatives", f"{grad[place]} for {name}")
    return tally + Tally()


def _no_nan(law: str, value: Tensor, where: Tensor, skip: Tensor) -> Tally:
    bad = value.isnan() & ~skip
    if bool(bad.any()):
        index = tuple(bad.nonzero()[0].tolist())
        raise LawViolation(law, where[index[: where.dim()]] if where.dim() else where, "a number", value[index])
    return Tally(max(value.numel(), 1), int(skip.sum()))


def _central(loss: Callable[[], Tensor], leaves: Sequence[Tensor], direction: Sequence[Tensor], step: float) -> Tensor:
    values = []
    with torch.no_grad():
        for sign in (1.0, -1.0):
            for leaf, d in zip(leaves, direction, strict=True):
                leaf.add_(sign * step * d)
            values.append(loss().detach())
            for leaf, d in zip(leaves, direction, strict=True):
                leaf.sub_(sign * step * d)
    difference: Tensor = values[0] - values[1]
    return difference / (2 * step)


LAWS: tuple[Law, ...] = (
    extreme_inputs_give_no_nan,
    gradients_are_finite,
    second_derivatives_are_finite,
    nan_in_gives_nan_out,
    every_parameter_gets_a_gradient,
    gradients_match_finite_differences,
    dtype_is_kept,
    dtype_does_not_depend_on_the_default,
    autocast_keeps_single_precision,
)

r"""Laws of shapes, batches, sets and structure: what goes where, and what depends on what."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import biject_to
from torch.distributions.constraints import Constraint

from probgen.distributions.constraints import core_constraint, is_real
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law, require_equal
from probgen.distributions.testing.points import Draw, near_an_end, unconstrained
from probgen.distributions.testing.strategies import BATCH_SHAPES
from probgen.distributions.testing.subject import BijectorSubject
from probgen.distributions.testing.validation import validation

__all__ = [
    "LAWS",
    "batch_does_not_leak",
    "context_broadcasts",
    "declared_structure_holds",
    "elementwise_jacobian_is_diagonal",
    "parameters_broadcast",
    "scalar_maps_are_monotone",
    "shapes_follow_the_batch",
    "values_stay_in_their_sets",
]


def _is_scalar(subject: BijectorSubject) -> bool:
    return subject.event_dim == 0 and subject.output_dim == 0


def _has_context(subject: BijectorSubject) -> bool:
    return subject.context_shape is not None


def _has_batch_of_parameters(subject: BijectorSubject) -> bool:
    return any(subject.batch)


def _declares_structure(subject: BijectorSubject) -> bool:
    return hasattr(subject.bijector, "dependence")


@define_law(
    "S1",
    "y has shape forward_shape(x.shape) and the log-determinant the batch shape, for batches of any rank, also empty.",
    scales=(),
)
def shapes_follow_the_batch(subject: BijectorSubject, draw: Draw) -> Tally:
    """Every batch shape in ``BATCH_SHAPES``, both directions."""
    bijector, law, tally = subject.bijector, "shapes_follow_the_batch", Tally(0)
    for batch in BATCH_SHAPES:
        x, context = subject.points(draw, batch), subject.context(draw, batch)
        leading = batch + subject.batch
        with validation(enabled=False), torch.no_grad():
            y, fldj = bijector.forward_and_log_det(x, context)
            back, ildj = bijector.inverse_and_log_det(y, context)
        found = (tuple(y.shape), tuple(fldj.shape), tuple(back.shape), tuple(ildj.shape))
        wanted = (leading + subject.output_event, leading, leading + subject.input_event, leading)
        declared = (tuple(bijector.forward_shape(x.shape)), tuple(bijector.inverse_shape(y.shape)))
        if found != wanted:
            raise LawViolation(law, f"x of shape {tuple(x.shape)}", f"y, FLDJ, x, ILDJ {wanted}", found)
        if declared != (wanted[0], wanted[2]):
            raise LawViolation(
                law, f"x of shape {tuple(x.shape)}", f"forward_shape, inverse_shape {(wanted[0], wanted[2])}", declared
            )
        tally += Tally(4)
    return tally


@define_law("S2", "f(x)[i] = f(x[i]): no row of a batch depends on another.")
def batch_does_not_leak(subject: BijectorSubject, draw: Draw) -> Tally:
    """Each row alone against its place in the batch, both directions."""
    bijector, law = subject.bijector, "batch_does_not_leak"
    x, context = subject.points(draw), subject.context(draw)
    with validation(enabled=False), torch.no_grad():
        y, fldj = bijector.forward_and_log_det(x, context)
        back, ildj = bijector.inverse_and_log_det(y, context)
        tally = Tally(0)
        for row in {0, len(x) // 2, len(x) - 1}:
            own = None if context is None else context[row : row + 1]
            y_row, fldj_row = bijector.forward_and_log_det(x[row : row + 1], own)
            back_row, ildj_row = bijector.inverse_and_log_det(y[row : row + 1], own)
            pairs = ((y_row, y), (fldj_row, fldj), (back_row, back), (ildj_row, ildj))
            tally += sum((_close(subject, law, got, full[row : row + 1], x[row : row + 1]) for got, full in pairs), Tally(0))
    return tally


@define_law(
    "S3",
    "Parameters with a batch shape act coordinate by coordinate: broadcasting equals a loop.",
    applies=_has_batch_of_parameters,
)
def parameters_broadcast(subject: BijectorSubject, draw: Draw) -> Tally:
    """One value, broadcast over the parameters' batch, against that value written out."""
    event = subject.input_event
    small = subject.points(draw)[(slice(None),) + (slice(0, 1),) * len(subject.batch)]
    context = subject.context(draw)
    full = small.expand(draw.count, *subject.batch, *event).contiguous()
    with validation(enabled=False), torch.no_grad():
        y, fldj = subject.bijector.forward_and_log_det(small, context)
        expected_y, expected = subject.bijector.forward_and_log_det(full, context)
    law = "parameters_broadcast"
    return _close(subject, law, y, expected_y, full) + _close(subject, law, fldj, expected, full)


@define_law(
    "S3",
    "A context of shape (C,), (B, C) or (S, 1, C) broadcasts with the batch of x: the same as a loop over points.",
    applies=_has_context,
    scales=(),
)
def context_broadcasts(subject: BijectorSubject, draw: Draw) -> Tally:
    """Every context batch against one call for each point with its own context."""
    bijector, tally, law, batch = subject.bijector, Tally(0), "context_broadcasts", (2, 3)
    x, shape = subject.points(draw, batch), subject.context_shape or ()
    ones = tuple(1 for _ in subject.batch)
    for leading in ((), (3,), (2, 1), (2, 3), (1, 1)):
        recipe = Draw(seed=draw.seed + len(leading), scale=subject.context_scale)
        context = unconstrained(recipe, (*leading, *(ones if leading else ()), *shape)).to(subject.dtype)
        full = context.expand(*batch, *subject.batch, *shape)
        with validation(enabled=False), torch.no_grad():
            y, fldj = bijector.forward_and_log_det(x, context)
            back, ildj = bijector.inverse_and_log_det(y, context)
            for place in ((0, 0), (1, 0), (0, 2), (1, 2)):
                own_y, own_fldj = bijector.forward_and_log_det(x[place], full[place])
                own_back, own_ildj = bijector.inverse_and_log_det(y[place], full[place])
                pairs = ((y, own_y), (fldj, own_fldj), (back, own_back), (ildj, own_ildj))
                tally += sum((_close(subject, law, got[place], wanted, x[place]) for got, wanted in pairs), Tally(0))
    return tally


@define_law(
    "C1",
    "f maps the domain into the codomain and f^-1 the codomain into the domain; valid input passes validation.",
    scales=(0.0, 1.0, 10.0, 30.0),
)
def values_stay_in_their_sets(subject: BijectorSubject, draw: Draw) -> Tally:
    """Both constraints, with validation on, up to the edges of the floating-point range that ``biject_to`` reaches."""
    bijector, law = subject.bijector, "values_stay_in_their_sets"
    context = subject.context(draw)
    x, y = subject.points(draw), subject.outputs(Draw(draw.seed, min(draw.scale, 3.0), (), draw.decimals, draw.count))
    with validation(enabled=True), torch.no_grad():
        image = bijector.forward(x, context)
    with validation(enabled=False), torch.no_grad():
        preimage = bijector.inverse(y, context)
    tally = _inside(law, bijector.codomain, image, x, "codomain")
    ok = (
        preimage
        if bijector.exact_inverse
        else torch.where(preimage.isnan(), subject.points(Draw(scale=0.0, count=draw.count)), preimage)
    )
    return tally + _inside(law, bijector.domain, ok, y, "domain")


@define_law("M1", "A scalar map is strictly monotone in the direction that `sign` declares.", applies=_is_scalar, scales=())
def scalar_maps_are_monotone(subject: BijectorSubject, draw: Draw) -> Tally:
    """Sorted grids of the domain and of the codomain, in their unconstrained coordinates."""
    bijector, context = subject.bijector, subject.context(draw, (1,))
    tally = Tally(0)
    for inverse in (False, True):
        start, stop = (bijector.codomain, bijector.domain) if inverse else (bijector.domain, bijector.codomain)
        grid = torch.linspace(-3.0, 3.0, 241, dtype=torch.float64)
        x = _from_unconstrained(subject, start, grid.reshape(-1, *(1 for _ in subject.batch)).expand(-1, *subject.batch))
        with validation(enabled=False), torch.no_grad():
            y = (bijector.inverse if inverse else bijector.forward)(x, context)
        tally += _monotone(subject, x, y, stop, flagged=inverse and not bijector.exact_inverse)
    return tally


def _monotone(subject: BijectorSubject, x: Tensor, y: Tensor, codomain: Constraint, *, flagged: bool) -> Tally:
    """Every step goes the declared way or is lost in rounding; the whole way is lost only at an end of the codomain."""
    steps, sign = y.diff(dim=0), subject.bijector.sign
    spacing = subject.slack * subject.eps * (1 + y.abs())
    resolved = (x.diff(dim=0).abs() > 0) & ~(steps.isnan() & flagged)
    wrong = resolved & ~((steps * sign > 0) | (steps.abs() <= spacing[1:]))
    still = ~((y[-1] - y[0]) * sign > 0) & ~near_an_end(codomain, y[-1], spacing[-1]) & ~(y[-1] - y[0]).isnan()
    if bool(wrong.any()) or bool(still.any()):
        index = tuple(wrong.nonzero()[0].tolist()) if bool(wrong.any()) else (0, *still.nonzero()[0].tolist())
        raise LawViolation(
            "scalar_maps_are_monotone", (x[:-1][index], x[1:][index]), f"sign {sign}", (y[:-1][index], y[1:][index])
        )
    return Tally(steps.numel())


@define_law("M1", "y_i of an elementwise map depends on x_i alone.", applies=_is_scalar)
def elementwise_jacobian_is_diagonal(subject: BijectorSubject, draw: Draw) -> Tally:
    """Move all other coordinates of a vector; the one that was left must not move."""
    x, context = subject.points(draw), subject.context(draw)
    others = subject.points(Draw(seed=draw.seed + 3, scale=1.0, count=draw.count))
    keep = torch.arange(x.numel()).reshape(x.shape) % 2 == 0
    with validation(enabled=False), torch.no_grad():
        y, fldj = subject.bijector.forward_and_log_det(x, context)
        moved, moved_fldj = subject.bijector.forward_and_log_det(torch.where(keep, x, others), context)
    law = "elementwise_jacobian_is_diagonal"
    zero = torch.zeros_like(y)
    first = _close(subject, law, torch.where(keep, moved, zero), torch.where(keep, y, zero), x)
    return first + _close(subject, law, torch.where(keep, moved_fldj, zero), torch.where(keep, fldj, zero), x)


@define_law(
    "M1", "The Jacobian is zero wherever the declared `dependence` of outputs on inputs says so.", applies=_declares_structure
)
def declared_structure_holds(subject: BijectorSubject, draw: Draw) -> Tally:
    """Autoregressive order and coupling mask, from the attribute ``dependence`` (boolean, outputs by inputs)."""
    from probgen.distributions.testing.jacobians import jacobian

    context = subject.context(draw)
    x = subject.points(draw).double()
    wide = None if context is None else context.double()
    with validation(enabled=False):
        matrix = jacobian(lambda value: subject.double._forward(value, wide), x, subject.event_dim, subject.output_dim)
    allowed = torch.as_tensor(subject.bijector.dependence, dtype=torch.bool)
    size = matrix.shape[-2:].numel()
    if allowed.numel() != size:
        raise LawViolation("declared_structure_holds", "dependence", tuple(matrix.shape[-2:]), tuple(allowed.shape))
    forbidden = torch.where(allowed.reshape(matrix.shape[-2:]), torch.zeros_like(matrix), matrix)
    return require_equal("declared_structure_holds", forbidden, torch.zeros_like(matrix), x)


def _from_unconstrained(subject: BijectorSubject, constraint: Constraint, u: Tensor) -> Tensor:
    value: Tensor = u.to(subject.dtype)
    return value if is_real(constraint) else biject_to(constraint)(value)


def _close(subject: BijectorSubject, law: str, got: Tensor, expected: Tensor, where: Tensor) -> Tally:
    """Equal up to the order of summation in matrix products, which depends on the batch size."""
    if bool(torch.equal(got, expected)):
        return Tally(max(got.numel(), 1))
    tolerance = 16 * subject.slack * subject.eps * (1 + expected.abs()).nan_to_num(1.0, 1.0, 1.0)
    return require_equal(law, got, expected, where, tolerance=tolerance)


def _inside(law: str, constraint: Constraint, value: Tensor, where: Tensor, name: str) -> Tally:
    """All values in the set; a scalar that was rounded onto the edge of an open interval counts as inside."""
    valid = constraint.check(value)
    if core_constraint(constraint).event_dim == 0:
        for side in (-torch.inf, torch.inf):
            valid = valid | constraint.check(torch.nextafter(value, torch.full_like(value, side)))
    overflow = value.isinf()
    if valid.dim() < overflow.dim():
        overflow = overflow.reshape(*valid.shape, -1).any(-1)
    outside = ~valid & ~overflow
    if bool(outside.any()):
        index = tuple(outside.nonzero()[0].tolist())
        raise LawViolation(law, where[index[: where.dim()]], f"{name} {constraint}", value[index])
    return Tally(max(valid.numel(), 1))


LAWS: tuple[Law, ...] = (
    shapes_follow_the_batch,
    batch_does_not_leak,
    parameters_broadcast,
    context_broadcasts,
    values_stay_in_their_sets,
    scalar_maps_are_monotone,
    elementwise_jacobian_is_diagonal,
    declared_structure_holds,
)

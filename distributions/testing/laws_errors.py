r"""Laws of complaint: what is wrong raises an error that names it, and is never computed with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from probgen.distributions.constraints import core_constraint, is_real
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.subject import BijectorSubject
from probgen.distributions.testing.validation import validation

__all__ = [
    "LAWS",
    "equality_and_repr_are_sane",
    "inverse_of_inverse_is_the_map",
    "nan_raises_while_validating",
    "values_outside_their_sets_raise",
    "wrong_contexts_raise",
    "wrong_event_sizes_raise",
]


def _fixes_shape(subject: BijectorSubject) -> bool:
    return subject.bijector.domain_shape is not None or subject.event_dim > 0


def _restricted(subject: BijectorSubject) -> bool:
    return not (is_real(subject.bijector.domain) and is_real(subject.bijector.codomain))


@define_law(
    "E1",
    "An input with too few dimensions, another event size or an integer dtype raises, naming what came.",
    applies=_fixes_shape,
    scales=(),
    once=True,
)
def wrong_event_sizes_raise(subject: BijectorSubject, draw: Draw) -> Tally:
    """A scalar, a wrong size (where the size is fixed) and integers."""
    law, bijector, context = "wrong_event_sizes_raise", subject.bijector, subject.context(draw)
    tally = Tally(0)
    if subject.event_dim:
        tally += _raises(
            law, "a scalar", lambda: bijector.forward(torch.zeros((), dtype=subject.dtype), context), ValueError, "x"
        )
    if bijector.domain_shape is not None and subject.event_dim:
        x = subject.points(draw)
        bigger = torch.cat([x, x[..., :1]], dim=-1)
        tally += _raises(
            law, f"shape {tuple(bigger.shape)}", lambda: bijector.forward(bigger, context), ValueError, str(tuple(bigger.shape))
        )
    integers = torch.zeros(subject.points(draw).shape, dtype=torch.int64)
    return tally + _raises(law, "int64", lambda: bijector.forward(integers, context), TypeError, "int64")


@define_law("E1", "A missing, mis-sized or unwanted context raises.", scales=(), once=True)
def wrong_contexts_raise(subject: BijectorSubject, draw: Draw) -> Tally:
    """Both directions."""
    law, bijector, tally = "wrong_contexts_raise", subject.bijector, Tally(0)
    x, y = subject.points(draw), subject.outputs(draw)
    wrong: list[tuple[str, Tensor | None]] = []
    if subject.context_shape is None:
        wrong.append(("an unwanted context", torch.zeros(draw.count, 3, dtype=subject.dtype)))
    else:
        shape = (*subject.context_shape[:-1], subject.context_shape[-1] + 1) if subject.context_shape else None
        wrong.append(("no context", None))
        if shape is not None:
            wrong.append((f"context of shape {shape}", torch.zeros(shape, dtype=subject.dtype)))
    for label, context in wrong:
        for call, value in (
            (bijector.forward, x),
            (bijector.inverse, y),
            (bijector.forward_and_log_det, x),
            (bijector.inverse_and_log_det, y),
        ):
            tally += _raises(law, label, partial(call, value, context), ValueError, "context")
    return tally


@define_law(
    "E1", "A value outside the domain or codomain raises while validation is on.", applies=_restricted, scales=(), once=True
)
def values_outside_their_sets_raise(subject: BijectorSubject, draw: Draw) -> Tally:
    """One value far outside each restricted set."""
    law, bijector, context, tally = "values_outside_their_sets_raise", subject.bijector, subject.context(draw), Tally(0)
    sides = (
        ("x", bijector.domain, subject.points(draw), bijector.forward),
        ("y", bijector.codomain, subject.outputs(draw), bijector.inverse),
    )
    for name, constraint, value, call in sides:
        for offset in (-7.5, 7.5e5):
            outside = value + offset
            if is_real(core_constraint(constraint)) or bool(constraint.check(outside).all()):
                continue
            with validation(enabled=True):
                tally += _raises(law, f"{name} + {offset}", partial(call, outside, context), ValueError, name)
    return tally


@define_law("E1", "A NaN raises while validation is on.", scales=(), once=True)
def nan_raises_while_validating(subject: BijectorSubject, draw: Draw) -> Tally:
    """Each direction, and the context."""
    law, bijector, context, tally = "nan_raises_while_validating", subject.bijector, subject.context(draw), Tally(0)
    for name, value, call in (("x", subject.points(draw), bijector.forward), ("y", subject.outputs(draw), bijector.inverse)):
        poisoned = value.clone()
        poisoned.reshape(-1)[0] = torch.nan
        with validation(enabled=True):
            tally += _raises(law, f"{name} with NaN", partial(call, poisoned, context), ValueError, name)
            if context is not None and context.numel():
                lost = torch.full_like(context, torch.nan)
                tally += _raises(law, "a context of NaN", partial(call, value, lost), ValueError, "context")
    return tally


@define_law("E2", "A bijector equals itself, has a hash and a repr that names its class.", scales=(), once=True)
def equality_and_repr_are_sane(subject: BijectorSubject, draw: Draw) -> Tally:
    """Equality of the object and its inverse."""
    law, bijector = "equality_and_repr_are_sane", subject.bijector
    if not (bijector == bijector and hash(bijector) == hash(bijector) and bijector.inv == bijector.inv):
        raise LawViolation(law, "b", "b == b and b.inv == b.inv", "they differ")
    if type(bijector).__name__ not in repr(bijector):
        raise LawViolation(law, "repr", type(bijector).__name__, repr(bijector))
    return Tally()


@define_law("E2", "inv.inv is the map itself; inv swaps domain and codomain.", scales=(), once=True)
def inverse_of_inverse_is_the_map(subject: BijectorSubject, draw: Draw) -> Tally:
    """Identity of objects, not equality of values."""
    law, bijector = "inverse_of_inverse_is_the_map", subject.bijector
    if bijector.inv.inv is not bijector and bijector.inv.inv != bijector:
        raise LawViolation(law, "b.inv.inv", bijector, bijector.inv.inv)
    swapped = (repr(bijector.inv.domain), repr(bijector.inv.codomain))
    if swapped != (repr(bijector.codomain), repr(bijector.domain)):
        raise LawViolation(law, "b.inv.domain, b.inv.codomain", (bijector.codomain, bijector.domain), swapped)
    return Tally(2)


def _raises(law: str, what: str, call: Callable[[], object], error: type[Exception], text: str) -> Tally:
    try:
        with torch.no_grad():
            result = call()
    except error as caught:
        if text and text not in str(caught):
            raise LawViolation(
                law, what, f"{error.__name__} that mentions {text!r}", f"{type(caught).__name__}: {caught}"
            ) from caught
        return Tally()
    except Exception as caught:
        raise LawViolation(law, what, error.__name__, f"{type(caught).__name__}: {caught}") from caught
    raise LawViolation(law, what, error.__name__, result)


LAWS: tuple[Law, ...] = (
    wrong_event_sizes_raise,
    wrong_contexts_raise,
    values_outside_their_sets_raise,
    nan_raises_while_validating,
    equality_and_repr_are_sane,
    inverse_of_inverse_is_the_map,
)

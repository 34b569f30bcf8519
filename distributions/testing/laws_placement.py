r"""Laws of placement: a map computes where its parameters are, in the precision that they have.

The meta device carries shapes without numbers; it is on every machine, and a tensor that was created on the wrong device, or
was left behind by ``.to(device)``, meets it with an error.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.subject import BijectorSubject
from probgen.distributions.testing.validation import validation

__all__ = ["LAWS", "bfloat16_is_kept", "device_is_kept"]


def _static(subject: BijectorSubject) -> bool:
    return subject.bijector.static_graph


def _runs_in_bfloat16(subject: BijectorSubject) -> bool:
    """Whether torch has every operation of the map in bfloat16; linear algebra and some special functions are missing."""
    try:
        _evaluated(subject, torch.bfloat16)
    except (RuntimeError, NotImplementedError) as error:
        return not any(
            text in str(error) for text in ("not implemented for", "Expected a floating", "Low precision", "BFloat16")
        )
    return True


@define_law(
    "T1",
    "A map moved to another device computes there: no tensor is left behind or created elsewhere (meta device).",
    applies=_static,
    scales=(),
    once=True,
)
def device_is_kept(subject: BijectorSubject, draw: Draw) -> Tally:
    """Both directions."""
    bijector = copy.deepcopy(subject.bijector).to("meta")
    x, y, context = subject.points(draw).to("meta"), subject.outputs(draw).to("meta"), subject.context(draw)
    context = None if context is None else context.to("meta")
    with validation(enabled=False), torch.no_grad():
        results = (*bijector.forward_and_log_det(x, context), *bijector.inverse_and_log_det(y, context))
    left = [name for name, tensor in [*bijector.named_parameters(), *bijector.named_buffers()] if tensor.device.type != "meta"]
    found = tuple(value.device.type for value in results)
    if left or found != ("meta",) * 4:
        raise LawViolation("device_is_kept", "to('meta')", "y, FLDJ, x, ILDJ and all state on the device", (found, left))
    return Tally(4)


@define_law(
    "T1",
    "A bfloat16 map of bfloat16 numbers gives bfloat16 numbers, where torch has the operations.",
    applies=_runs_in_bfloat16,
    scales=(),
    once=True,
)
def bfloat16_is_kept(subject: BijectorSubject, draw: Draw) -> Tally:
    """Both directions."""
    found = tuple(value.dtype for value in _evaluated(subject, torch.bfloat16))
    if found != (torch.bfloat16,) * 4:
        raise LawViolation("bfloat16_is_kept", "bfloat16", "y, FLDJ, x, ILDJ in bfloat16", found)
    return Tally(4)


def _evaluated(subject: BijectorSubject, dtype: torch.dtype) -> tuple[Tensor, ...]:
    bijector, draw = copy.deepcopy(subject.bijector).to(dtype), Draw(seed=11)
    x, y, context = subject.points(draw).to(dtype), subject.outputs(draw).to(dtype), subject.context(draw)
    context = None if context is None else context.to(dtype)
    with validation(enabled=False), torch.no_grad():
        return (*bijector.forward_and_log_det(x, context), *bijector.inverse_and_log_det(y, context))


LAWS: tuple[Law, ...] = (device_is_kept, bfloat16_is_kept)

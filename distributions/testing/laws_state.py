r"""Laws of state: a bijector holds parameters, never values, and can be copied, pickled and restored."""

from __future__ import annotations

import copy
import io
import pickle

import torch
from torch import Tensor

from probgen.distributions.bijectors import Bijector
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law, require_equal
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.regimes import REGIMES, has_parameters
from probgen.distributions.testing.subject import BijectorSubject
from probgen.distributions.testing.validation import validation

__all__ = [
    "LAWS",
    "deepcopies_after_use",
    "forward_writes_nothing",
    "no_stale_values",
    "pickles",
    "state_dict_restores",
    "weights_only_file_restores",
]


def _learnable(subject: BijectorSubject) -> bool:
    return has_parameters(subject.bijector)


@define_law("K1", "A pickled and unpickled bijector gives bitwise the same results.", scales=(), once=True)
def pickles(subject: BijectorSubject, draw: Draw) -> Tally:
    """After one use."""
    expected = _results(subject.bijector, subject, draw)
    restored = pickle.loads(pickle.dumps(subject.bijector))
    return _same("pickles", _results(restored, subject, draw), expected)


@define_law("K1", "A deep copy taken after use gives bitwise the same results and shares no parameter.", scales=(), once=True)
def deepcopies_after_use(subject: BijectorSubject, draw: Draw) -> Tally:
    """After one use with gradients on."""
    x, context = subject.points(draw).requires_grad_(), subject.context(draw)
    expected = _results(subject.bijector, subject, draw)
    with validation(enabled=False):
        subject.bijector.inverse_and_log_det(subject.bijector.forward_and_log_det(x, context)[0], context)
    twin = copy.deepcopy(subject.bijector)
    own, others = {id(p) for p in subject.bijector.parameters()}, {id(p) for p in twin.parameters()}
    if own & others:
        raise LawViolation("deepcopies_after_use", "parameters", "none shared", f"{len(own & others)} shared")
    return _same("deepcopies_after_use", _results(twin, subject, draw), expected)


@define_law("K1", "state_dict restores the map in an object that was built from another seed.", scales=(), once=True)
def state_dict_restores(subject: BijectorSubject, draw: Draw) -> Tally:
    """Built again from another seed, then loaded."""
    other = subject.build(seed=12345)
    other.load_state_dict(subject.bijector.state_dict())
    return _same("state_dict_restores", _results(other, subject, draw), _results(subject.bijector, subject, draw))


@define_law("K1", "A state_dict survives torch.save and torch.load(weights_only=True).", scales=(), once=True)
def weights_only_file_restores(subject: BijectorSubject, draw: Draw) -> Tally:
    """Through a file in memory, without unpickling code."""
    buffer = io.BytesIO()
    torch.save(subject.bijector.state_dict(), buffer)
    buffer.seek(0)
    other = subject.build(seed=54321)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    return _same("weights_only_file_restores", _results(other, subject, draw), _results(subject.bijector, subject, draw))


@define_law(
    "H1",
    "After its parameters are changed in place, a used bijector equals a fresh one with those parameters.",
    applies=_learnable,
    scales=(),
)
def no_stale_values(subject: BijectorSubject, draw: Draw) -> Tally:
    """Use, update in place, compare with a fresh object that loads the new parameters."""
    used = copy.deepcopy(subject.bijector)
    _results(used, subject, draw)
    target = REGIMES["moderate"].apply(subject.bijector, seed=99)
    with torch.no_grad():
        for parameter, value in zip(used.parameters(), target.parameters(), strict=True):
            parameter.copy_(value)
    fresh = copy.deepcopy(subject.build(seed=0))
    fresh.load_state_dict(target.state_dict())
    return _same("no_stale_values", _results(used, subject, draw), _results(fresh, subject, draw))


@define_law("H1", "A call changes neither its input nor the bijector's parameters, buffers or attributes.")
def forward_writes_nothing(subject: BijectorSubject, draw: Draw) -> Tally:
    """State, attributes and input before and after, both directions, in training mode."""
    law, bijector = "forward_writes_nothing", subject.bijector
    x, context = subject.points(draw), subject.context(draw)
    with validation(enabled=False), torch.no_grad():
        y = bijector.forward(x.clone(), context)
        state = {name: value.clone() for name, value in [*bijector.named_parameters(), *bijector.named_buffers()]}
        names = _attributes(bijector)
        inputs = x.clone(), y.clone()
        bijector.forward_and_log_det(inputs[0], context)
        bijector.inverse_and_log_det(inputs[1], context)
    tally = require_equal(law, inputs[0], x, x) + require_equal(law, inputs[1], y, y)
    if _attributes(bijector) != names:
        raise LawViolation(law, "attributes", sorted(names), sorted(_attributes(bijector)))
    for name, value in [*bijector.named_parameters(), *bijector.named_buffers()]:
        tally += require_equal(law, value.detach(), state[name], name)
    return tally


def _attributes(bijector: Bijector) -> set[str]:
    return {f"{path}.{name}" for path, module in bijector.named_modules() for name in vars(module)}


def _results(bijector: Bijector, subject: BijectorSubject, draw: Draw) -> tuple[Tensor, ...]:
    x, y, context = subject.points(draw), subject.outputs(draw), subject.context(draw)
    with validation(enabled=False), torch.no_grad():
        return (*bijector.forward_and_log_det(x, context), *bijector.inverse_and_log_det(y, context))


def _same(law: str, got: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> Tally:
    labels = ("y = f(x)", "FLDJ(x)", "f^-1(y)", "ILDJ(y)")
    return sum((require_equal(law, a, b, label) for a, b, label in zip(got, expected, labels, strict=True)), Tally(0))


LAWS: tuple[Law, ...] = (
    pickles,
    deepcopies_after_use,
    state_dict_restores,
    weights_only_file_restores,
    no_stale_values,
    forward_writes_nothing,
)

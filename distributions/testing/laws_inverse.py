r"""Laws of the inverse: :math:`f^{-1}(f(x)) = x` and :math:`f(f^{-1}(y)) = y`, within what the conditioning allows."""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.distributions.bijectors import Bijector
from probgen.distributions.constraints import is_real
from probgen.distributions.testing.conditioning import amplification, parameter_noise
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law
from probgen.distributions.testing.points import Draw, near_an_end
from probgen.distributions.testing.subject import BijectorSubject
from probgen.distributions.testing.validation import validation

__all__ = ["LAWS", "round_trip", "round_trip_in_tails", "round_trip_of_outputs"]

NOISE_DRAWS = 3


def _unbounded(subject: BijectorSubject) -> bool:
    return is_real(subject.bijector.domain) and is_real(subject.bijector.codomain)


@define_law("R1", "f^-1(f(x)) = x within C eps (1 + |x| + kappa), for x in the domain.", scales=(0.0, 1.0, 3.0))
def round_trip(subject: BijectorSubject, draw: Draw) -> Tally:
    """Forward, then inverse."""
    return _check(subject, subject.bijector, subject.double, subject.points(draw), subject.context(draw), "round_trip")


@define_law(
    "R1", "f^-1(f(x)) = x at |x| of 10, 30 and 1000, for maps of the whole space.", applies=_unbounded, scales=(10.0, 30.0, 1e3)
)
def round_trip_in_tails(subject: BijectorSubject, draw: Draw) -> Tally:
    """Forward, then inverse, far out."""
    return _check(subject, subject.bijector, subject.double, subject.points(draw), subject.context(draw), "round_trip_in_tails")


@define_law("R2", "f(f^-1(y)) = y for y in the declared codomain: the image is the codomain.", scales=(0.0, 1.0, 3.0))
def round_trip_of_outputs(subject: BijectorSubject, draw: Draw) -> Tally:
    """Inverse, then forward."""
    y, context = subject.outputs(draw), subject.context(draw)
    return _check(subject, subject.bijector.inv, subject.double.inv, y, context, "round_trip_of_outputs")


def _check(
    subject: BijectorSubject, bijector: Bijector, double: Bijector, x: Tensor, context: Tensor | None, law: str
) -> Tally:
    """Compare ``x`` with its round trip through ``bijector``, first strictly, then as the conditioning allows."""
    with validation(enabled=False), torch.no_grad():
        y = bijector.forward(x, context)
        back = bijector.inverse(y, context)
    if back.shape != x.shape:
        raise LawViolation(law, f"x of shape {tuple(x.shape)}", tuple(x.shape), tuple(back.shape))
    error = (back - x).abs()
    unit = subject.slack * subject.eps
    bad = ~(error <= unit * (1 + x.abs()))
    if not bool(bad.any()):
        return Tally(x.numel())
    wide, wide_context = x.double(), None if context is None else context.double()
    with validation(enabled=False):
        kappa = amplification(double.inv, double._forward(wide, wide_context).detach(), wide_context)
    hopeless = kappa * subject.eps > 0.1
    flagged = back.isnan() & (not subject.bijector.exact_inverse)
    overflow = _whole(bijector, ~y.isfinite(), x)
    bad = bad & ~_saturated(subject, bijector, double, (x, y, back), context, hopeless)
    skipped = bad & (hopeless | flagged | overflow)
    wrong = bad & ~skipped & ~(error <= unit * (1 + x.abs() + kappa))
    if bool(wrong.any()):
        wrong = wrong & ~(
            error <= unit * (1 + x.abs() + kappa) + subject.slack * _noise(double, wide, wide_context, subject.eps)
        )
    if bool(wrong.any()):
        size = torch.where(wrong, x.abs().to(torch.float64), torch.inf)
        index = tuple(int(i) for i in torch.unravel_index(size.argmin(), size.shape))
        event = index[: x.dim() - bijector.domain.event_dim]
        raise LawViolation(law, x[event], x[event], back[event])
    return Tally(x.numel(), int(skipped.sum()))


def _saturated(
    subject: BijectorSubject,
    bijector: Bijector,
    double: Bijector,
    trip: tuple[Tensor, Tensor, Tensor],
    context: Tensor | None,
    hopeless: Tensor,
) -> Tensor:
    """Where ``y`` was rounded to an end of the codomain, and both passes are right for the ``y`` that there is.

    ``x`` cannot come back then. What can be asked for: ``y`` is the value of the float64 map, and ``f`` of what came back is
    ``y``, both within rounding.
    """
    x, y, back = trip
    wide_context = None if context is None else context.double()
    unit = subject.eps * (1 + y.abs())
    with validation(enabled=False), torch.no_grad():
        again = (bijector.forward(back, context) - y).abs()
        exact = (double.forward(x.double(), wide_context) - y.double()).abs()
    right = (again <= subject.slack * unit) & (exact <= subject.slack * unit)
    rounded = _whole(bijector, near_an_end(bijector.codomain, y, 4 * unit), x)
    close = _whole(bijector, near_an_end(bijector.codomain, y, subject.slack * unit), x)
    return ~_whole(bijector, ~right, x) & (rounded | (close & hopeless))


def _whole(bijector: Bijector, chosen: Tensor, x: Tensor) -> Tensor:
    """Whether any coordinate of an event of ``y`` is chosen, for every coordinate of the event of ``x``."""
    batch = chosen.shape[: chosen.dim() - bijector.codomain.event_dim]
    events = chosen.reshape(*batch, -1).any(-1)
    return events.reshape(events.shape + (1,) * bijector.domain.event_dim).expand_as(x)


def _noise(double: Bijector, x: Tensor, context: Tensor | None, eps: float) -> Tensor:
    """Error of the float64 round trip when parameters differ by rounding between the two passes."""
    size = max(eps, 1e-12)
    worst = torch.zeros_like(x)
    with validation(enabled=False), torch.no_grad():
        exact = double.inverse(double.forward(x, context), context)
        for seed in range(NOISE_DRAWS):
            y = parameter_noise(double, size, 2 * seed).forward(x, context)
            back = parameter_noise(double, size, 2 * seed + 1).inverse(y, context)
            worst = torch.maximum(worst, (back - exact).abs().nan_to_num(torch.inf))
    return worst * (eps / size)


LAWS: tuple[Law, ...] = (round_trip, round_trip_in_tails, round_trip_of_outputs)

r"""Laws of the log-determinant: it is that of the true Jacobian, in both directions, in both precisions, every time."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from probgen.distributions.bijectors import Bijector, Compose
from probgen.distributions.testing.conditioning import amplification, parameter_noise
from probgen.distributions.testing.jacobians import autograd_log_det, jacobian
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law, require_equal
from probgen.distributions.testing.points import Draw, is_flat, near_an_end
from probgen.distributions.testing.subject import BijectorSubject
from probgen.distributions.testing.validation import validation

__all__ = [
    "LAWS",
    "composition_adds_log_dets",
    "constant_log_det_is_constant",
    "inverse_log_det_matches_autograd",
    "inverse_log_det_negates",
    "log_det_agrees_across_methods",
    "log_det_is_pure",
    "log_det_matches_autograd",
    "single_precision_agrees_with_double",
]

KINK_STEP = 1e-7


@define_law("L1", "FLDJ(x) = log|det J| with J from autograd in float64 and free coordinates, away from kinks.")
def log_det_matches_autograd(subject: BijectorSubject, draw: Draw) -> Tally:
    """The forward log-determinant."""
    x = subject.points(draw, dtype=torch.float64)  # rounded to float32, a curved set is left
    return _against_autograd(subject, subject.double, x, subject.context(draw), "log_det_matches_autograd")


@define_law("L1", "ILDJ(y) = log|det J| of the inverse map, from autograd through the inverse.")
def inverse_log_det_matches_autograd(subject: BijectorSubject, draw: Draw) -> Tally:
    """The inverse log-determinant, at images of valid inputs."""
    context = _double(subject.context(draw))
    with validation(enabled=False), torch.no_grad():
        y = subject.double.forward(subject.points(draw, dtype=torch.float64), context)
    return _against_autograd(subject, subject.double.inv, y, context, "inverse_log_det_matches_autograd")


@define_law("L2", "ILDJ(y) = -FLDJ(f^-1(y)): the two directions are computed by different code and agree.")
def inverse_log_det_negates(subject: BijectorSubject, draw: Draw) -> Tally:
    """Both log-determinants at the same point."""
    bijector, context = subject.bijector, subject.context(draw)
    with validation(enabled=False), torch.no_grad():
        y = bijector.forward(subject.points(draw), context)
        x, ildj = bijector.inverse_and_log_det(y, context)
        fldj = bijector.forward_and_log_det(x, context)[1]
    if ildj.shape != fldj.shape:
        raise LawViolation("inverse_log_det_negates", f"shape {tuple(y.shape)}", tuple(fldj.shape), tuple(ildj.shape))
    return _compare(subject, ildj, -fldj, x, context, "inverse_log_det_negates")


@define_law(
    "L3",
    "float32 values of FLDJ differ from float64 ones by no more than the conditioning explains.",
    scales=(0.0, 1.0, 3.0, 10.0),
)
def single_precision_agrees_with_double(subject: BijectorSubject, draw: Draw) -> Tally:
    """The float32 log-determinant against the same map in float64."""
    single = copy.deepcopy(subject.bijector).float()
    reference = copy.deepcopy(single).double()
    x, context = subject.points(draw).float(), subject.context(draw)
    context = None if context is None else context.float()
    eps = float(torch.finfo(torch.float32).eps)
    with validation(enabled=False), torch.no_grad():
        got = single.forward_and_log_det(x, context)[1].double()
        expected = reference.forward_and_log_det(x.double(), _double(context))[1]
        spread = _spread(reference, x.double(), _double(context), eps)
    coordinates = max(x.numel() // max(got.numel(), 1), 1)
    allowed = 256 * subject.tolerance * (spread + eps * coordinates * (1 + expected.abs()))
    bad = ~(got == expected) & ~((got - expected).abs() <= allowed)
    hopeless = ~spread.isfinite() | (spread > 0.1)
    return _verdict(bad, bad & hopeless, x, expected, got, "single_precision_agrees_with_double")


@define_law("L4", "FLDJ of a composition is the sum of its parts', also nested and with a part used twice.")
def composition_adds_log_dets(subject: BijectorSubject, draw: Draw) -> Tally:
    """f, then its inverse, then f again; the same object is used three times."""
    bijector, context = subject.bijector, subject.context(draw)
    x = subject.points(draw)
    with validation(enabled=False), torch.no_grad():
        y, first = bijector.forward_and_log_det(x, context)
        back, second = bijector.inverse_and_log_det(y, context)
        again, third = bijector.forward_and_log_det(back, context)
        nested = Compose(Compose(bijector, bijector.inv), bijector)
        value, total = nested.forward_and_log_det(x, context)
    require_equal("composition_adds_log_dets", value, again, x)
    scale = 1 + first.abs() + second.abs() + third.abs()
    tolerance = subject.slack * subject.eps * scale.nan_to_num(1.0, 1.0, 1.0)
    return require_equal("composition_adds_log_dets", total, first + second + third, x, tolerance=tolerance)


@define_law("L5", "The log-determinant is a pure function: it does not depend on earlier calls or on their order.")
def log_det_is_pure(subject: BijectorSubject, draw: Draw) -> Tally:
    """Evaluate at x, elsewhere, inverse, and at x again."""
    bijector, context = subject.bijector, subject.context(draw)
    x, other = subject.points(draw), subject.points(Draw(seed=draw.seed + 7, scale=2.0, count=draw.count))
    with validation(enabled=False), torch.no_grad():
        y, first = bijector.forward_and_log_det(x, context)
        bijector.inverse_and_log_det(bijector.forward(other, context), context)
        bijector.forward_and_log_det(other, context)
        y_again, second = bijector.forward_and_log_det(x, context)
    return require_equal("log_det_is_pure", y_again, y, x) + require_equal("log_det_is_pure", second, first, x)


@define_law(
    "L6",
    "Where constant_log_det is declared, FLDJ has the same value at every x.",
    applies=lambda s: s.bijector.constant_log_det,
)
def constant_log_det_is_constant(subject: BijectorSubject, draw: Draw) -> Tally:
    """The log-determinant at drawn points and at zero, one context."""
    x, context = subject.points(draw), subject.context(draw)
    origin = subject.points(Draw(scale=0.0, count=draw.count))
    with validation(enabled=False), torch.no_grad():
        got = subject.bijector.forward_and_log_det(x, context)[1]
        expected = subject.bijector.forward_and_log_det(origin, context)[1]
    return require_equal("constant_log_det_is_constant", got, expected, x)


@define_law("L5", "Value and log-determinant are the same from the fused call, the separate calls and torch's vocabulary.")
def log_det_agrees_across_methods(subject: BijectorSubject, draw: Draw) -> Tally:
    """forward, inverse, forward_log_det_jacobian, inverse_log_det_jacobian, log_abs_det_jacobian."""
    bijector, context, law = subject.bijector, subject.context(draw), "log_det_agrees_across_methods"
    x = subject.points(draw)
    if context is not None:
        bijector = bijector.condition(context)
    with validation(enabled=False), torch.no_grad():
        y, fldj = bijector.forward_and_log_det(x)
        tally = _same_value(subject, law, bijector(x), y, subject.double, x, context)
        tally += require_equal(law, bijector.forward_log_det_jacobian(x), fldj, x)
        back, ildj = bijector.inverse_and_log_det(y)
        tally += _same_value(subject, law, bijector.inverse(y), back, subject.double.inv, y, context)
        tally += require_equal(law, bijector.inverse_log_det_jacobian(y), ildj, y)
        tally += _same_value(subject, law, bijector.inv(y), back, subject.double.inv, y, context)
        expected = -ildj if bijector.fast_direction == "inverse" else fldj
        return tally + require_equal(law, bijector.log_abs_det_jacobian(x, y), expected, x)


# ---------------------------------------------------------------------------------------------------------------------- helpers


def _same_value(
    subject: BijectorSubject, law: str, got: Tensor, expected: Tensor, double: Bijector, where: Tensor, context: Tensor | None
) -> Tally:
    """Compare two evaluations of one map at ``where``, first strictly, then as rounding between its layers allows."""
    unit = subject.slack * subject.eps
    tolerance = unit * (1 + expected.abs())
    if bool(((got - expected).abs() > tolerance).any()):
        kappa = amplification(double, where.double(), _double(context))
        tolerance = tolerance + unit * torch.where(kappa * subject.eps > 0.1, 0.0, kappa).to(tolerance.dtype)
    return require_equal(law, got, expected, where, tolerance=tolerance)


def _against_autograd(subject: BijectorSubject, bijector: Bijector, x: Tensor, context: Tensor | None, law: str) -> Tally:
    """Compare a log-determinant in float64 with the autograd oracle; at a kink either side's value is right."""
    context = _double(context)

    def function(value: Tensor) -> Tensor:
        return bijector._forward(value, context)

    def oracle(value: Tensor) -> Tensor:
        return autograd_log_det(function, value, bijector.domain, bijector.codomain)

    with validation(enabled=False):
        got = bijector._forward_and_log_det(x, context)[1].detach()
        expected = oracle(x)
        if got.shape != expected.shape:
            raise LawViolation(
                law, f"x of shape {tuple(x.shape)}", f"shape {tuple(expected.shape)}", f"shape {tuple(got.shape)}"
            )
        bad = ~((got - expected).abs() <= subject.tolerance * 1e-8 * (1 + expected.abs()))
        if not bool(bad.any()):
            return Tally(got.numel())
        noise = _noise_at_an_end(bijector, function(x).detach())
        bad = bad & ~((got - expected).abs() <= subject.tolerance * (1e-8 * (1 + expected.abs()) + noise))
        skipped = bad & (_kink(oracle, x, expected) | _singular(bijector, function, x) | noise.isinf())
    return _verdict(bad, skipped, x, expected, got, law)


def _kink(oracle: Callable[[Tensor], Tensor], x: Tensor, expected: Tensor) -> Tensor:
    """Where the oracle jumps between the two sides of ``x``."""
    step = KINK_STEP * (1 + x.abs())
    left, right = oracle(x - step), oracle(x + step)
    size = 1e-4 * (1 + expected.abs())
    return ((left - right).abs() > size) | ((left - expected).abs() > size) | ((right - expected).abs() > size)


def _singular(bijector: Bijector, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Where the Jacobian is so ill-conditioned (or overflowed) that its determinant has no digits."""
    if not (is_flat(bijector.domain) and is_flat(bijector.codomain)):
        return torch.zeros(x.shape[: x.dim() - bijector.domain.event_dim], dtype=torch.bool)
    matrix = jacobian(function, x, bijector.domain.event_dim, bijector.codomain.event_dim)
    finite = matrix.isfinite().all(-1).all(-1)
    values = torch.linalg.svdvals(torch.where(finite[..., None, None], matrix, torch.zeros_like(matrix)))
    largest: Tensor = values[..., 0]
    smallest: Tensor = values[..., -1]
    return ~finite | (smallest <= 1e-10 * largest) | (largest == 0) | (smallest < 1e-300)


def _noise_at_an_end(bijector: Bijector, y: Tensor) -> Tensor:
    """Error of autograd's log-slope near an end of the codomain, where ``1 - y`` has lost digits; infinite if all of them."""
    noise = torch.zeros_like(y)
    eps = float(torch.finfo(y.dtype).eps)
    for power in range(6, 14):
        near = near_an_end(bijector.codomain, y, 10.0**-power * (1 + y.abs()))
        noise = torch.where(near, 640 * eps * 10.0**power, noise)
    noise = torch.where(near_an_end(bijector.codomain, y, 256 * eps * (1 + y.abs())), torch.inf, noise)
    return noise.reshape(*y.shape[: y.dim() - bijector.codomain.event_dim], -1).sum(-1)


def _compare(subject: BijectorSubject, got: Tensor, expected: Tensor, x: Tensor, context: Tensor | None, law: str) -> Tally:
    """Compare log-determinants at ``x``, allowing for the error of ``x`` itself and for kinks."""
    size = max(x.numel() // max(got.numel(), 1), 1)
    unit = subject.slack * subject.eps
    bad = ~((got - expected).abs() <= unit * size * (1 + expected.abs())) & ~((got == expected) & got.isinf())
    if not bool(bad.any()):
        return Tally(got.numel())
    double, wide, wide_context = subject.double, x.double(), _double(context)
    rank = double.domain.event_dim
    with validation(enabled=False), torch.no_grad():
        kappa = amplification(double.inv, double._forward(wide, wide_context), wide_context)
        shift = 4 * subject.eps * (1 + (1 + kappa) / (1 + wide.abs()))
        spread = _spread(double, wide, wide_context, subject.eps, shift.clamp_max(1.0))
    hopeless = (kappa * subject.eps > 0.1).reshape(*x.shape[: x.dim() - rank], -1).any(-1) | ~spread.isfinite()
    flagged = got.isnan() & (not subject.bijector.exact_inverse)
    bad = bad & ~((got - expected).abs() <= unit * size * (1 + expected.abs()) + subject.slack * spread)
    return _verdict(bad, bad & (hopeless | flagged), x, expected, got, law)


def _verdict(bad: Tensor, skipped: Tensor, x: Tensor, expected: Tensor, got: Tensor, law: str) -> Tally:
    wrong = bad & ~skipped
    if bool(wrong.any()):
        places = wrong.nonzero()
        norms = torch.stack([x[tuple(place)].double().norm() for place in places])
        index = tuple(int(i) for i in places[int(norms.argmin())])
        raise LawViolation(law, x[index], expected[index], got[index])
    return Tally(bad.numel(), int((bad & skipped).sum()))


def _double(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.double()


def _spread(double: Bijector, x: Tensor, context: Tensor | None, eps: float, shift: Tensor | float | None = None) -> Tensor:
    """How far FLDJ moves when parameters move by ``eps`` and inputs by ``shift`` (default ``eps``), relative to ``1 + |x|``."""
    reference = double._forward_and_log_det(x, context)[1]
    worst = torch.zeros_like(reference)
    for seed in range(6):
        generator = torch.Generator().manual_seed(seed)
        direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        size = eps * x.abs() if shift is None else shift * (1 + x.abs())
        noisy = parameter_noise(double, eps, seed)._forward_and_log_det(x + size * direction, context)[1]
        worst = torch.maximum(worst, (noisy - reference).abs().nan_to_num(torch.inf))
    return worst


LAWS: tuple[Law, ...] = (
    log_det_matches_autograd,
    inverse_log_det_matches_autograd,
    inverse_log_det_negates,
    single_precision_agrees_with_double,
    composition_adds_log_dets,
    log_det_is_pure,
    constant_log_det_is_constant,
    log_det_agrees_across_methods,
)

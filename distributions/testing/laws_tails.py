r"""Laws of the far tails in float32: no overflow, no flush to zero, no lost digits where the true value is an ordinary number.

A formula from a book is often right only where its intermediate numbers are ordinary: in float32, :math:`\log(1 + e^x)`
overflows above :math:`x = 89` and is exactly zero, outside its codomain, below :math:`x = -17`. The same map in float64 goes
much further, and tells what float32 should have given.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from probgen.distributions.bijectors import Bijector
from probgen.distributions.testing.conditioning import parameter_noise
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.subject import BijectorSubject
from probgen.distributions.testing.validation import validation

__all__ = ["LAWS", "single_precision_reaches_the_tails"]

NOISE_DRAWS = 4


@define_law(
    "N1",
    "In float32, for |x| up to 10^4, y and FLDJ are finite, y lies in the codomain and is accurate, wherever float64 says so.",
    scales=(10.0, 30.0, 100.0, 1e4),
)
def single_precision_reaches_the_tails(subject: BijectorSubject, draw: Draw) -> Tally:
    """The float32 map against the same map in float64, at the same points."""
    single = copy.deepcopy(subject.bijector).float()
    double = copy.deepcopy(single).double()
    x, context = subject.points(draw).float(), subject.context(draw)
    context = None if context is None else context.float()
    wide = None if context is None else context.double()
    with validation(enabled=False), torch.no_grad():
        y, fldj = single.forward_and_log_det(x, context)
        exact, exact_fldj = double.forward_and_log_det(x.double(), wide)
    _require_finite(y, exact, x, "finite y")
    _require_finite(fldj, exact_fldj, x, "finite FLDJ")
    _require_inside(single, y, exact, x)
    return _require_accurate(subject, (double, x.double(), wide), y.double(), exact) + Tally(fldj.numel())


def _require_finite(got: Tensor, exact: Tensor, x: Tensor, what: str) -> None:
    limit = torch.finfo(torch.float32).max / 1e3
    lost = ~got.isfinite() & exact.isfinite() & (exact.abs() < limit)
    if bool(lost.any()):
        place = tuple(lost.nonzero()[0].tolist())
        raise LawViolation("single_precision_reaches_the_tails", x[place], f"{what}, {exact[place].item():.6g}", got[place])


def _require_inside(bijector: Bijector, got: Tensor, exact: Tensor, x: Tensor) -> None:
    """A value may leave its set only if rounding the true value to float32 leaves it."""
    codomain = bijector.codomain
    tiny = torch.finfo(torch.float32).tiny
    rounded = torch.where(exact.abs() < tiny, torch.zeros_like(exact), exact).float()
    outside = ~codomain.check(got) & codomain.check(rounded) & codomain.check(exact)
    if bool(outside.any()):
        place = tuple(outside.nonzero()[0].tolist())
        raise LawViolation("single_precision_reaches_the_tails", x[place], f"{codomain}, {exact[place]}", got[place])


def _require_accurate(
    subject: BijectorSubject, reference: tuple[Bijector, Tensor, Tensor | None], got: Tensor, exact: Tensor
) -> Tally:
    """Within what moving inputs and parameters by one rounding explains; what moves by a tenth is skipped and counted."""
    eps = float(torch.finfo(torch.float32).eps)
    unit = 256 * subject.tolerance * eps
    error = (got - exact).abs()
    bad = ~(error <= unit * (1 + exact.abs())) & exact.isfinite() & got.isfinite()
    if not bool(bad.any()):
        return Tally(got.numel())
    double, x, context = reference
    spread = torch.zeros_like(exact)
    with validation(enabled=False), torch.no_grad():
        for seed in range(NOISE_DRAWS):
            sign = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
            moved = parameter_noise(double, eps, seed)._forward(x + eps * x.abs() * sign, context)
            spread = torch.maximum(spread, (moved - exact).abs().nan_to_num(torch.inf))
    skipped = bad & ~(spread <= 0.1 * (1 + exact.abs()))
    wrong = bad & ~skipped & ~(error <= unit * (1 + exact.abs()) + 256 * subject.tolerance * spread)
    if bool(wrong.any()):
        place = tuple(wrong.nonzero()[0].tolist())
        raise LawViolation("single_precision_reaches_the_tails", x[place[: x.dim()]], exact[place], got[place])
    return Tally(got.numel(), int(skipped.sum()))


LAWS: tuple[Law, ...] = (single_precision_reaches_the_tails,)

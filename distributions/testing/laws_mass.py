r"""Laws of mass: a bijector pushes a distribution of mass one to a distribution of mass one over its *declared* codomain.

.. math::

    \int_{\mathrm{codomain}} p_0(f^{-1}(y))\, |\det J_{f^{-1}}(y)| \, dy = 1.

A map whose image is smaller than its codomain, or whose log-determinant is wrong, fails it, and no Jacobian is needed.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

from probgen.distributions.constraints import is_real
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law
from probgen.distributions.testing.oracles import event_points
from probgen.distributions.testing.points import Draw, chart_of, is_flat
from probgen.distributions.testing.quadrature import placed_integral
from probgen.distributions.testing.subject import BijectorSubject
from probgen.distributions.testing.validation import validation

__all__ = ["LAWS", "pushforward_has_mass_one"]


def _small(subject: BijectorSubject) -> bool:
    flat = is_flat(subject.bijector.domain) and is_flat(subject.bijector.codomain)
    return flat and math.prod(subject.input_event) <= 2 and math.prod(subject.output_event) <= 2


@define_law(
    "Q1",
    "A normal law, pushed forward, has mass one over the declared codomain (adaptive quadrature).",
    applies=_small,
    scales=(),
)
def pushforward_has_mass_one(subject: BijectorSubject, draw: Draw) -> Tally:
    """Judged where the quadrature knows its error to 5e-3, else skipped and counted."""
    dim = math.prod(subject.output_event)
    context = subject.context(Draw(seed=draw.seed), (1,))
    context = None if context is None else context.double()
    with validation(enabled=False), torch.no_grad():
        mass, error = _mass(subject, context, dim)
    allowed = subject.tolerance * (1e-4 if dim == 1 else 2e-3) + 2 * error
    unresolved = ~(error <= 5e-3)
    wrong = ~((mass - 1).abs() <= allowed) & ~unresolved
    if bool(wrong.any()):
        raise LawViolation("pushforward_has_mass_one", "a normal base", 1.0, mass[wrong][0])
    return Tally(mass.numel(), int(unresolved.sum()))


def _mass(subject: BijectorSubject, context: Tensor | None, dim: int) -> tuple[Tensor, Tensor]:
    bijector, event, rank = subject.double, torch.Size(subject.output_event), subject.output_dim
    center, scale = _base(subject, context)
    noise = torch.randn((2000, *center.shape), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    cloud = bijector.forward(_constrained(bijector.domain, center + scale * noise), context)

    def log_density(u: Tensor) -> Tensor:
        y, log_weight = event_points(bijector.codomain, event, u)
        x, ildj = bijector.inverse_and_log_det(y.reshape(*y.shape[: y.dim() - len(event)], *event), context)
        return _normal(bijector.domain, x, subject.event_dim, center, scale) + ildj + log_weight

    free = cloud if is_real(bijector.codomain) else chart_of(bijector.codomain).inv(cloud)
    return placed_integral(log_density, free.reshape(*cloud.shape[: cloud.dim() - rank], dim).nan_to_num().clamp(-1e6, 1e6))


def _base(subject: BijectorSubject, context: Tensor | None) -> tuple[Tensor, Tensor]:
    """Center and scale, in unconstrained coordinates of the domain: standard, unless the codomain has ends.

    A map onto an interval may carry the standard normal to a place where floating-point numbers do not resolve it. Then the
    base lies where the map takes its values: at the median of the preimages of central values, and as wide as they are,
    up to the standard normal (a wider one has two sharp peaks at the ends of an interval).
    """
    bijector = subject.double
    x = subject.points(Draw(scale=1.0, count=2001)).double()
    if not is_real(bijector.codomain):
        x = bijector.inverse(subject.outputs(Draw(seed=2, scale=1.0, count=2001)).double(), context)
    u = (x if is_real(bijector.domain) else chart_of(bijector.domain).inv(x)).nan_to_num()
    if is_real(bijector.codomain):
        return torch.zeros_like(u[0]), torch.ones_like(u[0])
    center = u.median(0).values
    return center, ((u - center).abs().median(0).values * 1.4826 + 1e-6).clamp_max(1.0)


def _constrained(domain: Constraint, u: Tensor) -> Tensor:
    return u if is_real(domain) else cast(Tensor, chart_of(domain)(u))


def _normal(domain: Constraint, x: Tensor, rank: int, center: Tensor, scale: Tensor) -> Tensor:
    """Log-density on the domain of a normal law in its unconstrained coordinates."""
    batch = x.shape[: x.dim() - rank]
    u, log_det = x, torch.zeros(batch, dtype=x.dtype)
    if not is_real(domain):
        chart = chart_of(domain)
        u = chart.inv(x)
        log_det = -chart.log_abs_det_jacobian(u, x).reshape(*batch, -1).sum(-1)
    normal = -0.5 * (((u - center) / scale).square() + math.log(2 * math.pi)) - scale.log()
    return normal.reshape(*batch, -1).sum(-1) + log_det


LAWS: tuple[Law, ...] = (pushforward_has_mass_one,)

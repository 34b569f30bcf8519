r"""Laws of mass: a bijector pushes a distribution of mass one to a distribution of mass one over its *declared* codomain.

.. math::

    \int_{\mathrm{codomain}} p_0(f^{-1}(y))\, |\det J_{f^{-1}}(y)| \, dy = 1.

A map whose image is smaller than its codomain, or whose log-determinant is wrong, fails it, and no Jacobian is needed.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law
from probgen.distributions.testing.oracles import placed_grid
from probgen.distributions.testing.points import Draw, chart_of, is_flat, is_real
from probgen.distributions.testing.subject import BijectorSubject
from probgen.distributions.testing.validation import validation

__all__ = ["LAWS", "pushforward_has_mass_one"]


def _small(subject: BijectorSubject) -> bool:
    flat = is_flat(subject.bijector.domain) and is_flat(subject.bijector.codomain)
    return flat and math.prod(subject.input_event) <= 2 and math.prod(subject.output_event) <= 2


@define_law(
    "Q1",
    "A standard normal, pushed forward, has mass one over the declared codomain (midpoint rule).",
    applies=_small,
    scales=(),
)
def pushforward_has_mass_one(subject: BijectorSubject, draw: Draw) -> Tally:
    """Two resolutions; judged where they agree to 5e-3, else skipped and counted."""
    dim = math.prod(subject.output_event)
    masses = [_mass(subject, cells, dim, draw) for cells in ((10_001, 20_001) if dim == 1 else (151, 301))]
    coarse, fine = masses
    unresolved = ~((coarse - fine).abs() <= 5e-3)
    allowed = subject.tolerance * (1e-4 if dim == 1 else 2e-3) + 4 * (coarse - fine).abs()
    wrong = ~((fine - 1).abs() <= allowed) & ~unresolved
    if bool(wrong.any()):
        raise LawViolation("pushforward_has_mass_one", "a standard normal base", 1.0, fine[wrong][0])
    return Tally(fine.numel(), int(unresolved.sum()) if dim == 1 else 0)


def _mass(subject: BijectorSubject, cells: int, dim: int, draw: Draw) -> Tensor:
    bijector, event, rank = subject.double, subject.output_event, subject.output_dim
    context = subject.context(Draw(seed=draw.seed), (1,))
    context = None if context is None else context.double()
    chart = None if is_real(bijector.codomain) else chart_of(bijector.codomain)
    with validation(enabled=False), torch.no_grad():
        cloud = bijector.forward(subject.points(Draw(seed=1, count=2000)).double(), context)
        free = cloud if chart is None else chart.inv(cloud)
        free = free.reshape(*cloud.shape[: cloud.dim() - rank], dim).nan_to_num().clamp(-1e6, 1e6)
        u, log_weight = placed_grid(free, cells)
        u = u.reshape(*u.shape[:-1], *event)
        y = u if chart is None else chart(u)
        if chart is not None:
            log_weight = log_weight + chart.log_abs_det_jacobian(u, y).reshape(*log_weight.shape, -1).sum(-1)
        x, ildj = bijector.inverse_and_log_det(y, context)
        term = _base(bijector.domain, x, subject.event_dim) + ildj + log_weight
    return torch.where(term.isnan(), -torch.inf, term).exp().sum(0)


def _base(domain: Constraint, x: Tensor, rank: int) -> Tensor:
    """Log-density on the domain of a standard normal in its unconstrained coordinates."""
    batch = x.shape[: x.dim() - rank]
    if is_real(domain):
        u, log_det = x, torch.zeros(batch, dtype=x.dtype)
    else:
        chart = chart_of(domain)
        u = chart.inv(x)
        log_det = -chart.log_abs_det_jacobian(u, x).reshape(*batch, -1).sum(-1)
    normal = -0.5 * (u.square() + math.log(2 * math.pi))
    return normal.reshape(*batch, -1).sum(-1) + log_det


LAWS: tuple[Law, ...] = (pushforward_has_mass_one,)

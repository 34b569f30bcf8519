r"""Laws of reparameterized gradients: right draw by draw, and right in expectation.

For a draw :math:`x_\theta` and a bounded function :math:`h`, the pathwise and the score-function gradient agree:

.. math::

    \mathbb E[\partial_\theta h(x_\theta)] = \mathbb E[h(x)\, \partial_\theta \log p_\theta(x)],

along any direction in parameter space. The left side knows how draws move, the right side how the density does; for a scalar
distribution that is the implicit formula :math:`\partial_\theta x = -\partial_\theta F / p`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from probgen.distributions.testing.distribution_subject import DistributionSubject, default_dtype
from probgen.distributions.testing.law import Law, Tally, define_law, require_equal
from probgen.distributions.testing.laws_density import dimension_of, first_of_batch, is_continuous, require_passed
from probgen.distributions.testing.oracles import free_coordinates_of, placement
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.statistics import FALSE_ALARM, mean_test
from probgen.distributions.testing.validation import validation

__all__ = ["LAWS", "pathwise_gradient_is_the_score_gradient", "pointwise_gradient_is_that_of_the_draw"]

STEP = 1e-5
MOST_DRAWS = 20_000


def _reparameterized(subject: DistributionSubject) -> bool:
    if not subject.distribution.has_rsample or not subject.parameters:
        return False
    return all(parameter.dtype == torch.float64 for parameter in subject.wide.parameters)


def _both_gradients(subject: DistributionSubject) -> bool:
    return is_continuous(subject) and dimension_of(subject) > 0 and _reparameterized(subject)


@define_law(
    "D3",
    "The gradient of rsample is that of the draw as a function of the parameters, at fixed noise.",
    kind="distribution",
    applies=_reparameterized,
    scales=(),
)
def pointwise_gradient_is_that_of_the_draw(subject: DistributionSubject, draw: Draw) -> Tally:
    """Central differences with common random numbers, in float64, along one direction of parameter space."""
    wide, law = subject.wide, "pointwise_gradient_is_that_of_the_draw"
    parameters, direction = wide.parameters, _direction(wide.parameters, draw)
    grads = torch.autograd.grad(_drawn(wide, draw, 16).tanh().sum(), parameters, allow_unused=True)
    pairs: Any = zip(grads, direction, strict=True)
    got = torch.as_tensor(sum((g * d).sum() for g, d in pairs if g is not None)).detach()
    plus, minus = (_moved(wide, direction, sign * STEP, draw, 16)[0].tanh().sum() for sign in (1, -1))
    expected = (plus - minus) / (2 * STEP)
    return require_equal(law, got, expected, draw, tolerance=1e-4 * (1 + float(expected.abs())))


@define_law(
    "D3",
    "In expectation the pathwise gradient is the score-function gradient: draws and density move together (CLT).",
    kind="distribution",
    applies=_both_gradients,
    scales=(),
    false_alarm=FALSE_ALARM,
)
def pathwise_gradient_is_the_score_gradient(subject: DistributionSubject, draw: Draw) -> Tally:
    """Differences of the two terms, draw by draw, in float64; tails too heavy for the CLT are skipped and counted."""
    wide, count = subject.wide, min(subject.samples, MOST_DRAWS)
    direction = _direction(wide.parameters, draw)
    with torch.no_grad():
        fixed = _drawn(wide, draw, count)
    (up, log_up), (down, log_down) = (_moved(wide, direction, sign * STEP, draw, count, fixed) for sign in (1, -1))
    bump = _bump(wide, fixed)
    values = [bump(value) for value in (up, down, fixed)]
    path = (values[0] - values[1]) / (2 * STEP)
    score = (first_of_batch(wide, log_up) - first_of_batch(wide, log_down)) / (2 * STEP)
    terms = path - values[2] * score
    if float((terms - terms.mean()).abs().max()) > 0.7 * math.sqrt(len(terms)) * float(terms.std()):
        return Tally(10, skipped=10)
    expected, got = f"{float((values[2] * score).mean()):.5g} from the score", f"{float(path.mean()):.5g} pathwise"
    return require_passed(mean_test(terms, 0.0), "pathwise_gradient_is_the_score_gradient", expected, got)


def _bump(subject: DistributionSubject, cloud: Tensor) -> Callable[[Tensor], Tensor]:
    """A smooth, lopsided function of a draw (first element of the batch) that vanishes far from the cloud's median.

    It keeps the variance of the score term finite: far out the score may grow, and there the function is zero.
    """
    dim, support = dimension_of(subject), subject.distribution.support
    middle, factor = placement(first_of_batch(subject, free_coordinates_of(support, cloud, dim)))

    def function(value: Tensor) -> Tensor:
        u = first_of_batch(subject, free_coordinates_of(support, value, dim)).double()
        white = torch.linalg.solve_triangular(factor, (u - middle).mT, upper=False).mT / 2
        values: Tensor = torch.exp(-0.5 * white.square().mean(-1)) * (1 + white.sum(-1).tanh())
        return values

    return function


def _direction(parameters: list[nn.Parameter], draw: Draw) -> list[Tensor]:
    generator = torch.Generator().manual_seed(draw.seed)
    return [torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p) for p in parameters]


def _drawn(subject: DistributionSubject, draw: Draw, count: int) -> Tensor:
    with torch.random.fork_rng(devices=[]), validation(enabled=False), default_dtype(subject.dtype):
        torch.manual_seed(draw.seed)
        value: Tensor = subject.distribution.rsample(torch.Size((count,)))
    return value


def _moved(
    subject: DistributionSubject, direction: list[Tensor], step: float, draw: Draw, count: int, scored: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Draws with the parameters moved by one step, and the log-density of ``scored`` there; then moves them back."""
    parameters = subject.parameters
    before = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for parameter, start, d in zip(parameters, before, direction, strict=True):
            parameter.copy_(start + step * d)
        value = _drawn(subject, draw, count)
        with validation(enabled=False), default_dtype(subject.dtype):
            log_prob = value if scored is None else subject.distribution.log_prob(scored.clone())
        for parameter, start in zip(parameters, before, strict=True):
            parameter.copy_(start)
    return value, log_prob


LAWS: tuple[Law, ...] = (pointwise_gradient_is_that_of_the_draw, pathwise_gradient_is_the_score_gradient)

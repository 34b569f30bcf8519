r"""Laws of a distribution at a ``pyro.sample`` site."""

from __future__ import annotations

import math
from typing import Any

import torch

from probgen.distributions.testing.distribution_subject import DistributionSubject, default_dtype
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law, require_equal
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.validation import validation

__all__ = ["LAWS", "elbo_uses_the_density", "plate_broadcasts", "replay_scores_the_same_draw", "trace_scores_the_site"]


def _is_pyro(subject: DistributionSubject) -> bool:
    from pyro.distributions import TorchDistribution

    return isinstance(subject.distribution, TorchDistribution) and subject.is_exact


@define_law(
    "PY", "The log-probability of a traced site is log_prob of its value.", kind="distribution", applies=_is_pyro, scales=()
)
def trace_scores_the_site(subject: DistributionSubject, draw: Draw) -> Tally:
    """Drawn and observed, with Pyro's validation on."""
    import pyro
    from pyro import poutine

    distribution, law = subject.distribution, "trace_scores_the_site"
    with validation(enabled=True), default_dtype(subject.dtype), torch.no_grad():
        torch.manual_seed(draw.seed)
        drawn: Any = poutine.trace(lambda: pyro.sample("x", distribution)).get_trace()
        value = drawn.nodes["x"]["value"]
        expected = distribution.log_prob(value.clone()).sum()
        seen: Any = poutine.trace(lambda: pyro.sample("x", distribution, obs=value)).get_trace()
        tolerance = _tolerance(subject, expected)
        tally = require_equal(law, torch.as_tensor(seen.log_prob_sum()), expected, value, tolerance=tolerance)
        return tally + require_equal(law, torch.as_tensor(drawn.log_prob_sum()), expected, value, tolerance=100 * tolerance)


@define_law(
    "PY", "In a plate the distribution is broadcast to the plate's size.", kind="distribution", applies=_is_pyro, scales=()
)
def plate_broadcasts(subject: DistributionSubject, draw: Draw) -> Tally:
    """A plate to the left of the batch, whose draws differ; those of a discrete law all agree by chance once in 1e9 at most."""
    import pyro
    from pyro import poutine

    distribution, law = subject.distribution, "plate_broadcasts"
    rank, size = len(distribution.batch_shape), 64 if subject.is_discrete else 4

    def model() -> torch.Tensor:
        with pyro.plate("data", size, dim=-1 - rank):
            return pyro.sample("x", distribution)

    with validation(enabled=True), default_dtype(subject.dtype), torch.no_grad():
        torch.manual_seed(draw.seed)
        trace: Any = poutine.trace(model).get_trace()
        trace.compute_log_prob()
    site = trace.nodes["x"]
    wanted = ((size, *distribution.batch_shape, *distribution.event_shape), (size, *distribution.batch_shape))
    found = (tuple(site["value"].shape), tuple(site["log_prob"].shape))
    if found != wanted:
        raise LawViolation(law, f"plate of {size}", wanted, found)
    alike = bool((site["value"] == site["value"][:1]).all())
    if alike and (not subject.is_discrete or float(site["log_prob"][1:].sum()) < math.log(1e-9)):
        raise LawViolation(law, f"plate of {size}", "independent draws", site["value"][:2])
    return Tally(2)


@define_law(
    "PY",
    "A replayed trace has the same value and the same log-probability.",
    kind="distribution",
    applies=_is_pyro,
    scales=(),
    once=True,
)
def replay_scores_the_same_draw(subject: DistributionSubject, draw: Draw) -> Tally:
    """poutine.replay and poutine.condition."""
    import pyro
    from pyro import poutine

    distribution, law = subject.distribution, "replay_scores_the_same_draw"

    def model() -> torch.Tensor:
        return pyro.sample("x", distribution)

    with validation(enabled=True), default_dtype(subject.dtype), torch.no_grad():
        torch.manual_seed(draw.seed)
        first: Any = poutine.trace(model).get_trace()
        again = poutine.trace(poutine.replay(model, trace=first)).get_trace()
        fixed = poutine.trace(poutine.condition(model, data={"x": first.nodes["x"]["value"]})).get_trace()
        expected = torch.as_tensor(fixed.log_prob_sum())
        got = torch.as_tensor(again.log_prob_sum())
    return require_equal(law, got, expected, first.nodes["x"]["value"], tolerance=_tolerance(subject, expected))


@define_law(
    "PY",
    "The ELBO of an observed site is its log-density, with its gradients; a site that is guide and model costs nothing.",
    kind="distribution",
    applies=_is_pyro,
    scales=(),
)
def elbo_uses_the_density(subject: DistributionSubject, draw: Draw) -> Tally:
    """Trace_ELBO, as SVI uses it, with Pyro's validation on."""
    import pyro
    from pyro.infer import Trace_ELBO

    law, distribution = "elbo_uses_the_density", subject.distribution
    joint = distribution.to_event(len(distribution.batch_shape)) if distribution.batch_shape else distribution
    value, parameters = subject.sample(draw, ()), subject.parameters
    torch.manual_seed(draw.seed)
    with validation(enabled=True), default_dtype(subject.dtype):
        observed = Trace_ELBO().differentiable_loss(lambda: pyro.sample("x", joint, obs=value), lambda: None)
        expected = -distribution.log_prob(value.clone()).sum()
        latent = torch.as_tensor(Trace_ELBO().loss(lambda: pyro.sample("x", joint), lambda: pyro.sample("x", joint)))
    tally = require_equal(law, observed.detach(), expected.detach(), value, tolerance=_tolerance(subject, expected.detach()))
    size = 100 * _tolerance(subject, expected.detach())
    tally += require_equal(law, latent.to(size), torch.zeros_like(size), value, tolerance=size)
    if not parameters or not expected.requires_grad:
        return tally
    pairs = (torch.autograd.grad(loss, parameters, allow_unused=True) for loss in (observed, expected))
    for got, wanted in zip(*pairs, strict=True):
        if (got is None) != (wanted is None):
            raise LawViolation(law, "gradients", "those of log_prob", f"missing: {got is None}, {wanted is None}")
        if got is not None and wanted is not None:
            tally += require_equal(law, got, wanted, value, tolerance=_tolerance(subject, wanted))
    return tally


def _tolerance(subject: DistributionSubject, expected: torch.Tensor) -> torch.Tensor:
    return 1e4 * subject.tolerance * subject.eps * (1 + expected.abs())


LAWS: tuple[Law, ...] = (trace_scores_the_site, plate_broadcasts, replay_scores_the_same_draw, elbo_uses_the_density)

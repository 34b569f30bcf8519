r"""Laws of what a distribution declares about itself: moments, entropy, distribution function, quantiles."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probgen.distributions.testing.distribution_subject import DistributionSubject
from probgen.distributions.testing.law import Law, Tally, define_law, require_equal
from probgen.distributions.testing.laws_density import first_of_batch, flattened, is_exact, is_scalar, require_passed
from probgen.distributions.testing.oracles import grid_cdf
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.statistics import FALSE_ALARM, mean_test
from probgen.distributions.testing.validation import validation

__all__ = ["LAWS", "cdf_and_icdf_agree_with_the_density", "entropy_matches_samples", "moments_match_samples"]


def _moments(subject: DistributionSubject) -> dict[str, Tensor]:
    """The moments that are declared and finite, first element of the batch, flattened."""
    found = {}
    for name in ("mean", "variance"):
        try:
            with torch.no_grad():
                declared = getattr(subject.distribution, name)
        except NotImplementedError:
            continue
        declared = first_of_batch(subject, declared.unsqueeze(0)).reshape(-1).double()
        if declared.numel() == subject.distribution.event_shape.numel() and bool(declared.isfinite().all()):
            found[name] = declared
    return found


def _declares_moments(subject: DistributionSubject) -> bool:
    return bool(_moments(subject))


def _declares_cdf(subject: DistributionSubject) -> bool:
    if not (is_scalar(subject) and subject.distribution.batch_shape.numel() == 1):
        return False
    return _returns(subject, "cdf", subject.sample(Draw(), ()))


def _declares_entropy(subject: DistributionSubject) -> bool:
    return is_exact(subject) and _returns(subject, "entropy")


def _returns(subject: DistributionSubject, name: str, *arguments: Tensor) -> bool:
    try:
        with validation(enabled=False), torch.no_grad():
            getattr(subject.distribution, name)(*arguments)
    except NotImplementedError:
        return False
    return True


@define_law(
    "D5",
    "Declared mean and variance are those of the draws (CLT).",
    kind="distribution",
    applies=_declares_moments,
    scales=(),
    false_alarm=FALSE_ALARM,
)
def moments_match_samples(subject: DistributionSubject, draw: Draw) -> Tally:
    """Every coordinate of the first batch element; tails too heavy for the CLT at this sample size are skipped and counted."""
    tally, samples, law = Tally(0), flattened(subject), "moments_match_samples"
    moments = _moments(subject)
    rate = FALSE_ALARM / max(len(moments) * samples.shape[-1], 1)
    for name, declared in moments.items():
        terms = samples if name == "mean" else (samples - samples.mean(0)).square()
        for index, column in enumerate(terms.unbind(-1)):
            if float((column - column.mean()).abs().max()) > 0.2 * math.sqrt(len(column)) * float(column.std()):
                tally += Tally(10, skipped=10)
                continue
            result = mean_test(column, declared[index], rate)
            expected = f"{name} {float(declared[index]):.6g}"
            tally += require_passed(result, law, expected, f"{float(column.mean()):.6g}")
    return tally


@define_law(
    "D5", "cdf is the integral of the density, and icdf its inverse.", kind="distribution", applies=_declares_cdf, scales=()
)
def cdf_and_icdf_agree_with_the_density(subject: DistributionSubject, draw: Draw) -> Tally:
    """At draws; icdf where it is declared."""
    law, single = "cdf_and_icdf_agree_with_the_density", subject.distribution.expand(torch.Size())
    value = flattened(subject).squeeze(-1)[:200].to(subject.dtype)
    with validation(enabled=False), torch.no_grad():
        got = single.cdf(value)
        tally = require_equal(law, got.double(), grid_cdf(single)(value), value, tolerance=2e-4 * subject.tolerance)
        try:
            back = single.icdf(got)
        except NotImplementedError:
            return tally
        again = single.cdf(back)
    return tally + require_equal(law, again, got, value, tolerance=1e4 * subject.eps)


@define_law(
    "D5",
    "entropy() is the mean of -log_prob over draws (CLT).",
    kind="distribution",
    applies=_declares_entropy,
    scales=(),
    false_alarm=FALSE_ALARM,
)
def entropy_matches_samples(subject: DistributionSubject, draw: Draw) -> Tally:
    """The first element of the batch."""
    with validation(enabled=False), torch.no_grad():
        expected = subject.distribution.entropy().reshape(-1)[0].double()
        losses = -first_of_batch(subject, subject.distribution.log_prob(subject.many)).double()
    slack = 1e-5 * (1 + float(expected.abs()))
    if float((losses.mean() - expected).abs()) <= slack:
        return Tally(10)
    return require_passed(mean_test(losses, expected), "entropy_matches_samples", expected, losses.mean())


LAWS: tuple[Law, ...] = (
    moments_match_samples,
    cdf_and_icdf_agree_with_the_density,
    entropy_matches_samples,
)

r"""Laws of what a distribution declares about itself: moments, entropy, distribution function, quantiles."""

from __future__ import annotations

import math

import torch

from probgen.distributions.testing.distribution_subject import DistributionSubject
from probgen.distributions.testing.law import Law, Tally, define_law, require_equal
from probgen.distributions.testing.laws_density import first_of_batch, flattened, is_exact, is_scalar, require_passed
from probgen.distributions.testing.oracles import grid_cdf
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.statistics import mean_test
from probgen.distributions.testing.validation import validation

__all__ = ["LAWS", "cdf_and_icdf_agree_with_the_density", "entropy_matches_samples", "moments_match_samples"]


@define_law("D5", "Declared mean and variance are those of the draws (CLT, false alarms 1e-9).", kind="distribution", scales=())
def moments_match_samples(subject: DistributionSubject, draw: Draw) -> Tally:
    """Every coordinate of the first batch element; moments that are not declared or not finite are not asked for."""
    tally, samples = Tally(0), flattened(subject)
    for name in ("mean", "variance"):
        try:
            with torch.no_grad():
                declared = getattr(subject.distribution, name)
        except NotImplementedError:
            continue
        declared = first_of_batch(subject, declared.unsqueeze(0), event=True).reshape(-1).double()
        if declared.numel() != samples.shape[-1] or not bool(declared.isfinite().all()):
            continue
        terms = samples if name == "mean" else (samples - samples.mean(0)).square()
        for index, column in enumerate(terms.unbind(-1)):
            if float((column - column.mean()).abs().max() / (column.std() + 1e-300)) > 0.2 * math.sqrt(len(column)):
                continue  # tails too heavy for the central limit theorem at this sample size
            result = mean_test(column, declared[index])
            tally += require_passed(
                result, "moments_match_samples", f"{name} {float(declared[index]):.6g}", f"{float(column.mean()):.6g}"
            )
    return tally + Tally()


@define_law(
    "D5", "cdf is the integral of the density, and icdf its inverse.", kind="distribution", applies=is_scalar, scales=()
)
def cdf_and_icdf_agree_with_the_density(subject: DistributionSubject, draw: Draw) -> Tally:
    """Where they are declared."""
    law, distribution = "cdf_and_icdf_agree_with_the_density", subject.distribution
    if distribution.batch_shape.numel() != 1:
        return Tally()
    single = distribution.expand(torch.Size())
    value = flattened(subject).squeeze(-1)[:200].to(subject.dtype)
    with validation(enabled=False), torch.no_grad():
        try:
            got = single.cdf(value)
        except NotImplementedError:
            return Tally()
        tally = require_equal(law, got.double(), grid_cdf(single)(value), value, tolerance=2e-4 * subject.tolerance)
        try:
            back = single.icdf(got)
        except NotImplementedError:
            return tally
        again = single.cdf(back)
    return tally + require_equal(law, again, got, value, tolerance=1e4 * subject.eps)


@define_law(
    "D5",
    "entropy() is the mean of -log_prob over draws (CLT, false alarms 1e-9).",
    kind="distribution",
    applies=is_exact,
    scales=(),
)
def entropy_matches_samples(subject: DistributionSubject, draw: Draw) -> Tally:
    """Where it is declared."""
    try:
        with torch.no_grad():
            declared = subject.distribution.entropy()
    except NotImplementedError:
        return Tally()
    with validation(enabled=False), torch.no_grad():
        losses = -first_of_batch(subject, subject.distribution.log_prob(subject.many)).double()
    expected = declared.reshape(-1)[0].double()
    slack = 1e-5 * (1 + float(expected.abs()))
    if float((losses.mean() - expected).abs()) <= slack:
        return Tally()
    return require_passed(mean_test(losses, expected), "entropy_matches_samples", expected, losses.mean())


LAWS: tuple[Law, ...] = (
    moments_match_samples,
    cdf_and_icdf_agree_with_the_density,
    entropy_matches_samples,
)

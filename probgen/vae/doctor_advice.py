"""The doctor's rules: from findings to advice. One rule a function; each says when it applies and gives ready values.

The thresholds are rules of thumb, stated where they are used; no number of the diagnosis depends on them.
"""

from __future__ import annotations

import math

from probgen.distributions.elements import NormalElement
from probgen.infer import IWAE, Annealed, FreeBits
from probgen.vae.diagnosis import Advice, Diagnosis

__all__ = ["advise"]


def advise(found: Diagnosis, training_steps: int = 2000) -> tuple[Advice, ...]:
    """All advice that applies, most urgent first.

    Args:
        found: The findings.
        training_steps: How long training will take; annealing takes the first half of it.

    Example:
        >>> import torch
        >>> from probgen.vae import Diagnosis, LevelDiagnosis
        >>> from probgen.vae.doctor_advice import advise
        >>> level = LevelDiagnosis("z", torch.zeros(4), torch.zeros(4), 0.0, 0.0, 0.0)
        >>> for advice in advise(Diagnosis(100, -17.0, -17.0, (level,))):
        ...     print(advice.finding)
        The posterior has collapsed: 0 of 4 units are active, and codes tell 0.000 nats about their data.
    """
    rules = (
        _decoder_variance(found),
        _collapse(found, training_steps),
        _inactive_units(found),
        _marginal(found),
        _amortization(found),
        _approximation(found),
        _codebook(found),
    )
    return tuple(advice for advice in rules if advice is not None)


def _decoder_variance(found: Diagnosis) -> Advice | None:
    """A normal decoder whose variance is off by more than a factor of two from its own squared error."""
    decoder = found.decoder
    if decoder is None or decoder.variance is None or decoder.residual_variance is None:
        return None
    ratio = decoder.variance / max(decoder.residual_variance, 1e-300)
    if 0.5 <= ratio <= 2:
        return None
    if ratio > 1:
        effect = f", and {decoder.directions} directions of the data vary more than that: no more units would pay"
    else:
        effect = ": the divergence counts for too little beside such a reconstruction term"
    return Advice(
        f"The decoder's variance {decoder.variance:.4g} is {ratio:.3g} times its squared error{effect}.",
        "Learn it: a shared scale, or this fixed one to begin with.",
        (NormalElement("shared"), NormalElement(decoder.residual_variance**0.5 or 1e-3)),
    )


def _collapse(found: Diagnosis, training_steps: int) -> Advice | None:
    """No active unit, or less than a tenth of a nat."""
    if not found.collapsed:
        return None
    half = max(1, training_steps // 2)
    return Advice(
        f"The posterior has collapsed: {found.num_active} of {found.num_units} units are active, and codes tell "
        f"{found.information:.3f} nats about their data.",
        "Keep some nats free in `ELBO(free_bits=...)`, or raise `ELBO(kl_weight=...)` from 0 to 1 over the first half of "
        "training, once or in cycles; if it comes back, the decoder does without codes: make it weaker.",
        (FreeBits(0.5, per="unit"), Annealed(0.0, 1.0, half), Annealed(0.0, 1.0, half, cycles=4, rising=0.5)),
    )


def _inactive_units(found: Diagnosis) -> Advice | None:
    """Fewer than half of the units of a model that has not collapsed."""
    if found.collapsed or not found.levels or 2 * found.num_active >= found.num_units:
        return None
    return Advice(
        f"{found.num_units - found.num_active} of {found.num_units} units are inactive.",
        "This may be all that the data need; if more are wanted, keep nats free for every unit, or train on a tighter bound.",
        (FreeBits(0.1, per="unit"), IWAE(10)),
    )


def _marginal(found: Diagnosis) -> Advice | None:
    """An aggregate posterior more than a nat, and more than a tenth of the divergence, away from the prior.

    Not where the information is near the most that so few data can show: the estimate of the rest is then too large.
    """
    far = [level for level in found.levels if level.marginal_divergence is not None and level.information is not None]
    far = [level for level in far if (level.information or 0.0) < 0.75 * math.log(found.num_data)]
    far = [level for level in far if (level.marginal_divergence or 0.0) > max(1.0, 0.1 * level.divergence)]
    if not far:
        return None
    return Advice(
        f"The codes of the data miss the prior by {far[0].marginal_divergence:.3f} nats, so that draws meet codes that the "
        "decoder has not seen.",
        "Learn the prior: `MixturePrior` or `VampPrior` of `probgen.distributions.latent`, or a flow.",
    )


def _amortization(found: Diagnosis) -> Advice | None:
    """More than half a nat, and more than half of what inference loses."""
    gaps = found.gaps
    if gaps is None or gaps.amortization is None or gaps.amortization.value <= max(0.5, 0.5 * gaps.inference.value):
        return None
    return Advice(
        f"The encoder loses {gaps.amortization.value:.3f} nats against the best posterior of its own family.",
        "Make it larger or regularize it (dropout, noise on its input), and train it longer than the decoder.",
    )


def _approximation(found: Diagnosis) -> Advice | None:
    """More than half a nat, and at least half of what inference loses."""
    gaps = found.gaps
    if gaps is None or gaps.approximation is None or gaps.approximation.value <= max(0.5, 0.5 * gaps.inference.value):
        return None
    return Advice(
        f"The family of posteriors loses {gaps.approximation.value:.3f} nats, however good the encoder.",
        "Use a richer one (`FlowPosterior`), or a bound that asks less of it.",
        (IWAE(10), IWAE(10, gradient="doubly_reparameterized")),
    )


def _codebook(found: Diagnosis) -> Advice | None:
    """A perplexity below a quarter of the codebook."""
    codebook = found.codebook
    if codebook is None or codebook.perplexity >= codebook.size / 4:
        return None
    return Advice(
        f"Only {codebook.perplexity:.1f} of {codebook.size} codes are in use.",
        "Restart dead codes at encodings of data, start from means of the data, or use fewer codes.",
    )

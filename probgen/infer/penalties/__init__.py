"""Penalties of critics: what keeps adversarial training stable. All are means of a term for each example."""

from probgen.infer.penalties.gradient_penalty import GradientPenalty
from probgen.infer.penalties.penalty import Penalty

__all__ = ["GradientPenalty", "Penalty"]

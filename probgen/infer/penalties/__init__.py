"""Penalties of critics: what keeps adversarial training stable. All are means of a term for each example.

No penalty knows the divergence beside it, and none touches the generator.
"""

from probgen.infer.penalties.consistency import ConsistencyPenalty
from probgen.infer.penalties.dragan import Dragan
from probgen.infer.penalties.gradient_penalty import GradientPenalty
from probgen.infer.penalties.le_cam import LeCamPenalty
from probgen.infer.penalties.penalty import Penalty
from probgen.infer.penalties.zero_centered import R1, R2

__all__ = ["R1", "R2", "ConsistencyPenalty", "Dragan", "GradientPenalty", "LeCamPenalty", "Penalty"]

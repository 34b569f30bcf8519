"""Divergences between data and draws through a critic: the argument of ``probgen.infer.Adversarial``."""

from probgen.infer.divergences.classic import Minimax, NonSaturating
from probgen.infer.divergences.divergence import Divergence, PointwiseDivergence
from probgen.infer.divergences.hinge import Hinge
from probgen.infer.divergences.wasserstein import Wasserstein

__all__ = ["Divergence", "Hinge", "Minimax", "NonSaturating", "PointwiseDivergence", "Wasserstein"]

"""Divergences between data and draws: the argument of ``probgen.infer.Adversarial``.

Each gives the losses of a critic and a generator on the critic's outputs. No networks and no training loops in here.
"""

from probgen.infer.divergences.boundary_equilibrium import BoundaryEquilibrium, ReconstructionCritic
from probgen.infer.divergences.classic import Minimax, NonSaturating
from probgen.infer.divergences.divergence import Divergence, PointwiseDivergence
from probgen.infer.divergences.f_divergence import FDivergence
from probgen.infer.divergences.hinge import Hinge
from probgen.infer.divergences.kernel_divergences import EnergyDistance, KernelDivergence, MaximumMeanDiscrepancy
from probgen.infer.divergences.kernels import DistanceKernel, GaussianKernel, PolynomialKernel, RationalQuadraticKernel
from probgen.infer.divergences.least_squares import LeastSquares
from probgen.infer.divergences.relativistic import Relativistic
from probgen.infer.divergences.wasserstein import Wasserstein

__all__ = [
    "BoundaryEquilibrium",
    "DistanceKernel",
    "Divergence",
    "EnergyDistance",
    "FDivergence",
    "GaussianKernel",
    "Hinge",
    "KernelDivergence",
    "LeastSquares",
    "MaximumMeanDiscrepancy",
    "Minimax",
    "NonSaturating",
    "PointwiseDivergence",
    "PolynomialKernel",
    "RationalQuadraticKernel",
    "ReconstructionCritic",
    "Relativistic",
    "Wasserstein",
]

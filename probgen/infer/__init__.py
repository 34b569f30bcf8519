"""Objectives as modules, compiled steps and training: ``ELBO``, ``compile``, ``fit``, ``save`` and ``load``.

This package does not define distributions or networks; see ``probgen.distributions`` and ``probgen.nn``.
"""

from probgen.infer.adversarial import Adversarial, AdversarialLoss, DifferentiableAugmentation
from probgen.infer.annealed import Annealed
from probgen.infer.callbacks import Callback, EarlyStopping, ProgressBar, TimeBudget
from probgen.infer.checkpoint import load_weights
from probgen.infer.compile import Compiled, compile
from probgen.infer.density import DensityEstimator
from probgen.infer.density_ratio import DensityRatioLoss
from probgen.infer.divergences import (
    BoundaryEquilibrium,
    DistanceKernel,
    Divergence,
    EnergyDistance,
    FDivergence,
    GaussianKernel,
    Hinge,
    KernelDivergence,
    LeastSquares,
    MaximumMeanDiscrepancy,
    Minimax,
    NonSaturating,
    PointwiseDivergence,
    PolynomialKernel,
    RationalQuadraticKernel,
    ReconstructionCritic,
    Relativistic,
    Wasserstein,
)
from probgen.infer.elbo import ELBO, ELBOLoss
from probgen.infer.ema import EMA
from probgen.infer.fit import fit
from probgen.infer.flow_guide import FlowGuide
from probgen.infer.flow_matching import FlowMatching
from probgen.infer.free_bits import FreeBits
from probgen.infer.history import History
from probgen.infer.importance_weighted import ImportanceWeightedObjective
from probgen.infer.iwae import IWAE, IWAELoss
from probgen.infer.kl_weight import KLBalancing
from probgen.infer.maximum_likelihood import MaximumLikelihood
from probgen.infer.objective import Objective, Player
from probgen.infer.penalties import R1, R2, ConsistencyPenalty, Dragan, GradientPenalty, LeCamPenalty, Penalty
from probgen.infer.regularized_likelihood import LikelihoodTerms, RegularizedLikelihood
from probgen.infer.renyi import Renyi, RenyiLoss
from probgen.infer.saving import load, save
from probgen.infer.scoring_rules import energy_score
from probgen.infer.storage import UnsafeFileError
from probgen.infer.variational import VariationalObjective
from probgen.infer.wake_sleep import WakeSleep, WakeSleepLoss

__all__ = [
    "ELBO",
    "EMA",
    "IWAE",
    "R1",
    "R2",
    "Adversarial",
    "AdversarialLoss",
    "Annealed",
    "BoundaryEquilibrium",
    "Callback",
    "Compiled",
    "ConsistencyPenalty",
    "DensityEstimator",
    "DensityRatioLoss",
    "DifferentiableAugmentation",
    "DistanceKernel",
    "Divergence",
    "Dragan",
    "ELBOLoss",
    "EarlyStopping",
    "EnergyDistance",
    "FDivergence",
    "FlowGuide",
    "FlowMatching",
    "FreeBits",
    "GaussianKernel",
    "GradientPenalty",
    "Hinge",
    "History",
    "IWAELoss",
    "ImportanceWeightedObjective",
    "KLBalancing",
    "KernelDivergence",
    "LeCamPenalty",
    "LeastSquares",
    "LikelihoodTerms",
    "MaximumLikelihood",
    "MaximumMeanDiscrepancy",
    "Minimax",
    "NonSaturating",
    "Objective",
    "Penalty",
    "Player",
    "PointwiseDivergence",
    "PolynomialKernel",
    "ProgressBar",
    "RationalQuadraticKernel",
    "ReconstructionCritic",
    "RegularizedLikelihood",
    "Relativistic",
    "Renyi",
    "RenyiLoss",
    "TimeBudget",
    "UnsafeFileError",
    "VariationalObjective",
    "WakeSleep",
    "WakeSleepLoss",
    "Wasserstein",
    "compile",
    "energy_score",
    "fit",
    "load",
    "load_weights",
    "save",
]

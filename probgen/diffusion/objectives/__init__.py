"""Objectives of diffusion models: modules that return one scalar, all on the same denoiser, trained by ``infer.fit``."""

from probgen.diffusion.objectives.chain_bound import StepTerm, prior_term, step_term
from probgen.diffusion.objectives.consistency import ConsistencyLoss
from probgen.diffusion.objectives.consistency_sampler import ConsistencySampler
from probgen.diffusion.objectives.continuous_bound import ContinuousBoundLoss
from probgen.diffusion.objectives.denoising_loss import DenoisingLoss
from probgen.diffusion.objectives.flow_matching import flow_matching_loss
from probgen.diffusion.objectives.hybrid_loss import HybridLoss
from probgen.diffusion.objectives.log_uniform_noise import LogUniformNoise
from probgen.diffusion.objectives.loss_aware_steps import LossAwareSteps
from probgen.diffusion.objectives.progressive_distillation import ProgressiveDistillationLoss
from probgen.diffusion.objectives.score_matching import ScoreMatchingLoss, score_function
from probgen.diffusion.objectives.time_laws import LogNormalNoise
from probgen.diffusion.objectives.time_samplers import ContinuousTimes, Steps, TimeDraws, TimeSampler
from probgen.diffusion.objectives.weightings import WEIGHTINGS, Weighting, min_snr, p2, sigmoid_weight
from probgen.infer.random_times import TimeCoupling, batch_quantiles, logit_normal_time

__all__ = [
    "WEIGHTINGS",
    "ConsistencyLoss",
    "ConsistencySampler",
    "ContinuousBoundLoss",
    "ContinuousTimes",
    "DenoisingLoss",
    "HybridLoss",
    "LogNormalNoise",
    "LogUniformNoise",
    "LossAwareSteps",
    "ProgressiveDistillationLoss",
    "ScoreMatchingLoss",
    "StepTerm",
    "Steps",
    "TimeCoupling",
    "TimeDraws",
    "TimeSampler",
    "Weighting",
    "batch_quantiles",
    "flow_matching_loss",
    "logit_normal_time",
    "min_snr",
    "p2",
    "prior_term",
    "score_function",
    "sigmoid_weight",
    "step_term",
]

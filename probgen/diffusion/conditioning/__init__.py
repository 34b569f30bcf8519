"""Conditioning of diffusion models: guidance (denoiser in, denoiser out) and linear observations (one law for each method).

This package does not train anything and does not define networks; class, text and image contexts are those of ``probgen.nn``.
"""

from probgen.diffusion.conditioning.cascade import Cascade, augmented_context
from probgen.diffusion.conditioning.classifier_free import ClassifierFree
from probgen.diffusion.conditioning.classifier_guided import ClassifierGuided
from probgen.diffusion.conditioning.conditional import Conditional
from probgen.diffusion.conditioning.conditions import CONDITIONING_METHODS, condition
from probgen.diffusion.conditioning.exact_conditional import ExactConditional
from probgen.diffusion.conditioning.labeled_mixture import LabeledMixture
from probgen.diffusion.conditioning.linear_observation import LinearObservation, observe, observe_known
from probgen.diffusion.conditioning.linear_operator import AveragePooling, Grayscale, LinearOperator, Masking
from probgen.diffusion.conditioning.matrix_operator import MatrixOperator
from probgen.diffusion.conditioning.moment_matched import MomentMatched
from probgen.diffusion.conditioning.moment_matching import MomentMatching
from probgen.diffusion.conditioning.null_space import NullSpace
from probgen.diffusion.conditioning.posterior_sampling import DiffusionPosteriorSampling
from probgen.diffusion.conditioning.repaint import RePaint, Replacement, jump_times
from probgen.diffusion.conditioning.restoration import RestorationRow, restoration_table, restoration_test_bed
from probgen.diffusion.conditioning.twisted import Particles, TwistedMonteCarlo
from probgen.distributions.numerics.resampling import effective_sample_size, systematic_ancestors

__all__ = [
    "CONDITIONING_METHODS",
    "AveragePooling",
    "Cascade",
    "ClassifierFree",
    "ClassifierGuided",
    "Conditional",
    "DiffusionPosteriorSampling",
    "ExactConditional",
    "Grayscale",
    "LabeledMixture",
    "LinearObservation",
    "LinearOperator",
    "Masking",
    "MatrixOperator",
    "MomentMatched",
    "MomentMatching",
    "NullSpace",
    "Particles",
    "RePaint",
    "Replacement",
    "RestorationRow",
    "TwistedMonteCarlo",
    "augmented_context",
    "condition",
    "effective_sample_size",
    "jump_times",
    "observe",
    "observe_known",
    "restoration_table",
    "restoration_test_bed",
    "systematic_ancestors",
]

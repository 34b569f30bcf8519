"""Diffusion models: training, sampling, conditioning and measuring what ``probgen.distributions.chains`` defines."""

from probgen.diffusion.audit import AffineLaw, SamplerAudit, affine_law, audit_sampler, exact_flow
from probgen.diffusion.codec import Codec, CodingReport, Decoded
from probgen.diffusion.codec_arithmetic import ArithmeticDecoder, ArithmeticEncoder, CodecError
from probgen.diffusion.codec_samples import SampleCode
from probgen.diffusion.conditioning import (
    Cascade,
    ClassifierFree,
    ClassifierGuided,
    LinearObservation,
    MomentMatching,
    condition,
)
from probgen.diffusion.continuous_estimate import bound_estimate
from probgen.diffusion.diffusion_law import DiffusionLaw
from probgen.diffusion.discrete import CategoricalDiffusion
from probgen.diffusion.discrete_bound import CategoricalLoss, CategoricalTerm, categorical_bound_terms, categorical_term
from probgen.diffusion.flow import ProbabilityFlowField, probability_flow
from probgen.diffusion.latent import LatentDiffusion
from probgen.diffusion.latent_law import LatentDiffusionLaw
from probgen.diffusion.latent_losses import AutoencoderLoss, LatentDenoisingLoss, LatentDiffusionLoss
from probgen.diffusion.model import Diffusion
from probgen.diffusion.report import BitsReport, bits_report
from probgen.diffusion.report_terms import BoundTerms, bound_terms
from probgen.diffusion.small import image_diffusion
from probgen.distributions.chains import (
    TimeGrid,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_keep_schedule,
    linear_schedule,
    sigmoid_schedule,
    sub_variance_preserving_schedule,
    variance_exploding_schedule,
    variance_preserving_schedule,
)

__all__ = [
    "AffineLaw",
    "ArithmeticDecoder",
    "ArithmeticEncoder",
    "AutoencoderLoss",
    "BitsReport",
    "BoundTerms",
    "Cascade",
    "CategoricalDiffusion",
    "CategoricalLoss",
    "CategoricalTerm",
    "ClassifierFree",
    "ClassifierGuided",
    "Codec",
    "CodecError",
    "CodingReport",
    "Decoded",
    "Diffusion",
    "DiffusionLaw",
    "LatentDenoisingLoss",
    "LatentDiffusion",
    "LatentDiffusionLaw",
    "LatentDiffusionLoss",
    "LinearObservation",
    "MomentMatching",
    "ProbabilityFlowField",
    "SampleCode",
    "SamplerAudit",
    "TimeGrid",
    "affine_law",
    "audit_sampler",
    "bits_report",
    "bound_estimate",
    "bound_terms",
    "categorical_bound_terms",
    "categorical_term",
    "condition",
    "cosine_schedule",
    "edm_schedule",
    "exact_flow",
    "flow_matching_schedule",
    "image_diffusion",
    "linear_keep_schedule",
    "linear_schedule",
    "probability_flow",
    "sigmoid_schedule",
    "sub_variance_preserving_schedule",
    "variance_exploding_schedule",
    "variance_preserving_schedule",
]

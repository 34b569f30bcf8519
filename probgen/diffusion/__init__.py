"""Diffusion models: training, sampling, conditioning and measuring what ``probgen.distributions.chains`` defines."""

from probgen.diffusion.diffusion_law import DiffusionLaw
from probgen.diffusion.model import Diffusion
from probgen.diffusion.report import BitsReport, bits_report
from probgen.diffusion.report_terms import BoundTerms, bound_terms
from probgen.distributions.chains import (
    TimeGrid,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
    sigmoid_schedule,
    sub_variance_preserving_schedule,
    variance_exploding_schedule,
    variance_preserving_schedule,
)

__all__ = [
    "BitsReport",
    "BoundTerms",
    "Diffusion",
    "DiffusionLaw",
    "TimeGrid",
    "bits_report",
    "bound_terms",
    "cosine_schedule",
    "edm_schedule",
    "flow_matching_schedule",
    "linear_schedule",
    "sigmoid_schedule",
    "sub_variance_preserving_schedule",
    "variance_exploding_schedule",
    "variance_preserving_schedule",
]

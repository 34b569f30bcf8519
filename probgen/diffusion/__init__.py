"""Diffusion models: training, sampling, conditioning and measuring what ``probgen.distributions.chains`` defines."""

from probgen.diffusion.model import Diffusion
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
    "Diffusion",
    "TimeGrid",
    "cosine_schedule",
    "edm_schedule",
    "flow_matching_schedule",
    "linear_schedule",
    "sigmoid_schedule",
    "sub_variance_preserving_schedule",
    "variance_exploding_schedule",
    "variance_preserving_schedule",
]

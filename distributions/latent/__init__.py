"""Latent-variable models as distributions: the marginal law of the data, its bounds and its estimates."""

from probgen.distributions.latent.divergence import closed_form_divergence, divergence_at
from probgen.distributions.latent.flow_posterior import FlowPosterior
from probgen.distributions.latent.information import (
    RateTerms,
    active_units,
    aggregate_posterior,
    rate_terms,
    unit_activity,
    unit_divergences,
)
from probgen.distributions.latent.latent_variable import LatentVariable
from probgen.distributions.latent.marginal import LatentTerms, MarginalDistribution
from probgen.distributions.latent.principal_components import ProbabilisticPCA

__all__ = [
    "FlowPosterior",
    "LatentTerms",
    "LatentVariable",
    "MarginalDistribution",
    "ProbabilisticPCA",
    "RateTerms",
    "active_units",
    "aggregate_posterior",
    "closed_form_divergence",
    "divergence_at",
    "rate_terms",
    "unit_activity",
    "unit_divergences",
]

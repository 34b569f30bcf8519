"""Latent-variable models as distributions: the marginal law of the data, its bounds and its estimates."""

from probgen.distributions.latent.divergence import closed_form_divergence, divergence_at
from probgen.distributions.latent.latent_variable import LatentVariable
from probgen.distributions.latent.marginal import LatentTerms, MarginalDistribution

__all__ = [
    "LatentTerms",
    "LatentVariable",
    "MarginalDistribution",
    "closed_form_divergence",
    "divergence_at",
]

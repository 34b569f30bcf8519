"""Latent-variable models as distributions: the marginal law of the data, its bounds and its estimates."""

from probgen.distributions.latent.annealing import (
    AnnealingPath,
    TemperedDensity,
    annealed_importance_sampling,
    geometric_path,
    reverse_annealed_importance_sampling,
    sigmoid_temperatures,
)
from probgen.distributions.latent.bidirectional import Sandwich, annealed_estimate, sandwich
from probgen.distributions.latent.divergence import closed_form_divergence, divergence_at
from probgen.distributions.latent.flow_posterior import FlowPosterior
from probgen.distributions.latent.hamiltonian import (
    HamiltonianMove,
    HamiltonianTransition,
    hamiltonian_move,
    tuned_hamiltonian,
)
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
from probgen.distributions.latent.priors import FlowPrior, MixturePrior, VampPrior
from probgen.distributions.numerics.resampling import effective_sample_size

__all__ = [
    "AnnealingPath",
    "FlowPosterior",
    "FlowPrior",
    "HamiltonianMove",
    "HamiltonianTransition",
    "LatentTerms",
    "LatentVariable",
    "MarginalDistribution",
    "MixturePrior",
    "ProbabilisticPCA",
    "RateTerms",
    "Sandwich",
    "TemperedDensity",
    "VampPrior",
    "active_units",
    "aggregate_posterior",
    "annealed_estimate",
    "annealed_importance_sampling",
    "closed_form_divergence",
    "divergence_at",
    "effective_sample_size",
    "geometric_path",
    "hamiltonian_move",
    "rate_terms",
    "reverse_annealed_importance_sampling",
    "sandwich",
    "sigmoid_temperatures",
    "tuned_hamiltonian",
    "unit_activity",
    "unit_divergences",
]

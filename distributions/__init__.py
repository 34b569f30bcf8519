"""Distributions and the bijectors they are built from: what can be evaluated, sampled and inverted.

This package does not train, read files or hold networks; see ``probgen.infer``, ``probgen.data`` and ``probgen.nn``.
"""

if __name__ != "probgen.distributions":
    raise ImportError(
        f"this folder is the package `probgen.distributions`; it was imported as `{__name__}`. "
        "Write `from probgen.distributions import ...`."
    )

from probgen.distributions import pyro_bridge as _pyro_bridge  # noqa: F401  (registers our classes with torch and Pyro)
from probgen.distributions.autoregressive import Autoregressive, AutoregressiveLaw
from probgen.distributions.base import Distribution
from probgen.distributions.categorical_levels import CategoricalLevels
from probgen.distributions.chains import (
    Denoised,
    Denoiser,
    ForwardChain,
    GaussianChain,
    GaussianProcess,
    MarkovChain,
    NetworkDenoiser,
    Schedule,
    TimeGrid,
)
from probgen.distributions.conditional import ConditionalDistribution
from probgen.distributions.constrained import default_base, flow_on
from probgen.distributions.continuous_bernoulli import ContinuousBernoulli
from probgen.distributions.dequantized import Dequantized
from probgen.distributions.dequantized_law import DequantizedLaw
from probgen.distributions.discretized import DiscretizedLogistic, DiscretizedNormal
from probgen.distributions.discretized_mixture import DiscretizedLogisticMixture
from probgen.distributions.embeddings import Embedding, OneHotEmbedding, ScaledEmbedding
from probgen.distributions.estimate import DensityUnavailable, Estimate, EstimateKind, LogProbKind
from probgen.distributions.implicit import ImplicitDistribution, ImplicitLaw
from probgen.distributions.latent import LatentVariable, MarginalDistribution
from probgen.distributions.missing import impute, observed_log_prob
from probgen.distributions.mixture import Mixture, MixtureOfFlows
from probgen.distributions.mu_law_quantization import MuLawQuantization
from probgen.distributions.quantization import Quantization
from probgen.distributions.report import Calibration, Report
from probgen.distributions.standard import StandardNormal, StandardUniform, standard_normal, standard_uniform
from probgen.distributions.surjections import SurjectiveDistribution, SurjectiveLaw
from probgen.distributions.transformed import TransformedDistribution
from probgen.distributions.transformed_law import TransformedLaw
from probgen.distributions.uniform import Uniform, UniformRotation, UniformSphere

__all__ = [
    "Autoregressive",
    "AutoregressiveLaw",
    "Calibration",
    "CategoricalLevels",
    "ConditionalDistribution",
    "ContinuousBernoulli",
    "Denoised",
    "Denoiser",
    "DensityUnavailable",
    "Dequantized",
    "DequantizedLaw",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "DiscretizedNormal",
    "Distribution",
    "Embedding",
    "Estimate",
    "EstimateKind",
    "ForwardChain",
    "GaussianChain",
    "GaussianProcess",
    "ImplicitDistribution",
    "ImplicitLaw",
    "LatentVariable",
    "LogProbKind",
    "MarginalDistribution",
    "MarkovChain",
    "Mixture",
    "MixtureOfFlows",
    "MuLawQuantization",
    "NetworkDenoiser",
    "OneHotEmbedding",
    "Quantization",
    "Report",
    "ScaledEmbedding",
    "Schedule",
    "StandardNormal",
    "StandardUniform",
    "SurjectiveDistribution",
    "SurjectiveLaw",
    "TimeGrid",
    "TransformedDistribution",
    "TransformedLaw",
    "Uniform",
    "UniformRotation",
    "UniformSphere",
    "default_base",
    "flow_on",
    "impute",
    "observed_log_prob",
    "standard_normal",
    "standard_uniform",
]

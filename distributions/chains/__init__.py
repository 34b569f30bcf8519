"""Diffusion as probability: schedules, forward processes, denoisers and the chains they make.

The forward process is fixed and known in closed form; a denoiser reports a law of the data given a noisy observation; together
they give the reverse kernels of a Markov chain, which is a distribution over paths and a Pyro model with its guide.
"""

from probgen.distributions.chains.beta_schedules import (
    BetaTable,
    LinearRate,
    linear_schedule,
    sub_variance_preserving_schedule,
    variance_preserving_schedule,
)
from probgen.distributions.chains.bounded_schedules import CosineSchedule, SigmoidSchedule, cosine_schedule, sigmoid_schedule
from probgen.distributions.chains.categorical_chain import CategoricalChain
from probgen.distributions.chains.categorical_denoiser import CategoricalDenoised, CategoricalDenoiser
from probgen.distributions.chains.categorical_generators import GeneratorJumps, gaussian_rates
from probgen.distributions.chains.categorical_kernels import AbsorbingJumps, JumpKernel, UniformJumps
from probgen.distributions.chains.categorical_oracle import IndependentValues
from probgen.distributions.chains.categorical_process import CategoricalKind, CategoricalProcess
from probgen.distributions.chains.decoders import Decoder, NormalDecoder, default_decoder
from probgen.distributions.chains.denoised import Denoised
from probgen.distributions.chains.denoiser import Denoiser
from probgen.distributions.chains.discretized_decoder import DiscretizedDecoder
from probgen.distributions.chains.forward_chain import ForwardChain, WithoutDivergence
from probgen.distributions.chains.gaussian_chain import GaussianChain
from probgen.distributions.chains.independent_categorical import IndependentCategorical
from probgen.distributions.chains.isotropic_normal import IsotropicNormal
from probgen.distributions.chains.keep_schedule import LinearKeep, linear_keep_schedule
from probgen.distributions.chains.learned_schedule import LearnedSchedule
from probgen.distributions.chains.markov_chain import MarkovChain
from probgen.distributions.chains.network_denoiser import NetworkDenoiser
from probgen.distributions.chains.noise_level import (
    NoiseLevel,
    PosteriorCoefficients,
    TransitionCoefficients,
    posterior_coefficients,
    transition_coefficients,
)
from probgen.distributions.chains.noise_schedules import (
    GeometricNoise,
    PowerNoise,
    StraightPath,
    edm_schedule,
    flow_matching_schedule,
    variance_exploding_schedule,
)
from probgen.distributions.chains.oracle_denoisers import GaussianDenoiser, MixtureDenoiser
from probgen.distributions.chains.ordered_masking import OrderedMasking
from probgen.distributions.chains.parameterization import Parameterization
from probgen.distributions.chains.posterior_spread import (
    FittedVariance,
    LearnedVariance,
    PointMass,
    PosteriorSpread,
    TweedieCovariance,
    UnitPrior,
)
from probgen.distributions.chains.process import ForwardProcess, GaussianProcess
from probgen.distributions.chains.scaling import Scaling
from probgen.distributions.chains.schedule import Schedule
from probgen.distributions.chains.time_grid import Spacing, TimeGrid
from probgen.distributions.chains.variance_fit import fit_variance

__all__ = [
    "AbsorbingJumps",
    "BetaTable",
    "CategoricalChain",
    "CategoricalDenoised",
    "CategoricalDenoiser",
    "CategoricalKind",
    "CategoricalProcess",
    "CosineSchedule",
    "Decoder",
    "Denoised",
    "Denoiser",
    "DiscretizedDecoder",
    "FittedVariance",
    "ForwardChain",
    "ForwardProcess",
    "GaussianChain",
    "GaussianDenoiser",
    "GaussianProcess",
    "GeneratorJumps",
    "GeometricNoise",
    "IndependentCategorical",
    "IndependentValues",
    "IsotropicNormal",
    "JumpKernel",
    "LearnedSchedule",
    "LearnedVariance",
    "LinearKeep",
    "LinearRate",
    "MarkovChain",
    "MixtureDenoiser",
    "NetworkDenoiser",
    "NoiseLevel",
    "NormalDecoder",
    "OrderedMasking",
    "Parameterization",
    "PointMass",
    "PosteriorCoefficients",
    "PosteriorSpread",
    "PowerNoise",
    "Scaling",
    "Schedule",
    "SigmoidSchedule",
    "Spacing",
    "StraightPath",
    "TimeGrid",
    "TransitionCoefficients",
    "TweedieCovariance",
    "UniformJumps",
    "UnitPrior",
    "WithoutDivergence",
    "cosine_schedule",
    "default_decoder",
    "edm_schedule",
    "fit_variance",
    "flow_matching_schedule",
    "gaussian_rates",
    "linear_keep_schedule",
    "linear_schedule",
    "posterior_coefficients",
    "sigmoid_schedule",
    "sub_variance_preserving_schedule",
    "transition_coefficients",
    "variance_exploding_schedule",
    "variance_preserving_schedule",
]

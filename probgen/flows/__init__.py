"""Normalizing flows: one recipe a file. Every recipe returns a bijector, to be put on a base by ``TransformedDistribution``."""

from probgen.flows.additive_coupling import nice
from probgen.flows.affine_coupling import real_nvp
from probgen.flows.autoregressive import autoregressive_flow
from probgen.flows.block_neural_autoregressive import block_neural_autoregressive_flow
from probgen.flows.continuous import continuous_flow, continuous_image_flow
from probgen.flows.coupling import coupling_flow
from probgen.flows.gaussianization import gaussianization_flow
from probgen.flows.heavy_tails import heavy_tailed_flow
from probgen.flows.image_coupling import image_real_nvp
from probgen.flows.image_residual import image_residual_flow
from probgen.flows.imported import ImportedAffine, ImportedSpline, ReevaluatedNetwork, from_nflows, from_zuko
from probgen.flows.inverse_autoregressive import inverse_autoregressive_flow
from probgen.flows.invertible_convolutions import channel_mixing, glow
from probgen.flows.invertible_residual import invertible_resnet
from probgen.flows.latent_space import attribute_direction, class_log_posterior, data_between, moved_along, tempered
from probgen.flows.learned_noise import DequantizationNoise, dequantization_noise
from probgen.flows.logistic_mixture_coupling import flow_plus_plus
from probgen.flows.manifolds import rotation_flow, simplex_flow, sphere_flow
from probgen.flows.masked_autoregressive import masked_autoregressive_flow
from probgen.flows.mixed_table import RowNetwork, mixed_table_flow
from probgen.flows.multi_scale import multi_scale_flow
from probgen.flows.neural_autoregressive import neural_autoregressive_flow
from probgen.flows.planar_and_radial import planar_flow, radial_flow
from probgen.flows.residual import residual_flow
from probgen.flows.spline_autoregressive import neural_spline_autoregressive
from probgen.flows.spline_coupling import neural_spline_coupling
from probgen.flows.sylvester import sylvester_flow
from probgen.flows.torus import circular_flow, torus_flow
from probgen.flows.unconstrained_monotonic import unconstrained_monotonic_flow
from probgen.flows.waves import wave_glow

__all__ = [
    "DequantizationNoise",
    "ImportedAffine",
    "ImportedSpline",
    "ReevaluatedNetwork",
    "RowNetwork",
    "attribute_direction",
    "autoregressive_flow",
    "block_neural_autoregressive_flow",
    "channel_mixing",
    "circular_flow",
    "class_log_posterior",
    "continuous_flow",
    "continuous_image_flow",
    "coupling_flow",
    "data_between",
    "dequantization_noise",
    "flow_plus_plus",
    "from_nflows",
    "from_zuko",
    "gaussianization_flow",
    "glow",
    "heavy_tailed_flow",
    "image_real_nvp",
    "image_residual_flow",
    "inverse_autoregressive_flow",
    "invertible_resnet",
    "masked_autoregressive_flow",
    "mixed_table_flow",
    "moved_along",
    "multi_scale_flow",
    "neural_autoregressive_flow",
    "neural_spline_autoregressive",
    "neural_spline_coupling",
    "nice",
    "planar_flow",
    "radial_flow",
    "real_nvp",
    "residual_flow",
    "rotation_flow",
    "simplex_flow",
    "sphere_flow",
    "sylvester_flow",
    "tempered",
    "torus_flow",
    "unconstrained_monotonic_flow",
    "wave_glow",
]

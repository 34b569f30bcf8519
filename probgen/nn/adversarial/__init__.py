"""Generators and critics: the networks of adversarial training. They know no divergence and no law."""

from probgen.nn.adversarial.condition_vector import ConditionVector, ProjectionOutput
from probgen.nn.adversarial.dcgan import DCGANCritic, DCGANGenerator
from probgen.nn.adversarial.layers import normal_initialized, normalization_layer, output_activation
from probgen.nn.adversarial.spectral import convolution_operator_norm, orthogonal_penalty, spectral_normalized

__all__ = [
    "ConditionVector",
    "DCGANCritic",
    "DCGANGenerator",
    "ProjectionOutput",
    "convolution_operator_norm",
    "normal_initialized",
    "normalization_layer",
    "orthogonal_penalty",
    "output_activation",
    "spectral_normalized",
]

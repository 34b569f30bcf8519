"""Generators and critics: the networks of adversarial training. They know no divergence and no law.

A generator maps noise ``[n, features]``, and a context where it takes one, to events ``[n, *event]``: what ``ImplicitLaw``
wants. A critic maps events ``[N, *event]``, and a context, to outputs ``[N, 1]`` (a ``PatchCritic`` to ``[N, 1, h, w]``).
"""

from probgen.nn.adversarial.condition_vector import ConditionedNetwork, ConditionVector, ProjectionOutput
from probgen.nn.adversarial.dcgan import DCGANCritic, DCGANGenerator
from probgen.nn.adversarial.equalized import EqualizedConv2d, EqualizedLinear, PixelNormalization
from probgen.nn.adversarial.growing import GrowingNetwork
from probgen.nn.adversarial.image_to_image import ImageToImageUNet
from probgen.nn.adversarial.layers import (
    ConditionalNormalization,
    normal_initialized,
    normalization_layer,
    output_activation,
    uniform_initialized,
)
from probgen.nn.adversarial.maxout import BatchNormMLP, Maxout, MaxoutCritic
from probgen.nn.adversarial.minibatch_deviation import MinibatchDeviation
from probgen.nn.adversarial.multilayer import MLPCritic, MLPGenerator
from probgen.nn.adversarial.patch_critic import PatchCritic
from probgen.nn.adversarial.progressive import ProgressiveCritic, ProgressiveGenerator
from probgen.nn.adversarial.residual import ResidualCritic, ResidualGenerator
from probgen.nn.adversarial.residual_resizing import ResidualDown, ResidualUp
from probgen.nn.adversarial.scaled_attention import ScaledAttention
from probgen.nn.adversarial.spectral import convolution_operator_norm, orthogonal_penalty, spectral_normalized
from probgen.nn.adversarial.translator import ResidualTranslator

__all__ = [
    "BatchNormMLP",
    "ConditionVector",
    "ConditionalNormalization",
    "ConditionedNetwork",
    "DCGANCritic",
    "DCGANGenerator",
    "EqualizedConv2d",
    "EqualizedLinear",
    "GrowingNetwork",
    "ImageToImageUNet",
    "MLPCritic",
    "MLPGenerator",
    "Maxout",
    "MaxoutCritic",
    "MinibatchDeviation",
    "PatchCritic",
    "PixelNormalization",
    "ProgressiveCritic",
    "ProgressiveGenerator",
    "ProjectionOutput",
    "ResidualCritic",
    "ResidualDown",
    "ResidualGenerator",
    "ResidualTranslator",
    "ResidualUp",
    "ScaledAttention",
    "convolution_operator_norm",
    "normal_initialized",
    "normalization_layer",
    "orthogonal_penalty",
    "output_activation",
    "spectral_normalized",
    "uniform_initialized",
]

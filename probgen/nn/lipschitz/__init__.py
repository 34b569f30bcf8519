"""Networks whose Lipschitz constant is known and bounded: the parts of residual flows."""

from probgen.nn.lipschitz.activations import LipSwish
from probgen.nn.lipschitz.bounds import convolution_norm_bound, spectral_norm_bound
from probgen.nn.lipschitz.convolutional import LipschitzConvNet
from probgen.nn.lipschitz.layers import LipschitzConv2d, LipschitzLinear
from probgen.nn.lipschitz.multilayer import LipschitzMLP

__all__ = [
    "LipSwish",
    "LipschitzConv2d",
    "LipschitzConvNet",
    "LipschitzLinear",
    "LipschitzMLP",
    "convolution_norm_bound",
    "spectral_norm_bound",
]

"""Conditioners of flows on images and waves: from the part of an event that is copied to the parameters of the other part.

Each is called as ``conditioner(x, context)`` with one batch axis, ``x`` ``[N, C, H, W]`` or ``[N, C, T]``, and ends with a
layer that starts at zero. They know no bijector and no distribution.
"""

from probgen.nn.flows.conv_conditioner import ConvConditioner
from probgen.nn.flows.dilated_conditioner import DilatedConditioner
from probgen.nn.flows.gated_conditioner import GatedConditioner
from probgen.nn.flows.grid_context import GridContext
from probgen.nn.flows.normalized_conv1d import NormalizedConv1d
from probgen.nn.flows.normalized_conv2d import NormalizedConv2d
from probgen.nn.flows.residual_conditioner import ResidualConditioner
from probgen.nn.flows.upsampled_frames import UpsampledFrames
from probgen.nn.flows.zero_conv2d import ZeroConv2d

__all__ = [
    "ConvConditioner",
    "DilatedConditioner",
    "GatedConditioner",
    "GridContext",
    "NormalizedConv1d",
    "NormalizedConv2d",
    "ResidualConditioner",
    "UpsampledFrames",
    "ZeroConv2d",
]

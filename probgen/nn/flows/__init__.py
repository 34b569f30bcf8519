"""Conditioners of flows on images: from the part of an event that is copied to the parameters of the other part.

Each is called as ``conditioner(x, context)`` with one batch axis, ``x`` ``[N, C, H, W]``, and ends with a layer that starts at
zero. They know no bijector and no distribution.
"""

from probgen.nn.flows.conv_conditioner import ConvConditioner
from probgen.nn.flows.gated_conditioner import GatedConditioner
from probgen.nn.flows.grid_context import GridContext
from probgen.nn.flows.normalized_conv2d import NormalizedConv2d
from probgen.nn.flows.residual_conditioner import ResidualConditioner
from probgen.nn.flows.zero_conv2d import ZeroConv2d

__all__ = ["ConvConditioner", "GatedConditioner", "GridContext", "NormalizedConv2d", "ResidualConditioner", "ZeroConv2d"]

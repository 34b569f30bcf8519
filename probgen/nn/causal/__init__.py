"""Causal layers and networks: parameters of all positions in parallel, or of one after another with an explicit memory."""

from probgen.nn.causal.causal_attention import CausalAttention
from probgen.nn.causal.causal_conv1d import CausalConv1d, column_at
from probgen.nn.causal.gated_layer import GatedLayer
from probgen.nn.causal.gated_pixel_cnn import GatedPixelCNN
from probgen.nn.causal.masked_conv2d import MaskedConv2d
from probgen.nn.causal.network import CausalNetwork, CausalState
from probgen.nn.causal.pixel_cnn import PixelCNN
from probgen.nn.causal.pointwise import ChannelNorm, ContextBias, Pointwise, gated_unit
from probgen.nn.causal.position_context import PositionContext
from probgen.nn.causal.recomputing import RecomputingNetwork
from probgen.nn.causal.sequence_entry import SequenceEntry
from probgen.nn.causal.stream import Stream
from probgen.nn.causal.transformer import CausalTransformer
from probgen.nn.causal.vertical_conv2d import VerticalConv2d
from probgen.nn.causal.wave_net import WaveNet

__all__ = [
    "CausalAttention",
    "CausalConv1d",
    "CausalNetwork",
    "CausalState",
    "CausalTransformer",
    "ChannelNorm",
    "ContextBias",
    "GatedLayer",
    "GatedPixelCNN",
    "MaskedConv2d",
    "PixelCNN",
    "Pointwise",
    "PositionContext",
    "RecomputingNetwork",
    "SequenceEntry",
    "Stream",
    "VerticalConv2d",
    "WaveNet",
    "column_at",
    "gated_unit",
]

"""Causal layers and networks: parameters of all positions in parallel, or of one after another with an explicit memory."""

from probgen.nn.causal.causal_attention import CausalAttention
from probgen.nn.causal.causal_conv1d import CausalConv1d, column_at
from probgen.nn.causal.causal_residual import CausalResidualBlock, concatenated_elu
from probgen.nn.causal.compiled_steps import CompiledSteps
from probgen.nn.causal.context_bias import ContextBias
from probgen.nn.causal.diagonal_lstm import DiagonalBiLSTM
from probgen.nn.causal.fvsbn import FVSBN
from probgen.nn.causal.gated_layer import GatedLayer
from probgen.nn.causal.gated_pixel_cnn import GatedPixelCNN
from probgen.nn.causal.masked_conv2d import MaskedConv2d
from probgen.nn.causal.nade import NADE
from probgen.nn.causal.network import CausalNetwork, CausalState
from probgen.nn.causal.normalized_weight import NormalizedPointwise, NormalizedWeight, initialized_by_data
from probgen.nn.causal.pixel_cnn import PixelCNN
from probgen.nn.causal.pixel_cnn_plus_plus import PixelCNNPlusPlus
from probgen.nn.causal.pixel_rnn import PixelRNN
from probgen.nn.causal.pixel_snail import PixelSNAIL
from probgen.nn.causal.pointwise import ChannelNorm, Pointwise, gated_unit
from probgen.nn.causal.recomputing import RecomputingNetwork
from probgen.nn.causal.row_lstm import RowLSTM
from probgen.nn.causal.sequence_entry import SequenceEntry
from probgen.nn.causal.shifted_conv2d import DownRightShiftedConv2d, DownShiftedConv2d
from probgen.nn.causal.shifted_upsampling import DownRightShiftedUpsampling, DownShiftedUpsampling, at_coarse_pixels
from probgen.nn.causal.stream import Stream
from probgen.nn.causal.transformer import CausalTransformer
from probgen.nn.causal.vertical_conv2d import VerticalConv2d
from probgen.nn.causal.wave_net import WaveNet

__all__ = [
    "FVSBN",
    "NADE",
    "CausalAttention",
    "CausalConv1d",
    "CausalNetwork",
    "CausalResidualBlock",
    "CausalState",
    "CausalTransformer",
    "ChannelNorm",
    "CompiledSteps",
    "ContextBias",
    "DiagonalBiLSTM",
    "DownRightShiftedConv2d",
    "DownRightShiftedUpsampling",
    "DownShiftedConv2d",
    "DownShiftedUpsampling",
    "GatedLayer",
    "GatedPixelCNN",
    "MaskedConv2d",
    "NormalizedPointwise",
    "NormalizedWeight",
    "PixelCNN",
    "PixelCNNPlusPlus",
    "PixelRNN",
    "PixelSNAIL",
    "Pointwise",
    "RecomputingNetwork",
    "RowLSTM",
    "SequenceEntry",
    "Stream",
    "VerticalConv2d",
    "WaveNet",
    "at_coarse_pixels",
    "column_at",
    "concatenated_elu",
    "gated_unit",
    "initialized_by_data",
]

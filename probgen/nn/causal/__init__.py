"""Causal layers and networks: parameters of all positions in parallel, or of one after another with an explicit memory."""

from probgen.nn.causal.network import CausalNetwork, CausalState
from probgen.nn.causal.pointwise import ChannelNorm, ContextBias, Pointwise, gated_unit
from probgen.nn.causal.recomputing import RecomputingNetwork
from probgen.nn.causal.stream import Stream

__all__ = [
    "CausalNetwork",
    "CausalState",
    "ChannelNorm",
    "ContextBias",
    "Pointwise",
    "RecomputingNetwork",
    "Stream",
    "gated_unit",
]

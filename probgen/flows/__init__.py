"""Normalizing flows: one recipe a file. Every recipe returns a bijector, to be put on a base by ``TransformedDistribution``."""

from probgen.flows.affine_coupling import real_nvp
from probgen.flows.autoregressive import autoregressive_flow
from probgen.flows.coupling import coupling_flow
from probgen.flows.glow import channel_mixing, glow
from probgen.flows.inverse_autoregressive import inverse_autoregressive_flow
from probgen.flows.masked_autoregressive import masked_autoregressive_flow
from probgen.flows.multi_scale import multi_scale_flow
from probgen.flows.spline_autoregressive import neural_spline_autoregressive
from probgen.flows.spline_coupling import neural_spline_coupling

__all__ = [
    "autoregressive_flow",
    "channel_mixing",
    "coupling_flow",
    "glow",
    "inverse_autoregressive_flow",
    "masked_autoregressive_flow",
    "multi_scale_flow",
    "neural_spline_autoregressive",
    "neural_spline_coupling",
    "real_nvp",
]

"""Bijectors of events with axes, channels first: images ``[c, h, w]``, waves ``[c, t]`` and the like."""

from probgen.distributions.bijectors.axes.activation_normalization import ActNorm
from probgen.distributions.bijectors.axes.along_axis import Along
from probgen.distributions.bijectors.axes.factoring_out import FactorOut
from probgen.distributions.bijectors.axes.masked_coupling import MaskedCoupling, checkerboard_mask
from probgen.distributions.bijectors.axes.space_to_depth import Squeeze
from probgen.distributions.bijectors.axes.split_coupling import SplitCoupling

__all__ = ["ActNorm", "Along", "FactorOut", "MaskedCoupling", "SplitCoupling", "Squeeze", "checkerboard_mask"]

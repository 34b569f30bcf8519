"""Autoregressive laws: a product of conditionals, all of them from one network."""

from probgen.distributions.autoregressive.distribution import Autoregressive
from probgen.distributions.autoregressive.law import AutoregressiveLaw

__all__ = ["Autoregressive", "AutoregressiveLaw"]

"""Autoregressive laws: a product of conditionals, all of them from one network; what is known of an event completes it.

This package holds no networks and trains nothing; see ``probgen.nn`` and ``probgen.infer``.
"""

from probgen.distributions.autoregressive.completion import Completion
from probgen.distributions.autoregressive.distribution import Autoregressive
from probgen.distributions.autoregressive.exact_completion import ExactCompletion
from probgen.distributions.autoregressive.law import AutoregressiveLaw
from probgen.distributions.autoregressive.look_ahead import GaussianLookAhead
from probgen.distributions.autoregressive.particle_completion import ParticleCompletion
from probgen.distributions.autoregressive.particles import LookAhead, WeightedCompletions
from probgen.distributions.autoregressive.sites import SiteProgram

__all__ = [
    "Autoregressive",
    "AutoregressiveLaw",
    "Completion",
    "ExactCompletion",
    "GaussianLookAhead",
    "LookAhead",
    "ParticleCompletion",
    "SiteProgram",
    "WeightedCompletions",
]

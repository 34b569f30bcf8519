"""Distributions and the bijectors they are built from: what can be evaluated, sampled and inverted.

This package does not train, read files or hold networks; see ``probgen.infer``, ``probgen.data`` and ``probgen.nn``.
"""

if __name__ != "probgen.distributions":
    raise ImportError(
        f"this folder is the package `probgen.distributions`; it was imported as `{__name__}`. "
        "Write `from probgen.distributions import ...`."
    )

from probgen.distributions import pyro_bridge as _pyro_bridge  # noqa: F401  (registers our classes with torch and Pyro)
from probgen.distributions.base import Distribution
from probgen.distributions.estimate import DensityUnavailable, Estimate, EstimateKind, LogProbKind
from probgen.distributions.standard import StandardNormal, StandardUniform, standard_normal, standard_uniform
from probgen.distributions.transformed import TransformedDistribution

__all__ = [
    "DensityUnavailable",
    "Distribution",
    "Estimate",
    "EstimateKind",
    "LogProbKind",
    "StandardNormal",
    "StandardUniform",
    "TransformedDistribution",
    "standard_normal",
    "standard_uniform",
]

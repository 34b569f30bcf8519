"""Laws that can be drawn from but not scored: what generative adversarial networks learn, and what can be made of them.

``ImplicitDistribution`` is the law, ``ImplicitLaw`` the module that is trained, ``InjectiveDistribution`` one that has a
density after all, on its manifold. A critic's ``DensityRatio`` turns a generator into another law, nearer to the data:
``ResampledDistribution``, ``RejectionDistribution``, ``IndependenceMetropolis``, ``LatentLangevin``. Training stands in
``probgen.infer``.
"""

from probgen.distributions.implicit.corrected import CorrectedDistribution
from probgen.distributions.implicit.density_ratio import DensityRatio
from probgen.distributions.implicit.distribution import ImplicitDistribution
from probgen.distributions.implicit.independence_metropolis import ChainDraws, IndependenceMetropolis
from probgen.distributions.implicit.injective import InjectiveDistribution
from probgen.distributions.implicit.latent_langevin import LatentLangevin
from probgen.distributions.implicit.law import ImplicitLaw
from probgen.distributions.implicit.manifold import Image, InjectiveLinear, log_volume
from probgen.distributions.implicit.ratio_report import MeanEstimate, RatioReport, ratio_report, recalibrated
from probgen.distributions.implicit.rejection import RejectionDistribution
from probgen.distributions.implicit.resampled import ResampledDistribution
from probgen.distributions.implicit.truncation import StandardTruncatedNormal, truncated
from probgen.distributions.implicit.weighted import WeightedDraws

__all__ = [
    "ChainDraws",
    "CorrectedDistribution",
    "DensityRatio",
    "Image",
    "ImplicitDistribution",
    "ImplicitLaw",
    "IndependenceMetropolis",
    "InjectiveDistribution",
    "InjectiveLinear",
    "LatentLangevin",
    "MeanEstimate",
    "RatioReport",
    "RejectionDistribution",
    "ResampledDistribution",
    "StandardTruncatedNormal",
    "WeightedDraws",
    "log_volume",
    "ratio_report",
    "recalibrated",
    "truncated",
]

"""What can be done with latents: grids and traversals by quantiles, geodesics, arithmetic on laws, outliers.

Pure functions of laws and of the functions that return them (``vae.decode``, ``vae.encode``); nothing here is trained. Segments
and arcs are ``linear`` and ``spherical`` of ``probgen.distributions.numerics.interpolation``, offered here too.
"""

from probgen.distributions.numerics.interpolation import linear, spherical
from probgen.vae.latent_space.arithmetic import analogy, attribute_vector, combine, shift
from probgen.vae.latent_space.geodesics import Geodesic, geodesic
from probgen.vae.latent_space.grids import manifold, prior_quantiles, quantile_grid, traversals
from probgen.vae.latent_space.metrics import metric_tensor, path_energy, path_length
from probgen.vae.latent_space.outliers import OutlierScores, outlier_scores

__all__ = [
    "Geodesic",
    "OutlierScores",
    "analogy",
    "attribute_vector",
    "combine",
    "geodesic",
    "linear",
    "manifold",
    "metric_tensor",
    "outlier_scores",
    "path_energy",
    "path_length",
    "prior_quantiles",
    "quantile_grid",
    "shift",
    "spherical",
    "traversals",
]

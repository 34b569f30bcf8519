"""Samplers: immutable functions from noise to data, made of a denoiser and a grid of times.

Each factory works out all coefficients once, in float64; a step is then a few operations of full size and one call of the
network. Noise is drawn only where some is added.
"""

from probgen.diffusion.samplers.ancestral_sampling import ancestral
from probgen.diffusion.samplers.ddim_family import ddim
from probgen.diffusion.samplers.edm_solvers import euler, heun
from probgen.diffusion.samplers.grids import SamplerSpacing, sampling_grid
from probgen.diffusion.samplers.inverting import inversion
from probgen.diffusion.samplers.langevin_dynamics import annealed_langevin, predictor_corrector
from probgen.diffusion.samplers.mixing import noised_interpolation
from probgen.diffusion.samplers.multistep_solvers import dpm_solver, uni_pc
from probgen.diffusion.samplers.sampler import Progress, SamplePath, Sampler
from probgen.diffusion.samplers.stochastic_solvers import euler_maruyama
from probgen.distributions.numerics.interpolation import linear, spherical

__all__ = [
    "Progress",
    "SamplePath",
    "Sampler",
    "SamplerSpacing",
    "ancestral",
    "annealed_langevin",
    "ddim",
    "dpm_solver",
    "euler",
    "euler_maruyama",
    "heun",
    "inversion",
    "linear",
    "noised_interpolation",
    "predictor_corrector",
    "sampling_grid",
    "spherical",
    "uni_pc",
]

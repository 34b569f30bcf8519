"""The Gaussian baselines are densities of the same pixels: their order is known."""

import math

from probgen.demo import Settings, gaussian, load_problem, logit_gaussian
from probgen.metrics import bits_per_dim


def test_gaussians_beat_the_uniform_law():
    problem = load_problem(Settings.smoke())
    bits = [bits_per_dim(f(problem)[0], 64, levels=17).mean for f in (logit_gaussian, gaussian)]
    assert bits[0] < bits[1] < math.log2(17)

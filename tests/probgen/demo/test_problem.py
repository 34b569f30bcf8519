"""The problem is fair: one noise for all, a fixed map that covers the cube, no leak between splits."""

import torch

from probgen.demo import LEVELS, Settings, load_problem


def test_test_noise_is_the_same_on_every_load_and_keeps_the_integers():
    first, second = load_problem(Settings.smoke()), load_problem(Settings.smoke())
    assert torch.equal(first.test_v, second.test_v)
    assert torch.equal((first.test_v[0] * LEVELS).floor(), first.test.x.float())


def test_the_fixed_map_reaches_every_pixel_value_and_inverts():
    problem = load_problem(Settings.smoke())
    v = torch.rand(20, 64)
    v[0], v[1] = 1e-6, 1 - 1e-6
    z, ildj = problem.to_pixels.inverse_and_log_det(v)
    back, fldj = problem.to_pixels.forward_and_log_det(z)
    assert torch.allclose(back, v, atol=1e-5)
    assert torch.allclose(fldj + ildj, torch.zeros(20, 64), atol=1e-3)

"""The problem is fair: one noise for all, a fixed map that covers the cube, no leak between splits."""

import pytest
import torch

from probgen.demo import DATA, DIGITS, Settings, load_problem


def test_test_noise_is_the_same_on_every_load_and_keeps_the_integers():
    first, second = load_problem(Settings.smoke()), load_problem(Settings.smoke())
    assert torch.equal(first.test_v, second.test_v)
    assert torch.equal((first.test_v[0] * DIGITS.levels).floor(), first.test.x.float())


def test_the_fixed_map_reaches_every_pixel_value_and_inverts():
    problem = load_problem(Settings.smoke())
    v = torch.rand(20, 64)
    v[0], v[1] = 1e-6, 1 - 1e-6
    z, ildj = problem.to_pixels.inverse_and_log_det(v)
    back, fldj = problem.to_pixels.forward_and_log_det(z)
    assert torch.allclose(back, v, atol=1e-5)
    assert torch.allclose(fldj + ildj, torch.zeros(20, 64), atol=1e-3)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="digits, fashion-mnist; got 'letters'"):
        load_problem(Settings(data="letters"))
    assert list(DATA) == ["digits", "fashion-mnist"]


def test_larger_images_keep_their_size_and_levels():
    """The data, or digits enlarged to their format where they are not here."""
    problem = load_problem(Settings.smoke("fashion-mnist"))
    assert (problem.images.height, problem.images.width, problem.images.levels) == (28, 28, 256)
    assert (len(problem.train), len(problem.test)) == (1000, 24)
    assert problem.examples().shape[1] == 784
    assert len(problem.examples()) > 5
    assert float(problem.frequency.sum()) == pytest.approx(1.0)
    v = problem.test_v[0][:5]
    back = problem.from_logits(problem.from_logits.inverse(v))
    assert torch.allclose(back, v, atol=1e-5)

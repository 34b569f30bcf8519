"""The nearest training image, and how far it is."""

import pytest
import torch

from probgen.demo import Settings, load_problem, nearest_training_images


@pytest.fixture(scope="module")
def problem():
    return load_problem(Settings.smoke())


def test_a_copy_is_its_own_neighbor_and_a_changed_pixel_is_measured(problem):
    v = (problem.train.x[5:9] + 0.5) / 17
    changed = v.clone()
    changed[:, 27] = torch.where(changed[:, 27] > 0.5, changed[:, 27] - 2 / 17, changed[:, 27] + 2 / 17)
    found = nearest_training_images(changed, problem)
    torch.testing.assert_close(found.images, v)
    torch.testing.assert_close(found.distances, torch.full((4,), (2 / 16) / 8))


def test_it_is_the_nearest_by_brute_force(problem):
    v = problem.test_v[0][:20]
    code, known = (v * 17).floor() / 16, problem.train.x / 16
    brute = (code[:, None] - known).square().mean(-1).min(-1).values.sqrt()
    torch.testing.assert_close(nearest_training_images(v, problem).distances, brute)

"""Integers, pixels and centered gray values say the same of an image."""

import pytest
import torch

from probgen.demo import DIGITS, ImageFormat


@pytest.mark.parametrize("images", [DIGITS, ImageFormat(3, 5, levels=256, num_classes=4), ImageFormat(2, 2, 2, 2)])
def test_three_ways_to_write_a_gray_value(images):
    k = torch.arange(images.levels)
    v = images.noisy(k, seed=0)
    assert torch.equal(images.integers(v), k)
    torch.testing.assert_close(images.centered(v), images.quantization.decode(k))
    torch.testing.assert_close(images.pixels(images.centered(v)), (k + 0.5) / images.levels)
    assert torch.equal(images.integers(images.pixels(images.centered(v))), k)


def test_sizes():
    images = ImageFormat(3, 5, levels=256, num_classes=4)
    assert images.square(torch.zeros(2, 7, images.num_pixels)).shape == (2, 7, 3, 5)
    assert images.one_hot(torch.tensor([3, 0])).tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]
    assert images.small
    assert not ImageFormat(28, 28, 256, 10).small

"""Pixels as features; shared checks."""

import pytest
import torch

from probgen.metrics import PixelFeatures, frechet_report
from probgen.metrics.features import describe


def test_pixels_are_the_image_itself():
    images = torch.randint(0, 17, (5, 2, 3), dtype=torch.uint8)
    features = PixelFeatures((2, 3))(images)
    assert torch.equal(features, images.reshape(5, 6).float())
    assert PixelFeatures((2, 3))(images.double()).dtype == torch.float64
    assert PixelFeatures(())(torch.arange(4.0)).shape == (4, 1)
    assert PixelFeatures((2, 3))(images[:0]).shape == (0, 6)


def test_any_function_is_an_extractor_and_named():
    def corner(examples):
        return examples.flatten(1)[:, :2].float()

    x = torch.randint(0, 9, (40, 8, 8))
    assert "against 20; corner, 2 features)" in str(frechet_report(x, x, None, corner))
    assert describe(PixelFeatures((8, 8)), 64) == "pixels, 64 features"


def test_errors():
    with pytest.raises(ValueError, match=r"`examples` must have shape \[n, 8, 8\]; got \(3, 64\)"):
        PixelFeatures((8, 8))(torch.zeros(3, 64))
    with pytest.raises(ValueError, match=r"`event_shape` must hold at least one value; got \(0, 3\)"):
        PixelFeatures((0, 3))

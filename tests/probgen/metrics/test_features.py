"""Pixels as features; shared checks."""

import pytest
import torch

from probgen.metrics import FeatureExtractor, PixelFeatures


def test_pixels_are_the_image_itself():
    images = torch.randint(0, 17, (5, 2, 3), dtype=torch.uint8)
    features = PixelFeatures((2, 3))(images)
    assert torch.equal(features, images.reshape(5, 6).float())
    assert PixelFeatures((2, 3))(images.double()).dtype == torch.float64
    assert PixelFeatures(())(torch.arange(4.0)).shape == (4, 1)
    assert PixelFeatures((2, 3))(images[:0]).shape == (0, 6)


def test_any_object_of_the_form_is_an_extractor():
    class Halves:
        num_features = 2

        def __call__(self, examples):
            return examples.flatten(1)[:, :2]

    assert isinstance(Halves(), FeatureExtractor)
    assert not isinstance(torch.relu, FeatureExtractor)


def test_errors():
    with pytest.raises(ValueError, match=r"`examples` must have shape \[n, 8, 8\]; got \(3, 64\)"):
        PixelFeatures((8, 8))(torch.zeros(3, 64))
    with pytest.raises(ValueError, match=r"`event_shape` must hold at least one value; got \(0, 3\)"):
        PixelFeatures((0, 3))

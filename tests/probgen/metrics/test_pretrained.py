"""Features of networks that were trained elsewhere: what they see, and that they stay as they are."""

import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from probgen.metrics import PretrainedFeatures, frechet_report, imagenet_features


def extractor(size=(8, 8), **options):
    return PretrainedFeatures(nn.Identity(), "pixels of a network", size, **options)


def test_images_are_standardized_and_gray_ones_repeated():
    x = torch.rand(3, 8, 8)
    seen = extractor(mean=(0.5, 0.0, 1.0), spread=(2.0, 1.0, 0.5))(x).reshape(3, 3, 8, 8)
    for channel, (mean, spread) in enumerate(((0.5, 2.0), (0.0, 1.0), (1.0, 0.5))):
        torch.testing.assert_close(seen[:, channel], (x - mean) / spread)
    assert torch.equal(extractor()(x), extractor()(x.unsqueeze(1).expand(-1, 3, -1, -1)))


def test_shrinking_averages():
    """A checkerboard of single pixels is gray, not black or white, when it is shrunk: resizing is antialiased."""
    board = ((torch.arange(32)[:, None] + torch.arange(32)) % 2).float().expand(1, 1, 32, 32)
    seen = extractor(mean=(0, 0, 0), spread=(1, 1, 1))(board).reshape(3, 8, 8)
    assert (seen[:, 1:-1, 1:-1] - 0.5).abs().max() < 0.01
    stripes = (torch.arange(32) % 4 == 0).float().expand(1, 1, 32, 32)  # between its samples, for who does not average
    seen = extractor(mean=(0, 0, 0), spread=(1, 1, 1))(stripes).reshape(3, 8, 8)
    assert (seen[:, 1:-1, 1:-1] - 0.25).abs().max() < 0.01


def test_it_stays_in_evaluation_mode_and_frozen():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1))
    features = PretrainedFeatures(network, "normalized", (16, 16)).train()
    x = torch.rand(70, 3, 20, 20)
    assert not features.training
    assert not any(parameter.requires_grad for parameter in features.parameters())
    torch.testing.assert_close(features(x)[:5], features(x[:5]), rtol=1e-5, atol=1e-6)


def test_its_name_goes_with_the_numbers():
    x = torch.rand(60, 8, 8)
    report = frechet_report(x[:20], x[20:40], x[40:], extractor((2, 2)))
    assert "pixels of a network at 2x2" in str(report)


def test_errors():
    with pytest.raises(ValueError, match="a spread positive"):
        extractor(spread=(1.0, 0.0, 1.0))
    for wrong in (torch.zeros(2, 4, 8, 8), torch.zeros(8, 8), torch.zeros(2, 8, 8, dtype=torch.uint8)):
        with pytest.raises(ValueError, match="`images` must be floating-point numbers"):
            extractor()(wrong)


class Classifier(nn.Module):
    """What torchvision returns, in small."""

    def __init__(self):
        super().__init__()
        self.body, self.fc = nn.Conv2d(3, 2, 224), nn.Linear(2, 1000)

    def forward(self, x):
        return self.fc(self.body(x).flatten(1))


def test_a_classifier_of_torchvision_loses_its_last_layer(monkeypatch):
    models = ModuleType("torchvision.models")
    models.get_model = lambda name, weights: Classifier() if name == "resnet18" else nn.Identity()
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    found = imagenet_features()
    assert found(torch.rand(2, 16, 16)).shape == (2, 2)
    assert str(found) == "resnet18 of torchvision, ImageNet at 224x224"
    with pytest.raises(ValueError, match="'other' has none"):
        imagenet_features("other")


def test_without_torchvision_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(ImportError, match=r"pip install probgen\[imagenet\]"):
        imagenet_features()

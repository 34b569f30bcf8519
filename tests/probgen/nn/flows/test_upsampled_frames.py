"""UpsampledFrames: lengths, which frames a group sees, errors."""

import pytest
import torch

from probgen.nn.flows import UpsampledFrames


def test_a_group_sees_the_frames_around_it():
    network = UpsampledFrames(2, hop=8, group=4, width=2)
    frames = torch.randn(1, 2, 6, requires_grad=True)
    features = network(frames)
    assert features.shape == (1, 8, 12)
    features[0, :, 6].sum().backward()  # samples 24 to 27: frame 3 and a neighbor
    assert frames.grad.abs().sum((0, 1)).nonzero().flatten().tolist() == [2, 3]


def test_samples_of_a_group_stand_side_by_side():
    network = UpsampledFrames(2, hop=4, group=2)
    frames = torch.randn(3, 2, 5)
    samples = network.convolution(frames)
    features = network(frames)
    for place in range(2):
        assert torch.equal(features[:, [place, 2 + place]], samples[:, :, place::2])


def test_refuses_what_is_not_centered():
    with pytest.raises(ValueError, match="must divide"):
        UpsampledFrames(2, hop=8, group=3)
    with pytest.raises(ValueError, match="centered"):
        UpsampledFrames(2, hop=5, group=5, width=2)

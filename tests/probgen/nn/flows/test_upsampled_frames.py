"""UpsampledFrames: lengths, which frames a position sees, errors."""

import pytest
import torch

from probgen.nn.flows import UpsampledFrames


def test_a_position_sees_the_frames_around_it():
    network = UpsampledFrames(2, 3, factor=8, width=2)
    frames = torch.randn(1, 2, 6, requires_grad=True)
    features = network(frames)
    assert features.shape == (1, 3, 48)
    features[0, :, 26].sum().backward()  # of frame 3, in its first half
    assert frames.grad.abs().sum((0, 1)).nonzero().flatten().tolist() == [2, 3]


def test_one_position_a_frame_is_a_convolution():
    network = UpsampledFrames(2, 3, factor=1, width=3)
    frames = torch.randn(4, 2, 7)
    weight = network.convolution.weight.transpose(0, 1).flip(2)
    expected = torch.nn.functional.conv1d(frames, weight, network.convolution.bias, padding=1)
    torch.testing.assert_close(network(frames), expected)


def test_refuses_what_is_not_centered():
    with pytest.raises(ValueError, match="must be centered"):
        UpsampledFrames(2, 3, factor=5, width=2)
    with pytest.raises(ValueError, match="factor"):
        UpsampledFrames(2, 3, factor=0)

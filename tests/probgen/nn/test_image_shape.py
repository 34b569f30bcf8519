"""One check for all networks of images."""

import pytest

from probgen import nn
from probgen.nn.image_shape import image_sizes


@pytest.mark.parametrize(
    ("shape", "gray", "accepted"),
    [
        ((8, 9), False, "(C, H, W)"),
        ((3, 8, 0), False, "(C, H, W)"),
        ((4,), True, "(C, H, W) or (H, W)"),
        ((8, -1), True, "(C, H, W) or (H, W)"),
        ((1, 1, 8, 9), True, "(C, H, W) or (H, W)"),
    ],
)
def test_it_says_what_it_takes(shape, gray, accepted):
    with pytest.raises(ValueError, match="out_shape") as caught:
        image_sizes(shape, name="out_shape", gray=gray)
    assert str(caught.value) == f"`out_shape` must be {accepted}, all positive; got {shape}."


@pytest.mark.parametrize("network", [nn.PixelCNN, nn.GatedPixelCNN, nn.PixelCNNPlusPlus, nn.PixelRNN, nn.PixelSNAIL])
def test_causal_networks_take_gray_images(network):
    assert (network((4, 5), 2).features, network((4, 5), 2).num_inputs) == (20, 1)
    assert (network((3, 4, 5), 2).features, network((3, 4, 5), 2).num_inputs) == (20, 3)
    with pytest.raises(ValueError, match=r"`image_shape` must be \(C, H, W\) or \(H, W\), all positive; got \(4, 0\)"):
        network((4, 0), 2)

"""What one output of a patch critic sees."""

import pytest
import torch

from probgen.nn import PatchCritic


@pytest.mark.parametrize(("depth", "field"), [(1, 16), (2, 34), (3, 70)])
def test_receptive_field(depth, field):
    """The pixels with a gradient are a square of the computed side, shifted by the stride from output to output."""
    torch.manual_seed(0)
    size = field + 8 * 2**depth
    critic = PatchCritic((1, size, size), channels=2, depth=depth, normalization="none")
    assert critic.receptive_field == field
    x = torch.randn(1, 1, size, size, requires_grad=True)
    outputs = critic(x)
    middle = outputs.shape[-1] // 2
    seen = [torch.autograd.grad(outputs[0, 0, middle + k, middle], x, retain_graph=True)[0][0, 0] for k in (0, 1)]
    rows = [value.abs().sum(1).nonzero().flatten() for value in seen]
    columns = seen[0].abs().sum(0).nonzero().flatten()
    assert (rows[0][-1] - rows[0][0] + 1).item() == field
    assert (columns[-1] - columns[0] + 1).item() == field
    assert (rows[1][0] - rows[0][0]).item() == 2**depth


def test_the_paper_s_outputs():
    """256 x 256 images: 30 x 30 outputs of 70 x 70 patches; 64, 128, 256, 512 channels."""
    small = PatchCritic((3, 256, 256), context_channels=3, channels=2)
    assert small(torch.zeros(1, 3, 256, 256), torch.zeros(1, 3, 256, 256)).shape == (1, 1, 30, 30)
    critic = PatchCritic((3, 256, 256), context_channels=3)
    assert [part.out_channels for part in critic.convolutions] == [64, 128, 256, 512]
    assert critic.convolutions[0].in_channels == 6


def test_the_smallest_images():
    for depth, side in ((1, 6), (2, 12), (3, 24)):
        assert PatchCritic((1, side, side), channels=2, depth=depth)(torch.zeros(2, 1, side, side)).shape == (2, 1, 1, 1)
        with pytest.raises(ValueError, match=f"must be at least {side} for depth {depth}"):
            PatchCritic((1, side - 1, side), depth=depth)
    with pytest.raises(ValueError, match="`context_channels` must not be negative; got -1"):
        PatchCritic((1, 28, 28), context_channels=-1)

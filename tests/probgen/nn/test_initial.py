"""Where weights start."""

import torch

from probgen.nn._initial import uniform_parameter


def test_weights_start_in_the_range_of_their_inputs():
    torch.manual_seed(0)
    weight = uniform_parameter(25, (25, 40))
    assert weight.abs().max().item() <= 0.2
    assert weight.abs().max().item() > 0.19

"""NormalizedConv1d: the weight's length, the reach of a dilated kernel, errors."""

import pytest
import torch

from probgen.nn.flows import NormalizedConv1d


def test_sees_positions_a_dilation_apart():
    layer = NormalizedConv1d(1, 1, dilation=3)
    x = torch.zeros(1, 1, 15, requires_grad=True)
    layer(x)[0, 0, 7].backward()
    assert x.grad[0, 0].nonzero().flatten().tolist() == [4, 7, 10]
    torch.testing.assert_close(layer.weight().flatten(1).norm(dim=1), torch.ones(1))


def test_refuses_even_kernels():
    for options in ({"kernel_size": 2}, {"dilation": 0}):
        with pytest.raises(ValueError, match="must be odd and `dilation` positive"):
            NormalizedConv1d(1, 1, **options)

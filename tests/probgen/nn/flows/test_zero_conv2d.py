import pytest
import torch
import torch.nn.functional as F

from probgen.nn.flows import ZeroConv2d


def test_it_is_a_convolution_with_a_scale_for_each_channel():
    torch.manual_seed(0)
    layer, x = ZeroConv2d(3, 4), torch.randn(2, 3, 5, 6)
    assert not layer(x).any()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    plain = F.conv2d(x, layer.weight, layer.bias, padding=1)
    assert torch.allclose(layer(x), plain * (3 * layer.log_scale).exp()[:, None, None], atol=1e-5)


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match="`kernel_size` odd; got 3, 4 and 2"):
        ZeroConv2d(3, 4, 2)

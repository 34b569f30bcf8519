"""The gated residual block: its formula, its options, and rows and columns."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from probgen.nn.causal import CausalResidualBlock, DownRightShiftedConv2d, Stream, concatenated_elu


def pixels(inputs, outputs, scale):
    return DownRightShiftedConv2d(inputs, outputs, width=4, init_scale=scale)


def test_concatenated_elu_keeps_both_signs():
    x = torch.tensor([[3.0, -2.0]])
    positive, negative = concatenated_elu(x).chunk(2, 1)
    assert positive.tolist() == F.elu(x).tolist()
    assert negative.tolist() == F.elu(-x).tolist()


@pytest.mark.parametrize("activation", [None, nn.Tanh()])
@pytest.mark.parametrize("shortcut", [0, 3])
@pytest.mark.parametrize("context_shape", [None, (2, 2)])
def test_it_is_its_formula(activation, shortcut, context_shape):
    torch.manual_seed(0)
    block = CausalResidualBlock(2, pixels, shortcut=shortcut, context_shape=context_shape, activation=activation).double()
    x, a, c = torch.randn(5, 2, 3, 4).double(), torch.randn(5, 3, 3, 4).double(), torch.randn(5, 2, 2).double()
    f = concatenated_elu if activation is None else activation
    hidden = block.first(f(x))
    if shortcut:
        hidden = (
            hidden + torch.einsum("oc,nchw->nohw", block.shortcut.weight()[..., 0], f(a)) + block.shortcut.bias[:, None, None]
        )
    u, v = block.second(f(hidden)).chunk(2, 1)
    if context_shape:
        du, dv = (c.flatten(1) @ block.context.linear.weight.T)[:, :, None, None].chunk(2, 1)
        u, v = u + du, v + dv
    found = block(x, a if shortcut else None, c if context_shape else None)
    torch.testing.assert_close(found, x + u * v.sigmoid())


def test_a_stream_gives_the_same():
    torch.manual_seed(0)
    block = CausalResidualBlock(2, pixels, shortcut=3, context_shape=(2,), dropout=0.5).double().eval()
    x, a, c = torch.randn(5, 2, 3, 4).double(), torch.randn(5, 3, 3, 4).double(), torch.randn(5, 2).double()
    expected, memory = block(x, a, c), None
    for position in range(12):
        stream = Stream(position, memory)
        found = block(x.flatten(2)[..., position], a.flatten(2)[..., position], c, stream)
        memory = stream.memory
        torch.testing.assert_close(found, expected.flatten(2)[..., position])


def test_dropout_works_in_training_only():
    torch.manual_seed(0)
    block, x = CausalResidualBlock(4, pixels, dropout=0.5), torch.randn(2, 4, 3, 4)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))

"""Attention with absorbed keys and values: the same sums from normalized inputs, and where it serves."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from probgen.nn.causal import CausalAttention
from probgen.nn.causal.absorbed_attention import AbsorbedAttention, folded


def with_biases(module):
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.double()


@pytest.mark.parametrize(("heads", "width"), [(1, 8), (2, 8), (4, 12)])
def test_it_is_the_attention_behind_its_norm(heads, width):
    torch.manual_seed(0)
    norm, attention = with_biases(nn.LayerNorm(8)), with_biases(CausalAttention(8, heads, 6, width=width))
    x = torch.randn(3, 6, 8).double()
    absorbed, z = AbsorbedAttention.of(norm, attention), F.layer_norm(x, (8,))
    expected = attention.along(norm(x))
    for t in range(6):
        found = absorbed.mixed(z[:, t], z[:, None, : t + 1]) @ absorbed.output + absorbed.output_bias
        torch.testing.assert_close(found, expected[:, t])


@pytest.mark.parametrize(
    ("options", "serves"),
    [({}, True), ({"heads": 4}, True), ({"heads": 8}, False), ({"strict": True}, False), ({"rotary": True}, False)],
)
def test_it_serves_plain_attention_with_few_heads(options, serves):
    assert AbsorbedAttention.serves(CausalAttention(16, **{"heads": 2, "length": 6, **options})) is serves
    assert not AbsorbedAttention.serves(CausalAttention(16, 2, 6, source_channels=3))


def test_the_norm_is_folded_into_what_follows():
    torch.manual_seed(0)
    norm, weight, x = with_biases(nn.LayerNorm(4)), torch.randn(3, 4).double(), torch.randn(5, 4).double()
    matrix, shift = folded(norm, weight)
    torch.testing.assert_close(F.layer_norm(x, (4,)) @ matrix + shift, norm(x) @ weight.T)

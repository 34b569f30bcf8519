"""Attention."""

import math
import warnings

import pytest
import torch

from probgen.nn import MultiHeadAttention, SpatialAttention, TransformerBlock
from probgen.nn.attention import differentiable_attention, group_normalization, zero_initialized
from tests.probgen.nn.networks import awake


def by_hand(query, key, value, mask=None):
    """One head, for ``[L, d]``, ``[M, d]``, ``[M, d]``: the definition, as sums."""
    score = query @ key.T / math.sqrt(query.shape[1])
    weight = score.exp() if mask is None else score.exp() * mask
    return weight @ value / weight.sum(1, keepdim=True)


def test_self_attention_is_its_definition():
    attention, x = MultiHeadAttention(6, heads=2).double(), torch.randn(2, 5, 6).double()
    query, key, value = (x @ attention.query_key_value.weight.T + attention.query_key_value.bias).split(6, dim=-1)
    for n in range(2):
        heads = [by_hand(query[n, :, h], key[n, :, h], value[n, :, h]) for h in (slice(0, 3), slice(3, 6))]
        torch.testing.assert_close(attention(x)[n], attention.output(torch.cat(heads, 1)))


def test_attention_to_a_memory_is_its_definition():
    attention = MultiHeadAttention(4, heads=1, memory_features=3).double()
    x, memory = torch.randn(1, 5, 4).double(), torch.randn(1, 7, 3).double()
    mask = torch.tensor([[True, False, True, True, False, True, False]])
    key, value = attention.key_value(memory)[0].split(4, dim=-1)
    expected = attention.output(by_hand(attention.query(x)[0], key, value, mask.double()))
    torch.testing.assert_close(attention(x, memory, mask)[0], expected)


def test_a_memory_goes_with_cross_attention():
    x = torch.zeros(1, 2, 4)
    with pytest.raises(ValueError, match="`memory` goes with cross-attention"):
        MultiHeadAttention(4, heads=1)(x, x)
    with pytest.raises(ValueError, match="`memory` goes with cross-attention"):
        MultiHeadAttention(4, heads=1, memory_features=4)(x)


@pytest.mark.parametrize(("features", "heads"), [(6, 4), (6, 0), (0, 1)])
def test_heads_divide(features, heads):
    with pytest.raises(ValueError, match=f"`heads` must divide `features`; got {heads} and {features}"):
        MultiHeadAttention(features, heads)


def test_a_block_is_its_two_sums():
    block, x = awake(TransformerBlock(8, heads=2)), torch.randn(2, 5, 8)
    mask = torch.tensor([[True] * 3 + [False] * 2] * 2)
    h = x + block.attention(block.normalization(x), None, mask)
    torch.testing.assert_close(block(x, mask), h + block.network(h))


def test_pixels_see_each_other_wherever_they_are():
    """Attention knows no places: permuting the pixels permutes the result."""
    layer, x = awake(SpatialAttention(8, heads=2)), torch.randn(2, 8, 3, 5)
    order = torch.randperm(15)

    def permuted(image):
        return image.flatten(2)[:, :, order].unflatten(2, (3, 5))

    torch.testing.assert_close(layer(permuted(x)), permuted(layer(x)), rtol=1e-4, atol=1e-5)
    assert (layer(x) - x).abs().max() > 0.1


def test_a_layer_between_pixels_is_its_two_sums():
    layer, x, memory = awake(SpatialAttention(8, heads=2, memory_features=6)), torch.randn(1, 8, 3, 5), torch.randn(1, 4, 6)
    tokens = x.flatten(2).transpose(1, 2)
    h = tokens + layer.attention(layer.normalization(x).flatten(2).transpose(1, 2))
    h = h + layer.to_memory(layer.memory_normalization(h), memory)
    torch.testing.assert_close(layer(x, memory), h.transpose(1, 2).reshape(1, 8, 3, 5))


@pytest.mark.parametrize("memory", [None, torch.ones(1, 4, 6)])
def test_a_new_layer_changes_nothing(memory):
    layer, x = SpatialAttention(8, heads=2, memory_features=0 if memory is None else 6), torch.randn(1, 8, 3, 5)
    assert torch.equal(layer(x, memory), x)


def test_pixels_see_the_memory():
    layer, x, memory = awake(SpatialAttention(8, heads=2, memory_features=6)), torch.randn(1, 8, 3, 5), torch.randn(1, 4, 6)
    mask = torch.tensor([[True, True, False, True]])
    changed = memory.clone()
    changed[:, 2] += 1.0
    assert torch.equal(layer(x, changed, mask), layer(x, memory, mask))
    changed[:, 1] += 1.0
    assert (layer(x, changed, mask) - layer(x, memory, mask)).abs().max() > 1e-3


def test_the_formula_is_used_where_the_kernel_has_no_derivative():
    attention, x = MultiHeadAttention(4, heads=2).double(), torch.randn(2, 3, 4).double()
    at = x.clone().requires_grad_()
    with differentiable_attention(at):
        assert torch.autograd.gradgradcheck(attention, (at,))
    assert not torch.backends.cuda.math_sdp_enabled() or torch.backends.cuda.flash_sdp_enabled()  # and only there

    def mapped(x):
        with differentiable_attention(x):
            return attention(x)

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns where it maps a kernel one by one
        torch.testing.assert_close(torch.vmap(mapped)(x[:, None])[:, 0], attention(x))


def test_groups():
    assert [group_normalization(n).num_groups for n in (1, 3, 8, 12, 44, 128, 132, 256)] == [1, 1, 2, 3, 11, 32, 22, 32]
    for channels in (1, 5, 36, 132, 500):
        layer = group_normalization(channels)
        assert channels % layer.num_groups == 0
        assert channels < 8 or channels // layer.num_groups >= 4


def test_groups_are_normalized_within_a_sample():
    x = 3.0 + 2.0 * torch.randn(2, 8, 4, 4).double()
    x[1] *= 100
    groups = group_normalization(8).double()(x).reshape(2, 2, -1)
    torch.testing.assert_close(groups.mean(-1), torch.zeros(2, 2).double())
    torch.testing.assert_close(groups.var(-1, correction=0), torch.ones(2, 2).double(), rtol=1e-4, atol=0.0)


def test_layers_without_a_bias_are_silenced_too():
    layer = torch.nn.Linear(2, 2, bias=False)
    zero_initialized(layer)
    assert torch.equal(layer(torch.ones(2)), torch.zeros(2))

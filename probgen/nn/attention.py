r"""Attention between the positions of a sequence, to a second sequence, or between the pixels of an image.

.. math::

    \mathrm{attention}(Q, K, V) = \mathrm{softmax}\Big(\frac{Q K^\top}{\sqrt{d}} + M\Big) V, \qquad
    Q = X W_Q,\ K = Y W_K,\ V = Y W_V,

for each head of width :math:`d` on its own, the heads joined and mixed by one more linear map. With :math:`Y = X` this is
self-attention, with another :math:`Y`, a *memory*, cross-attention; :math:`M` is 0 where a position may be looked at and
:math:`-\infty` elsewhere. A row of which nothing may be looked at has no softmax: memories here hold a position that may.

torch computes this by fused kernels, which know one backward pass and nothing else: no second derivative, no forward-mode
derivative, no ``vmap``. ``differentiable_attention`` switches to the formula as written where one of these is under way.
"""

from __future__ import annotations

import contextlib

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = [
    "MultiHeadAttention",
    "SpatialAttention",
    "TransformerBlock",
    "differentiable_attention",
    "group_normalization",
    "zero_initialized",
]


class MultiHeadAttention(nn.Module):
    """Attention of ``[N, L, features]`` to itself, or to a memory ``[N, M, memory_features]``; gives ``[N, L, features]``.

    Args:
        features: Width of the sequence.
        heads: How many heads, a divisor of ``features``.
        memory_features: Width of the memory; 0 for self-attention.

    Raises:
        ValueError: ``heads`` does not divide ``features``.

    References:
        Vaswani et al. (2017). Attention is all you need. https://arxiv.org/abs/1706.03762

    Example:
        >>> import torch
        >>> from probgen.nn import MultiHeadAttention
        >>> attention = MultiHeadAttention(16, heads=4)
        >>> x = torch.randn(2, 5, 16)
        >>> torch.allclose(attention(x.flip(1)), attention(x).flip(1), atol=1e-6)  # it knows no order
        True
    """

    def __init__(self, features: int, heads: int, *, memory_features: int = 0) -> None:
        super().__init__()
        if heads < 1 or features < 1 or features % heads:
            raise ValueError(f"`heads` must divide `features`; got {heads} and {features}.")
        self.heads, self.memory_features = heads, memory_features
        if memory_features:
            self.query = nn.Linear(features, features)
            self.key_value = nn.Linear(memory_features, 2 * features)
        else:
            self.query_key_value = nn.Linear(features, 3 * features)
        self.output = nn.Linear(features, features)

    def forward(self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Attend from ``x`` to ``memory`` (itself, where the layer was built so), where ``mask`` ``[N, M]`` is True.

        Raises:
            ValueError: a memory is missing, or given to self-attention.
        """
        if (memory is None) == bool(self.memory_features):
            raise ValueError("`memory` goes with cross-attention (`memory_features` > 0), and with nothing else.")
        if memory is None:
            query, key, value = (self._heads(part) for part in self.query_key_value(x).chunk(3, dim=-1))
        else:
            query = self._heads(self.query(x))
            key, value = (self._heads(part) for part in self.key_value(memory).chunk(2, dim=-1))
        bias = None if mask is None else mask[:, None, None, :]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.output(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _heads(self, x: Tensor) -> Tensor:
        """``[N, L, features]`` to ``[N, heads, L, features / heads]``."""
        heads: Tensor = x.unflatten(-1, (self.heads, -1))
        return heads.transpose(1, 2)


class TransformerBlock(nn.Module):
    """Self-attention and a network for each position, both on normalized input and added to it; ``[N, L, features]`` to itself.

    Args:
        features: Width of the sequence.
        heads: How many heads, a divisor of ``features``.

    References:
        Xiong et al. (2020). On layer normalization in the transformer architecture. https://arxiv.org/abs/2002.04745

    Example:
        >>> import torch
        >>> from probgen.nn import TransformerBlock
        >>> TransformerBlock(16, heads=4)(torch.randn(2, 5, 16)).shape
        torch.Size([2, 5, 16])
    """

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.normalization = nn.LayerNorm(features)
        self.attention = MultiHeadAttention(features, heads)
        self.network = nn.Sequential(
            nn.LayerNorm(features), nn.Linear(features, 4 * features), nn.GELU(), nn.Linear(4 * features, features)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Transform ``x`` ``[N, L, features]``, looking only at positions where ``mask`` ``[N, L]`` is True."""
        x = x + self.attention(self.normalization(x), None, mask)
        return x + self.network(x)  # type: ignore[no-any-return]


class SpatialAttention(nn.Module):
    """Attention between the pixels of ``[N, channels, H, W]``, then to a memory if there is one; both are added to the input.

    The last linear maps start at zero: a new layer changes nothing.

    Args:
        channels: Channels of the image.
        heads: How many heads, a divisor of ``channels``.
        memory_features: Width of the memory, 0 for none.

    Example:
        >>> import torch
        >>> from probgen.nn import SpatialAttention
        >>> x = torch.randn(2, 8, 5, 4)
        >>> torch.equal(SpatialAttention(8, heads=2)(x), x)  # before training
        True
    """

    def __init__(self, channels: int, heads: int, *, memory_features: int = 0) -> None:
        super().__init__()
        self.normalization = group_normalization(channels)
        self.attention = MultiHeadAttention(channels, heads)
        zero_initialized(self.attention.output)
        self.to_memory = MultiHeadAttention(channels, heads, memory_features=memory_features) if memory_features else None
        if self.to_memory is not None:
            self.memory_normalization = nn.LayerNorm(channels)
            zero_initialized(self.to_memory.output)

    def forward(self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Add to ``x`` ``[N, channels, H, W]`` what its pixels see of each other, and of ``memory`` where ``mask`` is True."""
        change = self.attention(_pixels(self.normalization(x)))
        if self.to_memory is not None:
            change = change + self.to_memory(self.memory_normalization(_pixels(x) + change), memory, mask)
        image: Tensor = change.transpose(1, 2).unflatten(2, x.shape[2:])
        return x + image


def _pixels(x: Tensor) -> Tensor:
    """``[N, C, H, W]`` to ``[N, H W, C]``."""
    return x.flatten(2).transpose(1, 2)


def differentiable_attention(*inputs: Tensor) -> contextlib.AbstractContextManager[None]:
    """A context in which attention has all derivatives, where they may be wanted: fused kernels have only the first.

    They are taken to be wanted where an input requires gradients (as in score matching; a network's parameters do not count),
    carries a tangent, or is seen by a function transform. The formula then takes up to four times the kernel's time.

    Args:
        inputs: The inputs of the network, before anything that has parameters.

    Returns:
        A context manager.

    Example:
        >>> import torch
        >>> from probgen.nn import MultiHeadAttention
        >>> from probgen.nn.attention import differentiable_attention
        >>> x, attention = torch.randn(2, 3, 4, requires_grad=True), MultiHeadAttention(4, heads=2)
        >>> with differentiable_attention(x):
        ...     slope = torch.autograd.grad(attention(x).square().sum(), x, create_graph=True)[0]
        >>> slope.sum().backward()  # a second derivative
        >>> x.grad.shape
        torch.Size([2, 3, 4])
    """
    if torch.compiler.is_compiling():  # compiled steps have no second derivative in any case
        return contextlib.nullcontext()
    transformed = torch._C._functorch.peek_interpreter_stack() is not None
    if transformed or any(x.requires_grad or forward_ad.unpack_dual(x).tangent is not None for x in inputs):
        return sdpa_kernel(SDPBackend.MATH)
    return contextlib.nullcontext()


def group_normalization(channels: int) -> nn.GroupNorm:
    """Group normalization with 32 groups, fewer where that would leave fewer than 4 channels a group or does not divide.

    Each group is normalized over its channels and all pixels of one sample, so samples of a batch do not see each other.

    Args:
        channels: How many channels.

    Returns:
        The layer, with a learned scale and shift a channel.

    References:
        Wu, He (2018). Group normalization. https://arxiv.org/abs/1803.08494

    Example:
        >>> from probgen.nn.attention import group_normalization
        >>> [group_normalization(channels).num_groups for channels in (128, 32, 20, 6, 1)]
        [32, 8, 5, 1, 1]
    """
    groups = max(min(32, channels // 4), 1)
    while channels % groups:
        groups -= 1
    return nn.GroupNorm(groups, channels)


def zero_initialized(layer: nn.Linear | nn.Conv2d) -> None:
    """Set a layer's weight and bias to zero: what it adds starts as nothing, and gradients reach it first.

    Args:
        layer: The layer, changed in place.

    Example:
        >>> import torch
        >>> from probgen.nn.attention import zero_initialized
        >>> layer = torch.nn.Linear(2, 1)
        >>> zero_initialized(layer)
        >>> layer(torch.ones(1, 2)).item()
        0.0
    """
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)

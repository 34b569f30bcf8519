r"""Causal attention at one position of a sweep, with one table of inputs instead of keys and values.

Let z be the normalized inputs of the attention, without scale and shift, and :math:`k_s = W_K (\gamma z_s + \beta) + b_K`. In
:math:`q^\top k_s` all that does not depend on s drops out of the softmax, and since weights sum to one, the values come out of
the sum:

.. math::

    q_t^\top k_s / \sqrt d = (A z_t + a)^\top z_s + \text{const}, \qquad
    W_O \sum_s a_{ts} v_s = B \sum_s a_{ts}\, z_s + b, \\
    A = \gamma\, W_K^\top W_Q\, \gamma / \sqrt d, \qquad B = W_O W_V\, \gamma,

for each head on its own. So the memory is z, :math:`L \times C` numbers instead of :math:`2 L \times C`, and it is read once
for all heads, as one head of width C whose queries are the heads. The sum is bound by memory where several sequences are drawn
at once; for a few heads the products with wider queries cost less than that saves. Nothing here can be differentiated.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.causal_attention import CausalAttention

__all__ = ["AbsorbedAttention", "folded"]

MOST_HEADS = 4
"""With more heads the queries, C numbers a head, cost more than the smaller memory saves."""


class AbsorbedAttention(NamedTuple):
    """Weights of causal attention behind a norm, as they act on normalized inputs z.

    Attributes:
        query: A of all heads side by side, ``[C, heads * C]``.
        query_bias: a, ``[heads * C]``.
        output: B of all heads, ``[heads * C, C']``.
        output_bias: b, ``[C']``.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from probgen.nn.causal import CausalAttention
        >>> from probgen.nn.causal.absorbed_attention import AbsorbedAttention
        >>> norm, attention, x = nn.LayerNorm(8), CausalAttention(8, heads=2, length=5), torch.randn(3, 5, 8)
        >>> absorbed, z = AbsorbedAttention.of(norm, attention), nn.functional.layer_norm(x, (8,))
        >>> last = absorbed.mixed(z[:, 4], z.unsqueeze(1)) @ absorbed.output + absorbed.output_bias
        >>> torch.allclose(last, attention.along(norm(x))[:, 4], atol=1e-5)
        True
    """

    query: Tensor
    query_bias: Tensor
    output: Tensor
    output_bias: Tensor

    @staticmethod
    def serves(attention: CausalAttention) -> bool:
        """Whether it computes what this layer does, and faster."""
        return not (attention.strict or attention.rotary or attention.source_channels) and attention.heads <= MOST_HEADS

    @classmethod
    def of(cls, norm: nn.LayerNorm, attention: CausalAttention) -> AbsorbedAttention:
        """The weights of ``attention`` behind ``norm``."""
        heads, width = attention.heads, attention.width // attention.heads
        weight, bias = folded(norm, attention.query_key_value.weight)
        query, key, value = weight.T.unflatten(0, (3, heads, width))  # [heads, d, C]
        query_bias, _, value_bias = (bias + attention.query_key_value.bias).unflatten(0, (3, heads, width))
        out = attention.output.weight.unflatten(1, (heads, width)).transpose(0, 1)  # [heads, C', d]
        scaled = key.mT * width**-0.5
        return cls(
            (scaled @ query).permute(2, 0, 1).flatten(1).contiguous(),
            (scaled @ query_bias.unsqueeze(-1)).flatten(),
            (out @ value).mT.flatten(0, 1).contiguous(),
            attention.output.bias + attention.output.weight @ value_bias.flatten(),
        )

    def mixed(self, z: Tensor, table: Tensor) -> Tensor:
        """From the input ``[N, C]`` of a position and those up to it, ``[N, 1, t, C]``, the sums ``[N, heads * C]``."""
        (count, channels), width = z.shape, self.query.shape[1]
        queries = torch.addmm(self.query_bias, z, self.query).view(count, 1, width // channels, channels)
        return F.scaled_dot_product_attention(queries, table, table, scale=1.0).view(count, width)


def folded(norm: nn.LayerNorm, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Matrix ``[in, out]`` and bias of a linear map that also does the scale and shift of the norm before it.

    Args:
        norm: The norm.
        weight: The map, ``[out, in]``.

    Returns:
        The matrix, and what the shift adds, ``[out]``.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.absorbed_attention import folded
        >>> norm, weight, x = torch.nn.LayerNorm(4), torch.randn(3, 4), torch.randn(2, 4)
        >>> matrix, bias = folded(norm, weight)
        >>> torch.allclose(torch.nn.functional.layer_norm(x, (4,)) @ matrix + bias, norm(x) @ weight.T, atol=1e-5)
        True
    """
    return (weight * norm.weight).T.contiguous(), weight @ norm.bias

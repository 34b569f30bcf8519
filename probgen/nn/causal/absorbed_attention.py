r"""One position of a block of a transformer in a sweep, with one table of inputs instead of keys and values.

Let z be the normalized inputs of the attention, without scale and shift, and :math:`k_s = W_K (\gamma z_s + \beta) + b_K`. In
:math:`q^\top k_s` all that does not depend on s drops out of the softmax, and since weights sum to one, the values come out of
the sum:

.. math::

    q_t^\top k_s / \sqrt d = (A z_t + a)^\top z_s + \text{const}, \qquad
    W_O \sum_s a_{ts} v_s = B \sum_s a_{ts}\, z_s + b, \\
    A = \gamma\, W_K^\top W_Q\, \gamma / \sqrt d, \qquad B = W_O W_V\, \gamma,

for each head on its own. So the memory is z, :math:`L \times C` numbers instead of :math:`2 L \times C`, and it is read once for
all heads, as one head of width C whose queries are the heads. The sum is bound by memory where several sequences are drawn at
once; for a few heads the products with wider queries cost less than that saves. Scale and shift of the norms stand in the
weights that follow, and what is added is added in place. Nothing here can be differentiated.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.causal_attention import CausalAttention
from probgen.nn.causal.stream import Stream

__all__ = ["AbsorbedAttention", "folded"]

MOST_HEADS = 4
"""With more heads the queries, C numbers a head, cost more than the smaller memory saves."""


class AbsorbedAttention(NamedTuple):
    """Weights of causal attention behind a norm, as they act on normalized inputs z, and the table of those.

    Attributes:
        query: A of all heads side by side, ``[C, heads * C]``.
        query_bias: a, ``[heads * C]``.
        output: B of all heads, ``[heads * C, C']``.
        output_bias: b, ``[C']``.
        table: The inputs z so far, ``[N, 1, length, C]``.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from probgen.nn.causal import CausalAttention
        >>> from probgen.nn.causal.absorbed_attention import AbsorbedAttention
        >>> norm, attention, x = nn.LayerNorm(8), CausalAttention(8, heads=2, length=5), torch.randn(3, 5, 8)
        >>> with torch.no_grad():
        ...     absorbed = AbsorbedAttention.of(norm, attention, 3)
        ...     columns = [absorbed(nn.functional.layer_norm(x[:, t], (8,)), t) for t in range(5)]
        ...     torch.allclose(torch.stack(columns, 1), attention.along(norm(x)), atol=1e-6)
        True
    """

    query: Tensor
    query_bias: Tensor
    output: Tensor
    output_bias: Tensor
    table: Tensor

    @staticmethod
    def serves(attention: CausalAttention) -> bool:
        """Whether it computes what this layer does, and faster."""
        return not (attention.strict or attention.rotary or attention.source_channels) and attention.heads <= MOST_HEADS

    @classmethod
    def of(cls, norm: nn.LayerNorm, attention: CausalAttention, count: int) -> AbsorbedAttention:
        """The weights of ``attention`` behind ``norm``, and the memory of ``count`` sequences."""
        heads, channels = attention.heads, norm.weight.shape[0]
        width = attention.width // heads
        weight, bias = folded(norm, attention.query_key_value)
        query, key, value = weight.T.unflatten(0, (3, heads, width))  # [heads, d, C]
        query_bias, _, value_bias = bias.unflatten(0, (3, heads, width))
        out = attention.output.weight.unflatten(1, (heads, width)).transpose(0, 1)  # [heads, C', d]
        scaled = key.mT * width**-0.5
        table = weight.new_zeros(count, 1, attention.length, channels)
        return cls(
            (scaled @ query).permute(2, 0, 1).flatten(1).contiguous(),
            (scaled @ query_bias.unsqueeze(-1)).flatten(),
            (out @ value).mT.flatten(0, 1).contiguous(),
            attention.output.bias + attention.output.weight @ value_bias.flatten(),
            table,
        )

    def __call__(self, z: Tensor, position: int) -> Tensor:
        """From the normalized input ``[N, C]`` at a position to the output ``[N, C']``, without its bias."""
        return self.mixed(z, position) @ self.output + self.output_bias

    def mixed(self, z: Tensor, position: int) -> Tensor:
        """Remember z, and the sums of each head, ``[N, heads * C]``."""
        self.table.select(2, position).copy_(z.unsqueeze(1))
        heads = len(self.query_bias) // z.shape[1]
        queries = torch.addmm(self.query_bias, z, self.query).view(len(z), 1, heads, z.shape[1])
        seen = self.table.narrow(2, 0, position + 1)
        return F.scaled_dot_product_attention(queries, seen, seen, scale=1.0).flatten(1)


class BlockSweep(NamedTuple):
    """A block of a transformer in a sweep: attention, and the network of a position.

    Attributes:
        attention: The attention.
        expand: Matrix ``[C, 4 C]`` and bias of the first layer of the network.
        contract: Those of the second.
    """

    attention: AbsorbedAttention
    expand: tuple[Tensor, Tensor]
    contract: tuple[Tensor, Tensor]

    def attend(self, x: Tensor, position: int) -> None:
        """Add the attention to x ``[N, C]``."""
        mixed = self.attention.mixed(F.layer_norm(x, x.shape[1:]), position)
        x.addmm_(mixed, self.attention.output).add_(self.attention.output_bias)

    def feed(self, x: Tensor) -> Tensor:
        """Add the network to x ``[N, C]``."""
        hidden = torch.addmm(self.expand[1], F.layer_norm(x, x.shape[1:]), self.expand[0])
        return x.addmm_(F.gelu(hidden, approximate="tanh"), self.contract[0]).add_(self.contract[1])


def folded(norm: nn.LayerNorm, linear: nn.Linear) -> tuple[Tensor, Tensor]:
    """Matrix ``[in, out]`` and bias of a linear layer that also does the scale and shift of the norm before it.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.absorbed_attention import folded
        >>> norm, linear, x = torch.nn.LayerNorm(4), torch.nn.Linear(4, 3), torch.randn(2, 4)
        >>> matrix, bias = folded(norm, linear)
        >>> torch.allclose(torch.nn.functional.layer_norm(x, (4,)) @ matrix + bias, linear(norm(x)), atol=1e-6)
        True
    """
    matrix = (linear.weight * norm.weight).T.contiguous()
    return matrix, linear.bias + linear.weight @ norm.bias

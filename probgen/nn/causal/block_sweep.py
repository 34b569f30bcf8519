r"""The blocks of a transformer at one position after another, in a sweep: a few operations a block, in fixed memory.

Scale and shift of the norms stand in the weights that follow them, attention keeps one table (``absorbed_attention``), and what
a block adds is added in place. Nothing here can be differentiated; the forward pass of a block is what it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.absorbed_attention import AbsorbedAttention, folded
from probgen.nn.causal.causal_attention import CausalAttention

__all__ = ["BlockParts", "BlockSweep"]


class BlockParts(NamedTuple):
    """The layers of a block, in their order.

    Attributes:
        attention_norm: The norm before the attention.
        attention: The attention.
        network_norm: The norm before the network.
        expand: The first layer of the network.
        contract: The second one, after a gelu.

    Example:
        >>> from probgen.nn.causal.block_sweep import BlockParts
        >>> BlockParts._fields
        ('attention_norm', 'attention', 'network_norm', 'expand', 'contract')
    """

    attention_norm: nn.LayerNorm
    attention: CausalAttention
    network_norm: nn.LayerNorm
    expand: nn.Linear
    contract: nn.Linear


class BlockSweep(NamedTuple):
    """Prepared weights of all blocks, and the memory of a sweep.

    Attributes:
        attentions: The attention of each block.
        networks: Matrices and biases of the two layers of each network.
        head: Matrix and bias of the outputs, after the last norm.
        tables: The normalized inputs of each attention so far, ``[blocks, N, 1, length, C]``.

    Example:
        >>> from probgen.nn.causal.block_sweep import BlockSweep
        >>> BlockSweep._fields
        ('attentions', 'networks', 'head', 'tables')
    """

    attentions: list[AbsorbedAttention]
    networks: list[tuple[Tensor, Tensor, Tensor, Tensor]]
    head: tuple[Tensor, Tensor]
    tables: Tensor

    @classmethod
    def allocate(cls, blocks: Sequence[BlockParts], head: tuple[Tensor, Tensor], count: int) -> BlockSweep:
        """Prepare the weights, and the memory of ``count`` sequences."""
        attentions = [AbsorbedAttention.of(block.attention_norm, block.attention) for block in blocks]
        networks: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        for block in blocks:
            expand, shift = folded(block.network_norm, block.expand.weight)
            networks.append((expand, shift + block.expand.bias, block.contract.weight.T.contiguous(), block.contract.bias))
        like, length = blocks[0].contract.bias, blocks[0].attention.length
        return cls(attentions, networks, head, like.new_zeros(len(blocks), count, 1, length, len(like)))

    def advance(self, x: Tensor, position: int, between: Sequence[Callable[[Tensor], Tensor]] = ()) -> Tensor:
        """From the first sum ``[N, C]`` at a position to its outputs ``[N, P]``.

        Args:
            x: The first sum.
            position: The position, from 0; those before it have been run.
            between: What each block does to the sum after its attention, and before its network, if anything.
        """
        x, size = x.clone(), (x.shape[1],)
        slots = self.tables.select(3, position).squeeze(2).unbind(0)
        tables = self.tables.narrow(3, 0, position + 1).unbind(0)
        for index, (attention, network) in enumerate(zip(self.attentions, self.networks, strict=True)):
            z = torch.layer_norm(x, size)
            slots[index].copy_(z)
            x.addmm_(attention.mixed(z, tables[index]), attention.output).add_(attention.output_bias)
            if between:
                x = between[index](x)
            expand, shift, contract, bias = network
            hidden = F.gelu(torch.addmm(shift, torch.layer_norm(x, size), expand), approximate="tanh")
            x.addmm_(hidden, contract).add_(bias)
        return torch.addmm(self.head[1], torch.layer_norm(x, size), self.head[0])

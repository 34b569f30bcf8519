r"""The causal transformer, for sequences and for images in raster order.

.. math::

    h^{(0)}_t &= e(x_{t-1}) + p_t + V c, \qquad e(x_{-1}) = \text{a learned start}, \\
    u^{(l)} &= h^{(l-1)} + \mathrm{attention}\bigl(\mathrm{norm}(h^{(l-1)})\bigr), \qquad
    h^{(l)} = u^{(l)} + W_2\,\mathrm{gelu}\bigl(W_1\,\mathrm{norm}(u^{(l)})\bigr), \\
    \theta_t &= W\,\mathrm{norm}\bigl(h^{(L)}_t\bigr) + b .

The input is shifted by one position, so attention *up to* :math:`t` sees values before :math:`t` only. Norms stand before the
layers, and each layer is added once. Weights start as those of GPT-2: normal with standard deviation 0.02, and
:math:`0.02 / \sqrt{2L}` for the layers that write to the sum, which has :math:`2L` of them.

With ``values=S`` the canvas holds codes 0, ..., S - 1 as numbers, and :math:`e` is a learned table; otherwise it is linear.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.attention import differentiable_attention
from probgen.nn.causal.absorbed_attention import AbsorbedAttention, folded
from probgen.nn.causal.block_sweep import BlockParts, BlockSweep
from probgen.nn.causal.causal_attention import CausalAttention
from probgen.nn.causal.network import CausalNetwork
from probgen.nn.causal.stream import Stream

__all__ = ["CausalTransformer"]


class CausalTransformer(CausalNetwork):
    """A transformer that gives the parameters of each position from the positions before it.

    A step keeps the keys and values of all layers, ``2 * depth * positions * width`` numbers for each member of a batch; a
    sweep (and so a draw) with up to four heads and learned positions keeps half as many, see ``absorbed_attention``.

    Args:
        grid: Shape of the grid, ``(T,)`` or ``(H, W)``.
        num_outputs: How many numbers a position gets, P.
        values: Number of codes, for a learned table; None: the ``channels`` numbers of a position enter linearly.
        channels: How many numbers the network sees of a position.
        width: Width of the sum of all layers.
        depth: How many blocks.
        heads: Heads of attention, a divisor of ``width``.
        dropout: Probability with which a number is dropped after the embedding and after each layer, while training.
        positions: "learned", a vector for each position, or "rotary", turned queries and keys, for sequences.
        tied: Whether the table of codes is also the last layer.
        context_shape: Trailing shape of the context, or None. It is added to all positions.
        cross_attention: Whether the context is a sequence ``[M, F]`` to which each block attends, instead.

    Raises:
        ValueError: sizes or options that do not fit together.

    References:
        Radford, Wu, Child, Luan, Amodei, Sutskever (2019). Language models are unsupervised multitask learners.
        https://openai.com/index/better-language-models
        Chen, Radford, Child, Wu, Jun, Luan, Sutskever (2020). Generative pretraining from pixels.
        https://proceedings.mlr.press/v119/chen20s.html

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn.causal import CausalTransformer
        >>> law = Autoregressive(CausalTransformer((3, 3), 1, width=16, depth=2, heads=2), (3, 3), BernoulliElement())
        >>> law.sample((5,)).shape, law.log_prob(law.enumerate_support()).exp().sum().item() - 1 < 1e-5
        (torch.Size([5, 3, 3]), True)
    """

    def __init__(
        self,
        grid: Sequence[int],
        num_outputs: int,
        *,
        values: int | None = None,
        channels: int = 1,
        width: int = 64,
        depth: int = 4,
        heads: int = 4,
        dropout: float = 0.0,
        positions: str = "learned",
        tied: bool = False,
        context_shape: Sequence[int] | None = None,
        cross_attention: bool = False,
    ) -> None:
        super().__init__(grid, num_outputs, channels=channels, context_shape=context_shape)
        self.values, self.tied, self.cross_attention = values, tied, cross_attention
        self._require(depth, positions)
        self.embedding = nn.Linear(channels, width) if values is None else nn.Embedding(values, width)
        self.start = nn.Parameter(0.02 * torch.randn(width))
        self.positions = nn.Parameter(0.02 * torch.randn(self.num_positions, width)) if positions == "learned" else None
        self.context = None
        if context_shape is not None and not cross_attention:
            self.context = nn.Linear(math.prod(context_shape), width, bias=False)
        memory_features = tuple(context_shape or ())[-1] if cross_attention else 0
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.blocks = nn.ModuleList(
            _Block(width, heads, self.num_positions, dropout, memory_features, rotary=positions == "rotary")
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.head = None if tied else nn.Linear(width, num_outputs)
        self._initialize(depth)

    def _require(self, depth: int, positions: str) -> None:
        if depth < 1:
            raise ValueError(f"`depth` must be positive; got {depth}.")
        if self.values is not None and (self.values < 1 or self.channels != 1):
            raise ValueError(
                f"`values` is a positive number of codes, one at a position; got {self.values}, {self.channels} channels."
            )
        if self.tied and self.values != self.num_outputs:
            raise ValueError(f"`tied` needs as many outputs as `values`; got {self.num_outputs} and {self.values}.")
        if positions not in ("learned", "rotary") or (positions == "rotary" and len(self.grid) > 1):
            raise ValueError(f"`positions` must be 'learned', or for sequences 'rotary'; got {positions!r} on {self.grid}.")
        if self.cross_attention and len(self.context_shape or ()) != 2:
            raise ValueError(f"`cross_attention` needs a context that is a sequence [M, F]; got {self.context_shape}.")

    def _initialize(self, depth: int) -> None:
        """Weights as in GPT-2."""
        for name, parameter in self.named_parameters():
            if name.endswith(("output.weight", "contract.weight")):
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * depth))
            elif name.endswith("weight") and parameter.dim() > 1 and not name.startswith("embedding"):
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        if self.values is not None:
            nn.init.normal_(self.embedding.weight, std=0.02)

    def _run(self, canvas: Tensor, context: Tensor | None, stream: Stream | None) -> Tensor:
        if stream is not None and stream.in_place:
            sweep = stream.remember(lambda: self._sweep_of(len(canvas)))
            if sweep is not None:
                return self._swept(canvas, context, stream, sweep)
        inputs = (canvas,) if context is None else (canvas, context)
        with differentiable_attention(*inputs):
            x: Tensor = self.dropout(self._embedded(canvas, context, stream))
            for block in self.blocks:
                x = block(x, context if self.cross_attention else None, stream)
            x = self.norm(x)
            output: Tensor = F.linear(x, self.embedding.weight) if self.head is None else self.head(x)
        return output if stream is not None else output.mT.unflatten(2, self.grid)

    def _sweep_of(self, count: int) -> BlockSweep | None:
        """Weights and memory of a sweep of ``count`` sequences, or None where it has to run the blocks as they are."""
        blocks = [block for block in self.blocks if isinstance(block, _Block)]
        drops = self.training and isinstance(self.dropout, nn.Dropout)
        if drops or not all(AbsorbedAttention.serves(block.attention) for block in blocks):
            return None
        head = folded(self.norm, self.embedding.weight if self.head is None else self.head.weight)
        if self.head is not None:
            head = head[0], head[1] + self.head.bias
        return BlockSweep.allocate([block.parts() for block in blocks], head, count)

    def _swept(self, canvas: Tensor, context: Tensor | None, stream: Stream, sweep: BlockSweep) -> Tensor:
        """A position of a sweep."""
        between: list[Callable[[Tensor], Tensor]] = []
        if self.cross_attention:
            blocks = [block for block in self.blocks if isinstance(block, _Block)]
            between = [partial(block.crossed, context, stream) for block in blocks]
        return sweep.advance(self._embedded(canvas, context, stream), stream.position, between)

    def _embedded(self, canvas: Tensor, context: Tensor | None, stream: Stream | None) -> Tensor:
        """The first sum: ``[N, L, width]``, or ``[N, width]`` at the position of a stream."""
        flat = canvas.flatten(2)
        if stream is None:
            start = self.start.expand(len(canvas), 1, -1)
            x = torch.cat([start, self._codes(flat[:, :, :-1].mT)], 1)
            x = x if self.positions is None else x + self.positions
            return x if self.context is None or context is None else x + self.context(context.flatten(1)).unsqueeze(1)
        t = stream.position
        x = self._codes(flat.select(2, t - 1)) if t else self.start.expand(len(canvas), -1)
        x = x if self.positions is None else x + self.positions[t]
        if self.context is None or context is None:
            return x
        linear, given = self.context, context.flatten(1)
        term: Tensor = stream.remember(lambda: linear(given))
        return x + term

    def _codes(self, values: Tensor) -> Tensor:
        """Vectors ``[..., width]`` for the numbers ``[..., C]`` of positions; codes outside the table count as its ends."""
        if self.values is None:
            return self.embedding(values)  # type: ignore[no-any-return]
        return self.embedding(values.squeeze(-1).round().long().clamp(0, self.values - 1))  # type: ignore[no-any-return]


class _Block(nn.Module):
    """Attention to the positions up to each, to a context if there is one, and a network for each position."""

    def __init__(self, width: int, heads: int, length: int, dropout: float, memory_features: int, *, rotary: bool) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = CausalAttention(width, heads, length, rotary=rotary)
        self.cross_norm = nn.LayerNorm(width) if memory_features else None
        self.cross = _CrossAttention(width, heads, memory_features) if memory_features else None
        self.network_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Tensor, context: Tensor | None, stream: Stream | None) -> Tensor:
        """``[N, L, width]`` to the same, or ``[N, width]`` with a stream."""
        x = x + self.dropout(self.attention.along(self.attention_norm(x), stream))
        x = self.crossed(context, stream, x)
        return x + self.dropout(self.contract(F.gelu(self.expand(self.network_norm(x)), approximate="tanh")))  # type: ignore[no-any-return]

    def crossed(self, context: Tensor | None, stream: Stream | None, x: Tensor) -> Tensor:
        """With the attention to the context added, if there is one."""
        if self.cross is None or self.cross_norm is None or context is None:
            return x
        return x + self.dropout(self.cross(self.cross_norm(x), context, stream))  # type: ignore[no-any-return]

    def parts(self) -> BlockParts:
        """What ``BlockSweep`` needs of this block."""
        return BlockParts(self.attention_norm, self.attention, self.network_norm, self.expand, self.contract)


class _CrossAttention(nn.Module):
    """Attention to a sequence that is known from the start; its keys and values are remembered."""

    def __init__(self, width: int, heads: int, memory_features: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(memory_features, 2 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor, stream: Stream | None) -> Tensor:
        """From ``x`` ``[N, L, width]`` (``[N, width]`` with a stream) to ``context`` ``[N, M, F]``."""
        rows = x if stream is None else x.unsqueeze(1)
        key, value = self._memory(context) if stream is None else stream.remember(lambda: self._memory(context))
        query = self.query(rows).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        output: Tensor = self.output(mixed)
        return output if stream is None else output.squeeze(1)

    def _memory(self, context: Tensor) -> tuple[Tensor, Tensor]:
        key, value = self.key_value(context).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return key, value

r"""Causal self-attention, in parallel or for one position with keys and values kept in a memory.

.. math::

    h_t = W_O \sum_{s \le t} a_{ts}\, v_s, \qquad
    a_{ts} = \frac{e^{q_t^\top k_s / \sqrt d}}{\sum_{r \le t} e^{q_t^\top k_r / \sqrt d}}, \qquad
    q_t = W_Q x_t,\ k_s = W_K y_s,\ v_s = W_V y_s,

for each head of width :math:`d` on its own. The sum runs over positions *up to* :math:`t`, or, with ``strict=True``, over those
*before* :math:`t`: keys and values are then shifted by one position and a learned pair stands at the start, so that the first
position has something to look at and the same triangular mask serves both cases.

At one position the keys and values of the positions before are not computed again; they are read from a memory of
:math:`2 L\,\mathrm{width}` numbers, allocated once and written in place where that is allowed. A step then costs
:math:`O(\mathrm{channels} \cdot \mathrm{width})` for the projections, whatever :math:`t` is, and :math:`O(t\,\mathrm{width})`
for the sum. What is kept of a position never changes, since nothing that it depends on comes later.

Rotary positions turn the pair :math:`(2i, 2i+1)` of a query or key at position :math:`t` by the angle
:math:`t\,10000^{-2i/d}`; :math:`q_t^\top k_s` then depends on :math:`t - s` and not on where the two stand.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.stream import Stream

__all__ = ["CausalAttention", "rotary_angles", "rotated"]


class CausalAttention(nn.Module):
    """Each position attends to the positions up to it, or strictly before it: ``[N, C, *grid]`` to ``[N, C', *grid]``.

    Positions are those of the grid in row-major order. A padded, masked or strided source is not supported.

    Args:
        channels: Channels C of the input, from which queries are made.
        heads: How many heads, a divisor of ``width``.
        length: Number of positions of the grid, for which the memory is allocated.
        width: Width of queries, keys and values, all heads together; None: ``channels``.
        source_channels: Channels of another input, from which keys and values are made; 0: from the same.
        out_channels: Channels C' of the output; None: ``channels``.
        strict: Whether a position attends to those before it only.
        rotary: Whether queries and keys are turned by their positions.

    Raises:
        ValueError: a size is not positive, ``heads`` does not divide ``width``, or rotary heads have an odd width.

    References:
        Vaswani et al. (2017). Attention is all you need. https://arxiv.org/abs/1706.03762
        Su, Lu, Pan, Murtadha, Wen, Liu (2021). RoFormer: enhanced transformer with rotary position embedding.
        https://arxiv.org/abs/2104.09864

    Example:
        >>> import torch
        >>> from probgen.nn.causal import CausalAttention, Stream
        >>> attention, x = CausalAttention(8, heads=2, length=5), torch.randn(3, 8, 5)
        >>> memory, columns = None, []
        >>> for position in range(5):
        ...     stream = Stream(position, memory)
        ...     columns.append(attention(x[:, :, position], stream))
        ...     memory = stream.memory
        >>> torch.allclose(torch.stack(columns, -1), attention(x), atol=1e-6)
        True
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        length: int,
        *,
        width: int | None = None,
        source_channels: int = 0,
        out_channels: int | None = None,
        strict: bool = False,
        rotary: bool = False,
    ) -> None:
        super().__init__()
        width = channels if width is None else width
        if min(channels, heads, length, width) < 1 or width % heads:
            raise ValueError(
                "`channels`, `heads` and `length` must be positive and `heads` must divide the width; got "
                f"{channels}, {heads}, {length} and the width {width}."
            )
        if rotary and (width // heads) % 2:
            raise ValueError(f"`rotary` turns pairs: the width of a head must be even; got {width // heads}.")
        self.heads, self.length, self.strict, self.rotary = heads, length, strict, rotary
        self.width, self.source_channels = width, source_channels
        if source_channels:
            self.query = nn.Linear(channels, width)
            self.key_value = nn.Linear(source_channels, 2 * width)
        else:
            self.query_key_value = nn.Linear(channels, 3 * width)
        self.output = nn.Linear(width, channels if out_channels is None else out_channels)
        if strict:
            self.start = nn.Parameter(0.02 * torch.randn(2, heads, 1, width // heads))

    def forward(self, x: Tensor, stream: Stream | None = None, source: Tensor | None = None) -> Tensor:
        """Attend from ``x`` ``[N, C, *grid]`` to itself or to ``source`` ``[N, source_channels, *grid]``.

        With a stream ``x`` and ``source`` are columns ``[N, C]`` and ``[N, source_channels]`` at its position.

        Raises:
            ValueError: a source is missing, or given to a layer that has none.
        """
        if stream is not None:
            return self.along(x, stream, source)
        rows = None if source is None else source.flatten(2).mT
        return self.along(x.flatten(2).mT, None, rows).mT.unflatten(2, x.shape[2:])  # type: ignore[no-any-return]

    def along(self, x: Tensor, stream: Stream | None = None, source: Tensor | None = None) -> Tensor:
        """The same with channels last: ``[N, L, C]`` to ``[N, L, C']``, or columns ``[N, C]`` to ``[N, C']`` with a stream."""
        if (source is None) == bool(self.source_channels):
            raise ValueError("`source` goes with `source_channels` > 0, and with nothing else.")
        query, key, value = self._projected(x, source)
        if stream is not None:
            return self.output(self._column(query, key, value, stream))  # type: ignore[no-any-return]
        query, key, value = (part.transpose(1, 2) for part in (query, key, value))
        if self.rotary:
            angles = rotary_angles(torch.arange(x.shape[1], device=x.device), query.shape[-1], query.dtype)
            query, key = rotated(query, angles), rotated(key, angles)
        if self.strict:
            first = self._first(len(x))
            key, value = (torch.cat([one, part[:, :, :-1]], 2) for one, part in zip(first, (key, value), strict=True))
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.output(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _projected(self, x: Tensor, source: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, ``[..., heads, d]``."""
        lead, each = x.shape[:-1], (self.heads, self.width // self.heads)
        if source is None:
            query, key, value = self.query_key_value(x).view(*lead, 3, *each).unbind(-3)
            return query, key, value
        key, value = self.key_value(source).view(*lead, 2, *each).unbind(-3)
        return self.query(x).view(*lead, *each), key, value

    def _first(self, count: int) -> tuple[Tensor, Tensor]:
        """The learned key and value before the first position, ``[N, heads, 1, d]``."""
        key, value = self.start.unsqueeze(1).expand(-1, count, -1, -1, -1)
        return key, value

    def _column(self, query: Tensor, key: Tensor, value: Tensor, stream: Stream) -> Tensor:
        """Attention at one position, ``[N, width]``; its key and value are written into the memory.

        Keys are kept ``[N, heads, d, L]``, values ``[N, heads, L, d]``: each product reads its table along the rows.
        """
        position, (count, heads, width) = stream.position, query.shape
        if self.rotary:
            angles = self._angles(stream, query)
            query, key = rotated(query, angles), rotated(key, angles)

        def start() -> tuple[Tensor, Tensor]:
            keys, values = key.new_zeros(count, heads, width, self.length), key.new_zeros(count, heads, self.length, width)
            if self.strict:
                first = self._first(count)
                keys[..., :1], values[..., :1, :] = first[0].mT, first[1]
            return keys, values

        def advance(memory: tuple[Tensor, Tensor]) -> tuple[tuple[Tensor, Tensor], Tensor]:
            keys, values = memory
            slot = position + int(self.strict)
            if slot < self.length:
                keys[..., slot] = key
                values[:, :, slot] = value
            seen, told = keys.flatten(0, 1)[..., : position + 1], values.flatten(0, 1)[:, : position + 1]
            rows = query.reshape(count * heads, 1, width)
            scores = torch.baddbmm(rows.new_zeros(1), rows, seen, beta=0, alpha=width**-0.5)
            return memory, torch.bmm(scores.softmax(-1), told)

        return stream.update(start, advance, writes=True).view(count, self.width)

    def _angles(self, stream: Stream, like: Tensor) -> Tensor:
        """The angles of one position, ``[2, d / 2]``; a sweep computes those of all positions once."""

        def table() -> Tensor:
            return rotary_angles(torch.arange(self.length, device=like.device), like.shape[-1], like.dtype)

        return stream.prepare(table)[:, stream.position]


def rotary_angles(positions: Tensor, width: int, dtype: torch.dtype) -> Tensor:
    r"""Cosines and sines of the angles :math:`t\,10000^{-2i/d}`, ``[2, n, width / 2]``.

    Args:
        positions: Integers t, ``[n]``.
        width: Width d of a head, even.
        dtype: Of the result; angles are computed in float64.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.causal_attention import rotary_angles
        >>> rotary_angles(torch.arange(2), 4, torch.float32)[0]
        tensor([[1.0000, 1.0000],
                [0.5403, 1.0000]])
    """
    frequency = 10_000.0 ** -(torch.arange(0, width, 2, dtype=torch.float64, device=positions.device) / width)
    angle = positions.to(torch.float64).unsqueeze(-1) * frequency
    return torch.stack([angle.cos(), angle.sin()]).to(dtype)


def rotated(x: Tensor, angles: Tensor) -> Tensor:
    r"""Turn the pairs :math:`(x_{2i}, x_{2i+1})`.

    Args:
        x: Queries or keys ``[..., n, d]``, or ``[..., d]`` of one position.
        angles: What ``rotary_angles`` gives, ``[2, n, d / 2]``, or ``[2, d / 2]`` of one position.

    Returns:
        The shape of ``x``; lengths are kept.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.causal_attention import rotary_angles, rotated
        >>> q, k = torch.randn(2, 8)
        >>> angles = rotary_angles(torch.arange(9), 8, q.dtype)
        >>> near, far = (rotated(q, angles[:, t]) @ rotated(k, angles[:, t - 2]) for t in (2, 8))
        >>> torch.allclose(near, far, atol=1e-5)  # only the distance counts
        True
    """
    cosine, sine = angles
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], -1).flatten(-2)

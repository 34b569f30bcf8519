"""Incremental networks with one deliberate fault each; without a fault they obey all laws."""

import torch
import torch.nn.functional as F
from torch import nn

from probgen.nn.causal import CausalNetwork, ChannelNorm, Pointwise, RecomputingNetwork
from tests.distributions.testing.planted.published import pixel_cnn


class Sequence(CausalNetwork):
    """A shifted convolution, a norm, a convolution of three taps with a ring of columns, and two heads of attention.

    Faults: "no shift", "norm over positions", "short ring", "shared buffer", "unmasked head", "dropout in evaluation".
    """

    def __init__(self, fault="", length=6, channels=4):
        super().__init__((length,), 2)
        self.fault = fault
        self.first = nn.Conv1d(1, channels, 2)
        self.norm = ChannelNorm(channels)
        self.second = nn.Conv1d(channels, channels, 3)
        self.project = Pointwise(channels, 3 * channels)
        self.head = Pointwise(channels, 2)

    def _run(self, canvas, context, stream):
        x = torch.tanh(self._entry(canvas, stream))
        if self.fault == "dropout in evaluation":
            x = F.dropout(x, 0.5, training=True)
        x = x - x.mean(-1, keepdim=True) if self.fault == "norm over positions" and stream is None else self.norm(x)
        x = torch.tanh(self._ring(x, stream))
        return self.head(x + self._attention(x, stream))

    def _entry(self, canvas, stream):
        padded = F.pad(canvas, (1, 0) if self.fault == "no shift" else (2, -1))
        if stream is None:
            return self.first(padded)
        return self.first(padded[..., stream.position : stream.position + 2])[..., 0]

    def _ring(self, x, stream):
        if stream is None:
            return self.second(F.pad(x, (2, 0)))
        size = 2 if self.fault == "short ring" else 3
        place = stream.position % size

        def advance(ring):
            ring[..., place] = x
            taps = torch.stack([ring[..., (stream.position - back) % size] for back in (2, 1, 0)], -1)
            return ring, self.second(taps)[..., 0]

        if self.fault != "shared buffer":
            return stream.update(lambda: x.new_zeros(*x.shape, size), advance, writes=True)
        if stream.position == 0:
            self.kept = x.new_zeros(*x.shape, size)
        self.kept, result = advance(self.kept.clone())
        return result

    def _attention(self, x, stream):
        if stream is None:
            query, key, value = self.project(x).chunk(3, 1)
            mask = torch.ones(x.shape[-1], x.shape[-1], dtype=torch.bool).tril()
            heads = [self._attended(q, k, v, mask) for q, k, v in self._heads(query, key, value)]
            if self.fault == "unmasked head":
                q, k, v = self._heads(query, key, value)[1]
                heads[1] = self._attended(q, k, v, torch.ones_like(mask))
            return torch.cat(heads, 1)
        query, key, value = self.project(x).unsqueeze(-1).chunk(3, 1)

        def advance(memory):
            keys, values = (torch.cat(pair, -1) for pair in zip(memory, (key, value), strict=True))
            mask = torch.ones(1, keys.shape[-1], dtype=torch.bool)
            heads = [self._attended(q, k, v, mask) for q, k, v in self._heads(query, keys, values)]
            return (keys, values), torch.cat(heads, 1)[..., 0]

        return stream.update(lambda: (key[..., :0], value[..., :0]), advance)

    def _heads(self, *tensors):
        return list(zip(*(tensor.chunk(2, 1) for tensor in tensors), strict=True))

    def _attended(self, query, key, value, mask):
        scores = (query.mT @ key).masked_fill(~mask, -torch.inf)
        return value @ scores.softmax(-1).mT


class Rows(CausalNetwork):
    """A decaying sum along each row, of the pixels before, and the whole row above it. Fault: "rows run on"."""

    def __init__(self, fault=""):
        super().__init__((3, 4), 2)
        self.fault = fault
        self.inside, self.head = Pointwise(2, 6), Pointwise(6, 2)

    def _run(self, canvas, context, stream):
        x = canvas[:, 0]
        above = F.pad(x, (0, 0, 1, -1))
        if stream is None:
            return self.head(torch.tanh(self.inside(torch.stack([self._along(x), above], 1))))
        row, column = divmod(stream.position, self.grid[1])

        def advance(total):
            begins = column == 0 and (row == 0 or self.fault != "rows run on")
            before = x.flatten(1)[:, stream.position - 1]
            total = torch.zeros_like(total) if begins else 0.5 * total + before
            return total, total

        along = stream.update(lambda: torch.zeros_like(x[:, 0, 0]), advance)
        return self.head(torch.tanh(self.inside(torch.stack([along, above[:, row, column]], 1))))

    def _along(self, x):
        sums = [torch.zeros_like(x[..., 0])]
        for column in range(x.shape[-1] - 1):
            sums.append(0.5 * sums[-1] + x[..., column])
        return torch.stack(sums, -1)


class Colors(CausalNetwork):
    """Each color of a pixel from the colors before it, and from nothing else. Fault: "colors reversed"."""

    def __init__(self, fault=""):
        super().__init__((2, 2), 2, channels=3, ordered_channels=True)
        mask = torch.ones(3, 3).tril(-1)
        self.register_buffer("mask", mask.mT.contiguous() if fault == "colors reversed" else mask)
        self.weight = nn.Parameter(torch.randn(3, 3))
        self.heads = nn.ModuleList(Pointwise(1, 2) for _ in range(3))

    def _run(self, canvas, context, stream):
        x = canvas.flatten(2)
        x = x if stream is None else x[..., stream.position : stream.position + 1]
        mixed = torch.einsum("kc,nct->nkt", self.weight * self.mask, x)
        output = torch.cat([head(mixed[:, k : k + 1]) for k, head in enumerate(self.heads)], 1)
        return output.unflatten(2, self.grid) if stream is None else output[..., 0]


class Flat(nn.Module):
    """A network on images as one on rows of values: ``[*batch, D]`` to ``[*batch, D, P]``."""

    def __init__(self, network, grid):
        super().__init__()
        self.network, self.grid = network, grid

    def forward(self, values):
        output = self.network(values.reshape(-1, 1, *self.grid))
        return output.flatten(2).mT.reshape(*values.shape, output.shape[1])


def masked_stack(first="A"):
    """A stack of masked convolutions, drawn from by running it again. Fault: the first mask is of kind "B"."""
    return RecomputingNetwork(Flat(pixel_cnn(blocks=1, channels=4, first=first), (3, 3)), 9, 1)

"""Networks as others published them, rebuilt from plain torch: a blind spot, a leak, a convolution without its shift."""

import torch
import torch.nn.functional as F
from torch import nn


class MaskedConvolution(nn.Conv2d):
    """A square convolution that sees pixels before the own one in raster order (kind A), or the own one, too (kind B)."""

    def __init__(self, inputs, outputs, size, kind):
        super().__init__(inputs, outputs, size, padding=size // 2)
        mask = torch.ones(size, size)
        mask[size // 2, size // 2 + (kind == "B") :] = 0
        mask[size // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, x):
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class MaskedBlock(nn.Module):
    """A residual block around a 3x3 convolution of kind B."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.body = nn.Sequential(
            nn.Conv2d(channels, half, 1), MaskedConvolution(half, half, 3, "B"), nn.Conv2d(half, channels, 1)
        )

    def forward(self, x):
        return x + torch.tanh(self.body(torch.tanh(x)))


def pixel_cnn(blocks=2, channels=8, first="A", outputs=1):
    """A 7x7 convolution of kind A, then blocks: the first PixelCNN, whose stacks of masks have a blind spot."""
    stack = [MaskedBlock(channels) for _ in range(blocks)]
    return nn.Sequential(MaskedConvolution(1, channels, 7, first), *stack, nn.Conv2d(channels, outputs, 1))


class DiagonalLSTM(nn.Module):
    """An LSTM along the diagonals of a skewed image, whose column of states is convolved with a kernel of two rows.

    Padded "below", as a convolution of an even kernel with "same" padding is in some libraries, a row sees the state of the row
    below it: a later pixel. Padded "above" it is right.
    """

    def __init__(self, padded, channels=4):
        super().__init__()
        self.padding = {"below": (0, 1), "above": (1, 0)}[padded]
        self.first = MaskedConvolution(1, channels, 3, "A")
        self.inputs = nn.Conv2d(channels, 4 * channels, 1)
        self.states = nn.Conv1d(channels, 4 * channels, 2, bias=False)
        self.head = nn.Conv2d(channels, 1, 1)

    def forward(self, x):
        gates = self.inputs(self.first(x))
        height, width = x.shape[-2:]
        skewed = torch.stack([F.pad(gates[:, :, row], (row, height - 1 - row)) for row in range(height)], 2)
        state = memory = torch.zeros_like(skewed[:, : self.states.in_channels, :, 0])
        columns = []
        for column in range(height + width - 1):
            out, forget, take, new = (self.states(F.pad(state, self.padding)) + skewed[..., column]).chunk(4, 1)
            memory = forget.sigmoid() * memory + take.sigmoid() * new.tanh()
            state = out.sigmoid() * memory.tanh()
            columns.append(state)
        result = torch.stack(columns, -1)
        return self.head(torch.stack([result[:, :, row, row : row + width] for row in range(height)], 2))


class PaddedConvolution(nn.Module):
    """Logits of a sequence of bits from a convolution padded on the left: it sees the bit that it predicts, unless shifted."""

    def __init__(self, *, shifted):
        super().__init__()
        self.shifted = shifted
        self.conv = nn.Conv1d(1, 1, 2)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([[[-1.0, -2.0]]]))
            self.conv.bias.fill_(1.0)

    def forward(self, x):
        bits = x.unsqueeze(1)
        return self.conv(F.pad(bits, (2, 0))[..., :-1] if self.shifted else F.pad(bits, (1, 0)))[:, 0]


def bernoulli_mass(logits_of, length):
    """The sum over all sequences of bits of the product of Bernoulli masses."""
    bits = torch.cartesian_prod(*[torch.arange(2.0)] * length).double()
    signs = 2 * bits - 1
    return F.logsigmoid(signs * logits_of(bits)).sum(-1).exp().sum()

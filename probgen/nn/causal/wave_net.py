r"""WaveNet: gated dilated convolutions whose reach doubles from layer to layer.

Behind the entry (:class:`SequenceEntry`), layer l with dilation :math:`d_l = 1, 2, 4, \dots, 2^{L-1}`, the same again in every
stack, computes

.. math:: z^{(l)} = \tanh(W_f * h^{(l)} + V_f c) \odot \sigma(W_g * h^{(l)} + V_g c), \qquad
   h^{(l+1)} = h^{(l)} + R_l z^{(l)},

and all layers speak to the output, :math:`\sum_l S_l z^{(l)}`, followed by two maps of each position with rectifiers before
them. The :math:`S_l` side by side are one matrix, so the sum is one product. The parameters of position t see the
:math:`R = 1 + \text{stacks} \cdot (k - 1)(2^L - 1)` values before it, the *receptive field*.

A context c is a vector, the same everywhere (*global*: who speaks), or a sequence of frames (*local*: what is said when), which
a transposed convolution stretches to the length of the audio; it starts as a repetition of each frame. With both, the context
is one vector, see ``pack_context``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from probgen.nn.causal.causal_conv1d import CausalConv1d, column_at
from probgen.nn.causal.context_bias import ContextBias
from probgen.nn.causal.network import CausalNetwork
from probgen.nn.causal.pointwise import Pointwise, gated_unit
from probgen.nn.causal.sequence_entry import SequenceEntry
from probgen.nn.causal.stream import Stream

__all__ = ["WaveNet"]


class WaveNet(CausalNetwork):
    r"""Dilated causal convolutions in stacks, gated, with residual and skip connections.

    Args:
        length: Positions of a sequence; one second at 16 kHz. ``with_length`` gives the same network for another length.
        num_outputs: How many numbers P a position gets; None for one logit a code.
        values: Number of codes, for a categorical law; None if the network sees numbers as they are, as with a discretized
            logistic law.
        inputs: How many numbers stand at a position, if they are no codes.
        dilations: Layers L of a stack, with dilations :math:`1, 2, \dots, 2^{L-1}`.
        stacks: How often that is repeated.
        kernel_size: Taps k of each convolution.
        channels: Channels of the layers.
        skip_channels: Channels of the sum over layers; None for twice ``channels``.
        context_shape: Shape of a global context, or None.
        local_shape: (channels, frames) of a local context, or None; each frame is told to ``ceil(length / frames)`` positions.

    Raises:
        ValueError: a size is not positive, ``num_outputs`` is missing, or frames would be left over at the end.

    References:
        van den Oord, Dieleman, Zen, Simonyan, Vinyals, Graves, Kalchbrenner, Senior, Kavukcuoglu (2016). WaveNet: a generative
        model for raw audio. https://arxiv.org/abs/1609.03499

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.elements import CategoricalElement
        >>> from probgen.nn import WaveNet
        >>> WaveNet(values=256, dilations=10, stacks=2).receptive_field
        2047
        >>> network = WaveNet(50, values=8, dilations=3, stacks=2, channels=4)
        >>> p = Autoregressive(network, (50,), CategoricalElement(8))
        >>> p.log_prob(p.sample((3,))).shape
        torch.Size([3])
    """

    accepts_tensor_positions = True

    def __init__(
        self,
        length: int = 16000,
        num_outputs: int | None = None,
        *,
        values: int | None = 256,
        inputs: int = 1,
        dilations: int = 10,
        stacks: int = 2,
        kernel_size: int = 2,
        channels: int = 32,
        skip_channels: int | None = None,
        context_shape: Sequence[int] | None = None,
        local_shape: tuple[int, int] | None = None,
    ) -> None:
        outputs, wide = num_outputs or values, 2 * channels if skip_channels is None else skip_channels
        if outputs is None or min(dilations, stacks, wide) < 1:
            raise ValueError(
                "`dilations`, `stacks` and `skip_channels` must be positive, and `num_outputs` given where there are no codes; "
                f"got {dilations}, {stacks}, {wide} and {num_outputs}."
            )
        super().__init__((length,), outputs, channels=inputs)
        self.global_shape = None if context_shape is None else tuple(context_shape)
        self.upsample = None if local_shape is None else _Upsample(local_shape[0], _positions_a_frame(length, local_shape))
        self._set_length(length)
        steps = [2**layer for _ in range(stacks) for layer in range(dilations)]
        self.entry = SequenceEntry(channels, values, inputs)
        told = (self.global_shape, None if local_shape is None else local_shape[0])
        self.layers = nn.ModuleList(
            _Layer(channels, kernel_size, step, *told, last=number == len(steps)) for number, step in enumerate(steps, 1)
        )
        self.head = nn.Sequential(
            Pointwise(len(steps) * channels, wide), nn.ReLU(), Pointwise(wide, wide), nn.ReLU(), Pointwise(wide, outputs)
        )

    @property
    def receptive_field(self) -> int:
        """How many values before a position its parameters see."""
        return 1 + sum(layer.conv.reach for layer in self._layers())

    def with_length(self, length: int) -> Self:
        """The same network, parameters shared, for sequences of another length.

        Args:
            length: How many positions.

        Raises:
            ValueError: it is not positive.
        """
        if length < 1:
            raise ValueError(f"`length` must be positive; got {length}.")
        other = copy.copy(self)
        other._set_length(length)
        return other

    @property
    def frames(self) -> int | None:
        """How many frames a local context has, or None."""
        return None if self.upsample is None else -(-self.num_positions // self.upsample.factor)

    def pack_context(self, context: Tensor, local: Tensor) -> Tensor:
        """A global and a local context as the one vector that the network takes where it has both.

        Args:
            context: Shape ``[*batch, *context_shape]``, that of the global one.
            local: Shape ``[*batch, channels, frames]``.

        Returns:
            Shape ``[*batch, numbers]``.
        """
        ends = context.flatten(context.dim() - len(self.global_shape or ())), local.flatten(-2)
        batch = torch.broadcast_shapes(*(end.shape[:-1] for end in ends))
        return torch.cat([end.expand(*batch, -1) for end in ends], -1)

    def _set_length(self, length: int) -> None:
        self.grid, self.num_positions, self.features = (length,), length, length
        if self.upsample is None:
            self.context_shape = self.global_shape
            return
        local = (self.upsample.channels, -(-length // self.upsample.factor))
        self.context_shape = local
        if self.global_shape is not None:
            self.context_shape = (math.prod(self.global_shape) + math.prod(local),)

    def _layers(self) -> list[_Layer]:
        return [layer for layer in self.layers if isinstance(layer, _Layer)]

    def _run(self, canvas: Tensor, context: Tensor | None, stream: Stream | None) -> Tensor:
        told, local = self._told(context, stream)
        x: Tensor = self.entry(canvas, stream)
        heard = []
        for layer in self._layers():
            x, z = layer(x, told, local, stream)
            heard.append(z)
        output: Tensor = self.head(torch.cat(heard, 1))
        return output

    def _told(self, context: Tensor | None, stream: Stream | None) -> tuple[Tensor | None, Tensor | None]:
        """The global context ``[N, *shape]`` and the local one, stretched: ``[N, C, T]``, or its column at the position."""
        upsample = self.upsample
        if context is None or upsample is None:
            return context, None
        size = 0 if self.global_shape is None else math.prod(self.global_shape)
        told, frames = context.flatten(1).tensor_split((size,), 1)
        sequence = frames.unflatten(1, (upsample.channels, -1))
        if stream is None:
            local = upsample(sequence, self.num_positions)
        else:
            local = column_at(stream.remember(lambda: upsample(sequence, self.num_positions)), stream.position, 2)
        return (told if size else None), local


def _positions_a_frame(length: int, local_shape: tuple[int, int]) -> int:
    """How many positions a frame is stretched to, so that the declared frames are all needed."""
    if min(local_shape) < 1:
        raise ValueError(f"`local_shape` must be positive; got {tuple(local_shape)}.")
    factor = -(-length // local_shape[1])
    if -(-length // factor) != local_shape[1]:
        raise ValueError(
            f"`local_shape` must name frames that {length} positions need; of {local_shape[1]} frames of {factor} positions "
            f"they need {-(-length // factor)}."
        )
    return factor


class _Layer(nn.Module):
    """One gated convolution; gives the next layer's input and what it says to the output."""

    def __init__(
        self, channels: int, kernel: int, step: int, told: tuple[int, ...] | None, local: int | None, *, last: bool
    ) -> None:
        super().__init__()
        self.conv = CausalConv1d(channels, 2 * channels, kernel, step)
        self.context = None if told is None else ContextBias(told, 2 * channels, (1,))
        self.local = None if local is None else Pointwise(local, 2 * channels, bias=False)
        self.residual = None if last else Pointwise(channels, channels)

    def forward(self, x: Tensor, told: Tensor | None, local: Tensor | None, stream: Stream | None) -> tuple[Tensor, Tensor]:
        y = self.conv(x, stream)
        if self.context is not None:
            y = y + self.context(told, stream)
        if self.local is not None:
            y = y + self.local(local)
        z = gated_unit(y)
        return (x if self.residual is None else x + self.residual(z)), z


class _Upsample(nn.Module):
    """Frames to positions, each frame by learned weights for its own positions; they start as ones."""

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.channels, self.factor = channels, factor
        self.stretch = nn.ConvTranspose1d(channels, channels, factor, factor)
        with torch.no_grad():
            self.stretch.weight.copy_(torch.eye(channels).unsqueeze(-1).expand(-1, -1, factor))
            self.stretch.bias.zero_()  # type: ignore[union-attr]

    def forward(self, frames: Tensor, length: int) -> Tensor:
        stretched: Tensor = self.stretch(frames)
        return stretched[..., :length]

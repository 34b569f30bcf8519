r"""Frames of features brought to the rate of grouped samples by a transposed convolution.

A spectrogram has one column every ``hop`` samples; a flow of waves works on groups of ``group`` samples. A transposed
convolution of stride ``hop`` gives every sample its features, and the features of a group stand side by side:

.. math:: [C, F] \to [C, hF] \to [gC, hF / g] .
"""

from __future__ import annotations

from torch import Tensor, nn

from probgen.nn.convolutional_blocks import require_sizes

__all__ = ["UpsampledFrames"]


class UpsampledFrames(nn.Module):
    """From frames ``[N, channels, frames]`` to features of groups ``[N, channels * group, frames * hop / group]``.

    Args:
        channels: Features of a frame.
        hop: Samples from a frame to the next one, a multiple of ``group``.
        group: Samples of a group.
        width: Length of the transposed convolution in hops; an even number or one.

    Raises:
        ValueError: a size is not positive, or ``group`` does not divide ``hop``.

    References:
        Prenger, Valle, Catanzaro (2019). WaveGlow: a flow-based generative network for speech synthesis.
        https://arxiv.org/abs/1811.00002

    Example:
        >>> import torch
        >>> from probgen.nn.flows import UpsampledFrames
        >>> UpsampledFrames(5, hop=16, group=8)(torch.zeros(2, 5, 3)).shape
        torch.Size([2, 40, 6])
    """

    def __init__(self, channels: int, *, hop: int, group: int, width: int = 4) -> None:
        super().__init__()
        require_sizes(channels=channels, hop=hop, group=group, width=width)
        kernel = width * hop
        if hop % group or (kernel - hop) % 2:
            raise ValueError(f"`group` must divide `hop`, and the kernel must be centered; got {group}, {hop}, width {width}.")
        self.group = group
        self.convolution = nn.ConvTranspose1d(channels, channels, kernel, stride=hop, padding=(kernel - hop) // 2)

    def forward(self, frames: Tensor) -> Tensor:
        """From ``[N, channels, frames]`` to ``[N, channels * group, frames * hop / group]``."""
        samples: Tensor = self.convolution(frames)
        groups = samples.unflatten(-1, (samples.shape[-1] // self.group, self.group))
        return groups.movedim(-1, 2).flatten(1, 2)

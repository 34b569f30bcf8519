r"""Frames of features brought to the rate of grouped samples by a transposed convolution.

A spectrogram has one column every ``hop`` samples; a flow of waves works on groups of ``group`` samples, ``hop / group`` groups
a frame. A transposed convolution of that stride gives every group its features,

.. math:: [C, F] \to [C', F \cdot \mathrm{hop} / \mathrm{group}] .

To give every *sample* features and to put those of a group side by side, as the paper does, is the same map with a kernel that
is cut out of a longer one.
"""

from __future__ import annotations

from torch import Tensor, nn

from probgen.nn.convolutional_blocks import require_sizes

__all__ = ["UpsampledFrames"]


class UpsampledFrames(nn.Module):
    """From frames ``[N, in_features, frames]`` to features of positions ``[N, out_features, frames * factor]``.

    Args:
        in_features: Features of a frame.
        out_features: Features of a position.
        factor: Positions of a frame.
        width: Length of the transposed convolution in frames; ``(width - 1) * factor`` is even.

    Raises:
        ValueError: a size is not positive, or the kernel cannot be centered.

    References:
        Prenger, Valle, Catanzaro (2019). WaveGlow: a flow-based generative network for speech synthesis.
        https://arxiv.org/abs/1811.00002

    Example:
        >>> import torch
        >>> from probgen.nn.flows import UpsampledFrames
        >>> UpsampledFrames(5, 12, factor=8)(torch.zeros(2, 5, 3)).shape
        torch.Size([2, 12, 24])
    """

    def __init__(self, in_features: int, out_features: int, *, factor: int, width: int = 4) -> None:
        super().__init__()
        require_sizes(in_features=in_features, out_features=out_features, factor=factor, width=width)
        beyond = (width - 1) * factor
        if beyond % 2:
            raise ValueError(f"the kernel must be centered, (width - 1) * factor even; got width {width}, factor {factor}.")
        self.convolution = nn.ConvTranspose1d(in_features, out_features, width * factor, stride=factor, padding=beyond // 2)

    def forward(self, frames: Tensor) -> Tensor:
        """From ``[N, in_features, frames]`` to ``[N, out_features, frames * factor]``."""
        return self.convolution(frames.to(self.convolution.weight.dtype))  # type: ignore[no-any-return]

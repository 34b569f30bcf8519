r"""Residual blocks of images, told the noise level, and changes of resolution between them.

.. math::

    h = \mathrm{conv}_1\big(\sigma(\mathrm{GN}_1(x))\big), \qquad
    y = \mathrm{skip}(x) + \mathrm{conv}_2\big(\mathrm{dropout}(\sigma(g))\big),

with :math:`\sigma = \mathrm{SiLU}` and the features :math:`e` of noise level and context either added or deciding scale and
shift of the second normalization:

.. math::

    g = \mathrm{GN}_2(h + W e) \quad\text{(additive)}, \qquad
    g = \mathrm{GN}_2(h) \odot (1 + W_1 e) + W_2 e \quad\text{(adaptive)}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.attention import group_normalization, zero_initialized

__all__ = ["Downsample", "ResidualBlock", "Upsample"]


class ResidualBlock(nn.Module):
    """Two convolutions, told the noise level, added to their input: ``[N, C, H, W]`` to ``[N, out_channels, H, W]``.

    The last convolution starts at zero: a new block passes on its input (through a 1 x 1 convolution where channels change).

    Args:
        channels: Channels of the input.
        out_channels: Channels of the output.
        features: Width of the features of noise level and context; 0 for a block without.
        normalization: How these features enter: ``"adaptive"`` (scale and shift) or ``"additive"``.
        dropout: Probability with which a value is dropped in training.

    Raises:
        ValueError: the normalization is unknown.

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models. https://arxiv.org/abs/2006.11239
        Dhariwal, Nichol (2021). Diffusion models beat GANs on image synthesis. https://arxiv.org/abs/2105.05233

    Example:
        >>> import torch
        >>> from probgen.nn import ResidualBlock
        >>> x = torch.randn(2, 8, 5, 5)
        >>> torch.equal(ResidualBlock(8, 8, features=16)(x, torch.randn(2, 16)), x)  # before training
        True
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        *,
        features: int = 0,
        normalization: Literal["adaptive", "additive"] = "adaptive",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if normalization not in ("adaptive", "additive"):
            raise ValueError(f"`normalization` must be 'adaptive' or 'additive'; got {normalization!r}.")
        self.adaptive = normalization == "adaptive"
        self.first_normalization = group_normalization(channels)
        self.first = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.features = nn.Linear(features, (1 + self.adaptive) * out_channels) if features else None
        self.second_normalization = group_normalization(out_channels)
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        zero_initialized(self.second)
        self.skip = nn.Conv2d(channels, out_channels, 1) if channels != out_channels else None

    def forward(self, x: Tensor, features: Tensor | None = None) -> Tensor:
        """Transform ``x`` ``[N, C, H, W]`` given ``features`` ``[N, F]``, to which the activation has been applied."""
        h = self.first(F.silu(self.first_normalization(x)))
        h = F.silu(self._second_normalized(h, features))
        if self.dropout is not None:
            h = self.dropout(h)
        return self.second(h) + (x if self.skip is None else self.skip(x))  # type: ignore[no-any-return]

    def _second_normalized(self, h: Tensor, features: Tensor | None) -> Tensor:
        """The second normalization, after or around which the features enter."""
        if self.features is None or features is None:
            return self.second_normalization(h)  # type: ignore[no-any-return]
        change = self.features(features)[:, :, None, None]
        if not self.adaptive:
            return self.second_normalization(h + change)  # type: ignore[no-any-return]
        scale, shift = change.chunk(2, dim=1)
        return torch.addcmul(shift, self.second_normalization(h), 1 + scale)


class Downsample(nn.Module):
    """Half the resolution by a convolution of stride 2: ``[N, C, H, W]`` to ``[N, C, ceil(H / 2), ceil(W / 2)]``.

    Args:
        channels: Channels of input and output.

    Example:
        >>> import torch
        >>> from probgen.nn import Downsample
        >>> Downsample(4)(torch.zeros(2, 4, 7, 28)).shape
        torch.Size([2, 4, 4, 14])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Halve the resolution of ``x``."""
        return self.convolution(x)  # type: ignore[no-any-return]


class Upsample(nn.Module):
    """Twice the resolution (each pixel four times, cut to a given size), then a convolution: the way back from ``Downsample``.

    Args:
        channels: Channels of input and output.

    Example:
        >>> import torch
        >>> from probgen.nn import Upsample
        >>> Upsample(4)(torch.zeros(2, 4, 4, 14), (7, 28)).shape
        torch.Size([2, 4, 7, 28])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Bring ``x`` ``[N, C, ceil(H / 2), ceil(W / 2)]`` to the ``size`` ``(H, W)``."""
        height, width = size
        doubled = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.convolution(doubled[..., :height, :width])  # type: ignore[no-any-return]

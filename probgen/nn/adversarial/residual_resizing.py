r"""Residual blocks that change the resolution: up in a generator, down in a critic.

.. math::

    y &= \mathrm{skip}(\mathrm{up}(x)) + \mathrm{conv}_2\,\sigma\,\mathrm{norm}_2\,
        \mathrm{conv}_1\,\mathrm{up}\,\sigma\,\mathrm{norm}_1(x) \\
    y &= \mathrm{down}\bigl(\mathrm{skip}(x) + \mathrm{conv}_2\,\sigma\,\mathrm{norm}_2\,
        \mathrm{conv}_1\,\sigma\,\mathrm{norm}_1(x)\bigr)

with :math:`\sigma = \mathrm{ReLU}`; up repeats pixels, down averages them, skip is a 1 x 1 convolution where channels change.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.adversarial.layers import ConditionalNormalization, Normalization, cancels_bias, normalization_layer

__all__ = ["ResidualDown", "ResidualUp", "averaged_to", "repeated_to"]


class ResidualUp(nn.Module):
    """A residual block of a generator: ``[N, C, h, w]`` to ``[N, out_channels, H, W]``.

    Args:
        channels: Channels of the input.
        out_channels: Channels of the output.
        normalization: ``"batch"``, ``"layer"``, ``"instance"`` or ``"none"``.
        features: Width of the vector that scales and shifts after the normalizations; 0 for none.

    References:
        Gulrajani et al. (2017). Improved training of Wasserstein GANs. https://arxiv.org/abs/1704.00028

        Brock, Donahue, Simonyan (2019). Large scale GAN training for high fidelity natural image synthesis.
        https://arxiv.org/abs/1809.11096

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial import ResidualUp
        >>> ResidualUp(8, 4)(torch.randn(2, 8, 3, 4), (7, 8)).shape
        torch.Size([2, 4, 7, 8])
    """

    def __init__(self, channels: int, out_channels: int, *, normalization: Normalization = "batch", features: int = 0) -> None:
        super().__init__()
        bias = not cancels_bias(normalization)  # one normalization comes after all blocks
        self.first_normalization = ConditionalNormalization(normalization, channels, features)
        self.first = nn.Conv2d(channels, out_channels, 3, padding=1, bias=bias)
        self.second_normalization = ConditionalNormalization(normalization, out_channels, features)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=bias)
        self.skip = nn.Conv2d(channels, out_channels, 1, bias=bias) if channels != out_channels else None

    def forward(self, x: Tensor, grid: tuple[int, int], condition: Tensor | None = None) -> Tensor:
        """Bring ``x`` to ``grid`` ``(H, W)``; ``condition`` is ``[N, features]``."""
        h = repeated_to(torch.relu(self.first_normalization(x, condition)), grid)
        change: Tensor = self.second(torch.relu(self.second_normalization(self.first(h), condition)))
        around = x if self.skip is None else self.skip(x)  # repeating pixels and mixing channels commute
        return change + repeated_to(around, grid)


class ResidualDown(nn.Module):
    """A residual block of a critic: ``[N, C, H, W]`` to ``[N, out_channels, h, w]``.

    Args:
        channels: Channels of the input.
        out_channels: Channels of the output.
        normalization: ``"layer"``, ``"instance"``, ``"batch"`` or ``"none"``.
        first: Whether it sees the image itself: it then begins with a convolution, without normalization and activation.

    References:
        Miyato, Kataoka, Koyama, Yoshida (2018). Spectral normalization for generative adversarial networks.
        https://arxiv.org/abs/1802.05957

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial import ResidualDown
        >>> ResidualDown(3, 8, first=True)(torch.randn(2, 3, 7, 8), (3, 4)).shape
        torch.Size([2, 8, 3, 4])
    """

    def __init__(self, channels: int, out_channels: int, *, normalization: Normalization = "none", first: bool = False) -> None:
        super().__init__()
        inner: Normalization = "none" if first else normalization
        self.before = None if first else nn.Sequential(normalization_layer(inner, channels), nn.ReLU())
        self.first = nn.Conv2d(channels, out_channels, 3, padding=1, bias=not cancels_bias(inner))
        self.between = nn.Sequential(normalization_layer(inner, out_channels), nn.ReLU())
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(channels, out_channels, 1) if channels != out_channels else None

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Bring ``x`` to ``grid`` ``(h, w)``."""
        h = self.first(x if self.before is None else self.before(x))
        h = averaged_to(self.second(self.between(h)), grid)
        around = averaged_to(x, grid)  # averaging pixels and mixing channels commute
        return h + (around if self.skip is None else self.skip(around))


def repeated_to(x: Tensor, grid: tuple[int, int]) -> Tensor:
    """``x`` ``[N, C, h, w]`` with its pixels repeated, to ``[N, C, H, W]``.

    Args:
        x: The image.
        grid: ``(H, W)``.

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial.residual_resizing import repeated_to
        >>> repeated_to(torch.tensor([[[[1.0, 2.0]]]]), (1, 4))
        tensor([[[[1., 1., 2., 2.]]]])
    """
    return x if tuple(x.shape[2:]) == grid else F.interpolate(x, size=grid, mode="nearest")


def averaged_to(x: Tensor, grid: tuple[int, int]) -> Tensor:
    """``x`` ``[N, C, H, W]`` with its pixels averaged, to ``[N, C, h, w]``.

    Args:
        x: The image.
        grid: ``(h, w)``; where it does not divide ``(H, W)`` some pixels count twice.

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial.residual_resizing import averaged_to
        >>> averaged_to(torch.tensor([[[[1.0, 2.0, 3.0, 6.0]]]]), (1, 2))
        tensor([[[[1.5000, 4.5000]]]])
    """
    height, width = x.shape[2:]
    if (height, width) == grid:
        return x
    if height % grid[0] or width % grid[1]:
        return F.adaptive_avg_pool2d(x, grid)
    return F.avg_pool2d(x, (height // grid[0], width // grid[1]))

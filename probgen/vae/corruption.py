r"""Corruptions: what a denoising autoencoder has to undo, :math:`\tilde x \sim q(\tilde x \mid x)`."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["MaskingCorruption", "NormalCorruption"]


class NormalCorruption(nn.Module):
    r"""Normal noise: :math:`\tilde x = x + \sigma \varepsilon`, :math:`\varepsilon \sim \mathcal N(0, I)`.

    Args:
        scale: The standard deviation :math:`\sigma`, in the unit of the data.

    Raises:
        ValueError: the scale is negative or not finite.

    Example:
        >>> import torch
        >>> from probgen.vae import NormalCorruption
        >>> _ = torch.manual_seed(0)
        >>> round(NormalCorruption(0.5)(torch.zeros(10_000)).std().item(), 1)
        0.5
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        if not (scale >= 0 and math.isfinite(scale)):
            raise ValueError(f"`scale` must be finite and not negative; got {scale}.")
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Corrupt data of any shape."""
        return x + self.scale * torch.randn_like(x)

    def extra_repr(self) -> str:
        """The standard deviation."""
        return f"scale={self.scale}"


class MaskingCorruption(nn.Module):
    r"""Masking: every coordinate is lost with probability :math:`r` and replaced by a constant.

    Args:
        rate: The probability r.
        value: What stands in place of a lost coordinate.

    Raises:
        ValueError: the rate is not a probability.

    References:
        Vincent, Larochelle, Bengio, Manzagol (2008). Extracting and composing robust features with denoising autoencoders.
        https://doi.org/10.1145/1390156.1390294

    Example:
        >>> import torch
        >>> from probgen.vae import MaskingCorruption
        >>> _ = torch.manual_seed(0)
        >>> round(MaskingCorruption(0.25)(torch.ones(10_000)).mean().item(), 1)
        0.8
    """

    def __init__(self, rate: float, value: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= rate <= 1.0:
            raise ValueError(f"`rate` must lie in [0, 1]; got {rate}.")
        self.rate = rate
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        """Corrupt data of any shape."""
        return torch.where(torch.rand_like(x) < self.rate, torch.full_like(x, self.value), x)

    def extra_repr(self) -> str:
        """The rate and the constant."""
        return f"rate={self.rate}, value={self.value}"

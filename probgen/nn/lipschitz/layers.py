r"""Linear maps whose norm cannot exceed a coefficient, whatever their parameters.

.. math:: x \mapsto \frac{c}{\max(c, \hat\sigma(W))}\, W x + b, \qquad \hat\sigma(W) \ge \sigma(W)

with the bound :math:`\hat\sigma` of ``probgen.nn.lipschitz.bounds``. A matrix that is small enough stays as it is;
matrices start orthogonal, so that none of the constant is given away. There is no state besides the parameters: no vector that
one step of a power iteration moves in training, and that is out of date after a jump of the weights.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.lipschitz.bounds import convolution_norm_bound, spectral_norm_bound

__all__ = ["LipschitzConv2d", "LipschitzLinear"]


class LipschitzLinear(nn.Module):
    r"""A linear layer with Lipschitz constant :math:`c` at most.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        lipschitz: The coefficient :math:`c`, positive.
        iterations: As for ``spectral_norm_bound``.

    Raises:
        ValueError: ``lipschitz`` is not positive.

    References:
        Gouk, Frank, Pfahringer, Cree (2021). Regularisation of neural networks by enforcing Lipschitz continuity.
        https://arxiv.org/abs/1804.04368

    Example:
        >>> import torch
        >>> from probgen.nn import LipschitzLinear
        >>> layer = LipschitzLinear(8, 8, lipschitz=0.9)
        >>> _ = layer.weight.data.mul_(100.0)
        >>> bool(torch.linalg.matrix_norm(layer.bounded_weight(), 2) <= 0.9)
        True
    """

    def __init__(self, in_features: int, out_features: int, *, lipschitz: float = 1.0, iterations: int = 6) -> None:
        super().__init__()
        inner = nn.Linear(in_features, out_features)
        nn.init.orthogonal_(inner.weight)
        self.weight, self.bias = inner.weight, inner.bias
        self.lipschitz, self.iterations = _positive(lipschitz), iterations

    def extra_repr(self) -> str:
        """Sizes and the coefficient."""
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, lipschitz={self.lipschitz:.4g}"

    def bounded_weight(self) -> Tensor:
        """The matrix that is applied, ``[out, in]``."""
        return _scaled(self.weight, spectral_norm_bound(self.weight, self.iterations), self.lipschitz)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[*batch, in]`` to ``[*batch, out]``."""
        return F.linear(x, self.bounded_weight(), self.bias)


class LipschitzConv2d(nn.Module):
    r"""A convolution of images with zero padding that keeps their size, with Lipschitz constant :math:`c` at most.

    The constant is that of the map of *images*, not of patches: normalizing the weight as a matrix bounds the latter only.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Size of the kernel, odd.
        size: ``(H, W)`` of the images.
        lipschitz: The coefficient :math:`c`, positive.
        iterations: As for ``spectral_norm_bound``.

    Raises:
        ValueError: ``lipschitz`` is not positive, or ``kernel`` is even.

    Example:
        >>> import torch
        >>> from probgen.nn import LipschitzConv2d
        >>> layer = LipschitzConv2d(3, 4, kernel=3, size=(6, 6), lipschitz=0.5)
        >>> x = torch.randn(5, 3, 6, 6)
        >>> bool((layer(x) - layer(0 * x)).norm() <= 0.5 * x.norm())
        True
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 3,
        size: tuple[int, int],
        lipschitz: float = 1.0,
        iterations: int = 6,
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"`kernel` must be odd; got {kernel}.")
        inner = nn.Conv2d(in_channels, out_channels, kernel, padding="same")
        nn.init.orthogonal_(inner.weight)
        self.weight, self.bias = inner.weight, inner.bias
        self.size, self.lipschitz, self.iterations = tuple(size), _positive(lipschitz), iterations

    def extra_repr(self) -> str:
        """Sizes and the coefficient."""
        out_channels, in_channels, kernel, _ = self.weight.shape
        return f"{in_channels}, {out_channels}, kernel={kernel}, size={self.size}, lipschitz={self.lipschitz:.4g}"

    def bounded_weight(self) -> Tensor:
        """The kernels that are applied, ``[out, in, k, k]``."""
        bound = convolution_norm_bound(self.weight, (self.size[0], self.size[1]), self.iterations)
        return _scaled(self.weight, bound, self.lipschitz)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, in, H, W]`` to ``[N, out, H, W]``."""
        return F.conv2d(x, self.bounded_weight(), self.bias, padding=self.weight.shape[-1] // 2)


def _scaled(weight: Tensor, bound: Tensor, coefficient: float) -> Tensor:
    return weight * (coefficient / bound.clamp(min=coefficient))


def _positive(coefficient: float) -> float:
    if not coefficient > 0.0:
        raise ValueError(f"`lipschitz` must be positive; got {coefficient}.")
    return float(coefficient)

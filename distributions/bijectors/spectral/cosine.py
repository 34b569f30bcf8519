r"""The discrete cosine transform, orthonormal, by the fast Fourier transform.

.. math::

    y_k = c_k \sum_{n=0}^{N-1} x_n \cos \frac{\pi (2 n + 1) k}{2 N}, \qquad c_0 = \sqrt{1/N}, \quad c_k = \sqrt{2/N}

(type II; its inverse, the transpose, is type III). Put the even samples first and the odd ones behind them in reverse,
:math:`v = (x_0, x_2, \ldots, x_3, x_1)`; then :math:`y_k = c_k \operatorname{Re}\big(e^{-i \pi k / 2N} V_k\big)` with the
Fourier transform :math:`V` of :math:`v` (Makhoul), so the cost is :math:`O(N \log N)`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probgen.distributions.bijectors.spectral.axis_transform import AxisTransform

__all__ = ["DiscreteCosine"]


class DiscreteCosine(AxisTransform):
    """Samples or pixels to cosine coefficients, low frequencies first; the shape stays, the log-determinant is exactly 0.

    Domain and codomain: real events of any size.

    Args:
        dims: The axes, negative; ``(-1,)`` for signals, ``(-2, -1)`` for images.

    Raises:
        ValueError: an axis is not negative or occurs twice.

    References:
        Makhoul (1980). A fast cosine transform in one and two dimensions. https://doi.org/10.1109/TASSP.1980.1163351

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import DiscreteCosine
        >>> y = DiscreteCosine()(torch.ones(4))
        >>> y.round(decimals=4).abs()
        tensor([2., 0., 0., 0.])
    """

    def _analyze(self, x: Tensor) -> Tensor:
        for dim in self.dims:
            x = _cosine(x.movedim(dim, -1)).movedim(-1, dim)
        return x

    def _synthesize(self, y: Tensor) -> Tensor:
        for dim in reversed(self.dims):
            y = _inverse_cosine(y.movedim(dim, -1)).movedim(-1, dim)
        return y


def _cosine(x: Tensor) -> Tensor:
    count = x.shape[-1]
    if x.numel() == 0:
        return x
    reordered = torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], -1)
    spectrum = torch.view_as_real(torch.fft.fft(reordered))
    cosine, sine, scale = _twiddle(count, x)
    return (spectrum[..., 0] * cosine + spectrum[..., 1] * sine) * scale


def _inverse_cosine(y: Tensor) -> Tensor:
    count = y.shape[-1]
    if y.numel() == 0:
        return y
    cosine, sine, scale = _twiddle(count, y)
    real = y / scale
    mirrored = torch.cat([torch.zeros_like(real[..., :1]), real[..., 1:].flip(-1)], -1)
    # V_k = e^{i pi k / 2N} (w_k - i w_{N-k}) for the coefficients w of unit scale, with w_N = 0
    spectrum = torch.complex(real * cosine + mirrored * sine, real * sine - mirrored * cosine)
    return _deinterleaved(torch.view_as_real(torch.fft.ifft(spectrum))[..., 0])


def _deinterleaved(v: Tensor) -> Tensor:
    count = v.shape[-1]
    half = (count + 1) // 2
    even, odd = v[..., :half], v[..., half:].flip(-1)
    paired = torch.stack([even[..., : count - half], odd], -1).flatten(-2)
    return torch.cat([paired, even[..., count - half :]], -1)


def _twiddle(count: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cosine and sine of ``pi k / 2N``, and the scale that makes the rows unit vectors."""
    k = torch.arange(count, dtype=torch.float64, device=like.device)
    angle = k * (math.pi / (2 * count))
    scale = torch.where(k == 0, torch.full_like(k, math.sqrt(1 / count)), math.sqrt(2 / count))
    return angle.cos().to(like.dtype), angle.sin().to(like.dtype), scale.to(like.dtype)

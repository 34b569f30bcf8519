r"""Features of a noise level, given as a log signal-to-noise ratio :math:`\lambda`: what a denoising network is conditioned on.

A log-SNR runs from :math:`+\infty` (data) to :math:`-\infty` (noise). It is clamped to a declared range :math:`[a, b]` first,
so both limits have finite features; beyond :math:`\pm 20` the rarer of signal and noise has a standard deviation below
:math:`5 \cdot 10^{-5}` of the other, less than a step of 8-bit data. Then either

.. math::

    \varphi(\lambda) = \big[\cos(\omega_k p),\ \sin(\omega_k p)\big]_{k < F/2}, \qquad
    p = S\,\frac{b - \lambda}{b - a}, \quad \omega_k = P^{-k / (F/2 - 1)}

(sinusoidal, frequencies from 1 to :math:`1/P` over a position of length :math:`S`: the "timestep" of discrete chains), or

.. math::

    \varphi(\lambda) = \big[\cos(2 \pi w_k u),\ \sin(2 \pi w_k u)\big]_{k < F/2}, \qquad
    u = \frac{2\lambda - a - b}{b - a} \in [-1, 1], \quad w_k \sim N(0, s^2)

(random Fourier features, drawn once and saved with the weights). Angles are computed in the precision of :math:`\lambda`.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["FourierEmbedding", "NoiseEmbedding", "SinusoidalEmbedding"]


class SinusoidalEmbedding(nn.Module):
    r"""Cosines and sines of a log-SNR at frequencies in geometric progression, ``[*batch]`` to ``[*batch, features]``.

    It has no parameters. With ``length = 1000`` and ``max_period = 10000`` it plays the part of the step number of a chain
    with 1000 steps.

    Args:
        features: How many features :math:`F`, an even number of at least 4.
        limits: The range :math:`(a, b)` to which a log-SNR is clamped.
        length: Length :math:`S` of the positions on which the range is laid out; more resolves finer differences.
        max_period: The longest period :math:`P`, in units of :math:`2\pi` positions.

    Raises:
        ValueError: ``features`` is odd or below 4, the limits are not an interval, or a length is not positive.

    References:
        Vaswani et al. (2017). Attention is all you need. https://arxiv.org/abs/1706.03762
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models. https://arxiv.org/abs/2006.11239

    Example:
        >>> import math, torch
        >>> from probgen.nn import SinusoidalEmbedding
        >>> SinusoidalEmbedding(4)(torch.tensor([20.0, math.inf]))  # both are the position 0
        tensor([[1., 1., 0., 0.],
                [1., 1., 0., 0.]])
    """

    def __init__(
        self,
        features: int,
        *,
        limits: tuple[float, float] = (-20.0, 20.0),
        length: float = 1000.0,
        max_period: float = 10_000.0,
    ) -> None:
        super().__init__()
        _check(features, limits, at_least=4)
        if not (length > 0 and max_period > 0):
            raise ValueError(f"`length` and `max_period` must be positive; got {length} and {max_period}.")
        self.features, self.limits, self.length, self.max_period = features, limits, length, max_period

    def forward(self, log_snr: Tensor) -> Tensor:
        """Features ``[*batch, features]`` of a log-SNR ``[*batch]``, in its dtype."""
        low, high = self.limits
        half = self.features // 2
        rate = -math.log(self.max_period) / (half - 1)
        frequency = torch.exp(rate * torch.arange(half, device=log_snr.device, dtype=log_snr.dtype))
        position = (high - log_snr.clamp(low, high)) * (self.length / (high - low))
        angle = position[..., None] * frequency
        return torch.cat([angle.cos(), angle.sin()], dim=-1)

    def extra_repr(self) -> str:
        """The sizes, for ``print``."""
        return f"{self.features}, limits={self.limits}, length={self.length}, max_period={self.max_period}"


class FourierEmbedding(nn.Module):
    r"""Cosines and sines of a log-SNR at random frequencies, ``[*batch]`` to ``[*batch, features]``.

    The frequencies are a buffer: drawn once from torch's generator, never trained, saved with the weights.

    Args:
        features: How many features :math:`F`, an even number of at least 2.
        scale: Standard deviation :math:`s` of the frequencies; the features resolve differences of about
            :math:`(b - a) / (4 \pi s)` in log-SNR.
        limits: The range :math:`(a, b)` to which a log-SNR is clamped.

    Raises:
        ValueError: ``features`` is odd or below 2, the limits are not an interval, or ``scale`` is not positive.

    References:
        Tancik et al. (2020). Fourier features let networks learn high frequency functions in low dimensional domains.
        https://arxiv.org/abs/2006.10739
        Song et al. (2021). Score-based generative modeling through stochastic differential equations.
        https://arxiv.org/abs/2011.13456

    Example:
        >>> import math, torch
        >>> from probgen.nn import FourierEmbedding
        >>> features = FourierEmbedding(8)(torch.tensor([-math.inf, 0.0]))
        >>> features.square().sum(-1)  # cos^2 + sin^2 of four angles
        tensor([4., 4.])
    """

    frequency: Tensor

    def __init__(self, features: int, scale: float = 4.0, *, limits: tuple[float, float] = (-20.0, 20.0)) -> None:
        super().__init__()
        _check(features, limits, at_least=2)
        if not scale > 0:
            raise ValueError(f"`scale` must be positive; got {scale}.")
        self.features, self.scale, self.limits = features, scale, limits
        self.register_buffer("frequency", scale * torch.randn(features // 2))

    def forward(self, log_snr: Tensor) -> Tensor:
        """Features ``[*batch, features]`` of a log-SNR ``[*batch]``, in its dtype."""
        low, high = self.limits
        unit = (2 * log_snr.clamp(low, high) - (low + high)) / (high - low)
        angle = (2 * math.pi) * unit[..., None] * self.frequency.to(log_snr.dtype)
        return torch.cat([angle.cos(), angle.sin()], dim=-1)

    def extra_repr(self) -> str:
        """The sizes, for ``print``."""
        return f"{self.features}, scale={self.scale}, limits={self.limits}"


class NoiseEmbedding(nn.Module):
    r"""Learned features of a noise level: :math:`W_2\, \mathrm{SiLU}(W_1 \varphi(\lambda) + b_1) + b_2`.

    Args:
        features: Width of the result and of the hidden layer.
        base_features: How many sinusoidal or Fourier features :math:`\varphi`; None for a quarter of ``features``, made even.
        embedding: ``"sinusoidal"`` or ``"fourier"``.

    Raises:
        ValueError: a width is not positive, or the embedding is unknown.

    Example:
        >>> import torch
        >>> from probgen.nn import NoiseEmbedding
        >>> NoiseEmbedding(64)(torch.tensor([-3.0, 0.0, 3.0])).shape
        torch.Size([3, 64])
    """

    def __init__(
        self,
        features: int,
        base_features: int | None = None,
        *,
        embedding: Literal["sinusoidal", "fourier"] = "sinusoidal",
    ) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"`features` must be positive; got {features}.")
        if embedding not in ("sinusoidal", "fourier"):
            raise ValueError(f"`embedding` must be 'sinusoidal' or 'fourier'; got {embedding!r}.")
        base = max(4, features // 8 * 2) if base_features is None else base_features
        self.features = features
        self.base = SinusoidalEmbedding(base) if embedding == "sinusoidal" else FourierEmbedding(base)
        self.hidden = nn.Linear(base, features)
        self.output = nn.Linear(features, features)

    def forward(self, log_snr: Tensor) -> Tensor:
        """Features ``[*batch, features]`` of a log-SNR ``[*batch]`` of any floating dtype, in the dtype of the weights."""
        features = self.base(log_snr).to(self.hidden.weight.dtype)
        return self.output(F.silu(self.hidden(features)))  # type: ignore[no-any-return]


def _check(features: int, limits: tuple[float, float], *, at_least: int) -> None:
    """Refuse an odd or small number of features and an empty range."""
    if features < at_least or features % 2:
        raise ValueError(f"`features` must be an even number of at least {at_least}; got {features}.")
    if not -math.inf < limits[0] < limits[1] < math.inf:
        raise ValueError(f"`limits` must be finite with low < high; got {limits}.")

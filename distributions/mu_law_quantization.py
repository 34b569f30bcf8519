r"""Waveforms as codes: mu-law companding, then equidistant levels.

With F the companding map (:class:`~probgen.distributions.bijectors.MuLaw`) and Q the quantization of [-1, 1] into L levels,

.. math:: k(x) = Q(F(x)), \qquad \hat x_k = F^{-1}(c_k),

so this is ``Quantization`` behind a bijector, and nothing else: codes are its levels, and the L numbers :math:`\hat x_k` are
what its centers decode to. A law P on codes is a law on waveforms with the same masses on the :math:`\hat x_k`. Spread evenly
over each bin of :math:`y = F(x)`, of width w, it has the density :math:`p(x) = P(k(x))\, F'(x) / w`, so that

.. math:: -\log P(k(x)) = -\log p(x) + \log F'(x) - \log w.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.distributions.bijectors import MuLaw
from probgen.distributions.quantization import Quantization

__all__ = ["MuLawQuantization"]


@dataclass(frozen=True)
class MuLawQuantization:
    r"""Codes :math:`0, \dots, L - 1` of waveforms in [-1, 1].

    Attributes:
        levels: Number L of codes, at least 2.
        mu: The constant :math:`\mu > 0` of the companding.

    Raises:
        ValueError: fewer than two levels, or ``mu`` is not positive.

    References:
        ITU-T (1988). Recommendation G.711: pulse code modulation of voice frequencies. https://www.itu.int/rec/T-REC-G.711

    Example:
        >>> import torch
        >>> from probgen.distributions import MuLawQuantization
        >>> codec = MuLawQuantization()
        >>> codec.encode(torch.tensor([-1.0, 0.0, 1.0])), codec.decode(torch.tensor([0, 64, 255]))
        (tensor([  0, 128, 255]), tensor([-1.0000, -0.0581,  1.0000]))
    """

    levels: int = 256
    mu: float = 255.0

    def __post_init__(self) -> None:
        _ = self.quantization, self.companding

    @property
    def quantization(self) -> Quantization:
        """The equidistant levels of the companded signal."""
        return Quantization(self.levels, -1.0, 1.0)

    @property
    def companding(self) -> MuLaw:
        """The map from the signal to the companded signal."""
        return MuLaw(self.mu)

    def encode(self, x: Tensor) -> Tensor:
        """The code of each number (int64); numbers beyond the ends go to the ends.

        Args:
            x: Numbers without NaN, any shape.
        """
        values = x if x.is_floating_point() else x.to(torch.get_default_dtype())
        return self.quantization.encode(self.companding(values.clamp(-1.0, 1.0)))

    def decode(self, k: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """The number that each code stands for.

        Args:
            k: Codes, any shape.
            dtype: Of the numbers; None keeps that of floating-point codes and takes torch's default for integers.
        """
        return self.companding.inverse(self.quantization.decode(k, dtype).clamp(-1.0, 1.0))

    def snap(self, x: Tensor) -> Tensor:
        """The nearest number that a code stands for, nearest after companding, in the dtype of ``x``."""
        return self.decode(self.encode(x), x.dtype if x.is_floating_point() else None)

    def log_density(self, log_mass: Tensor, x: Tensor) -> Tensor:
        r"""The log-density of waveforms from the log-mass of their codes, spread evenly over each bin of :math:`F(x)`.

        Args:
            log_mass: Sums of log-masses over the last dimension, in nats, ``[*batch]``.
            x: The waveforms, ``[*batch, T]``.

        Returns:
            Nats, ``[*batch]``.
        """
        slope = self.companding.forward_log_det_jacobian(x).sum(-1)
        return log_mass + slope - x.shape[-1] * math.log(self.quantization.width)

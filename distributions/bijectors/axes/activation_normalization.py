r"""Activation normalization: a learned affine map a channel, started by one batch.

.. math:: y_{c p} = m_c + s_c\, x_{c p}, \qquad \log|\det J| = P \sum_c \log s_c

over :math:`P` positions. Started from data, :math:`m_c` and :math:`s_c` are the channel's mean and standard deviation at the
output, so that the inverse of the data has mean 0 and variance 1. The start is an explicit call, ``initialize_from``: the
parameters are ordinary parameters afterwards, so there is no flag that a saved state could lose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["ActNorm"]

_LOG_FACTOR = math.log(1e3)
_LARGEST_START = 0.999


class ActNorm(Bijector):
    r"""An affine map with one translation and one positive factor a channel (within a factor 1000 of one).

    Args:
        shape: The event shape with ones where the parameters are shared: ``(c, 1, 1)`` for images, ``(c, 1)`` for waves.

    Raises:
        ValueError: ``shape`` is empty, or a size is negative.

    References:
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions. https://arxiv.org/abs/1807.03039

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import ActNorm
        >>> f = ActNorm((2, 1, 1))
        >>> x = 3.0 + 2.0 * torch.randn(8, 2, 4, 4)
        >>> f.initialize_from(x)
        >>> f.inverse(x).mean().abs() < 1e-5, (f.inverse(x).std() - 1).abs() < 0.01
        (tensor(True), tensor(True))
    """

    constant_log_det = True
    data_dependent = True

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)
        if not self.shape or min(self.shape) < 0:
            raise ValueError(f"`shape` must have at least one axis, and no size be negative; got {self.shape}.")
        self.loc = nn.Parameter(torch.zeros(self.shape))
        self.raw_scale = nn.Parameter(torch.zeros(self.shape))

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Real events of as many axes as the shape has."""
        return constraints.independent(constraints.real, len(self.shape))

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """As the domain."""
        return self.domain

    @property
    def log_scale(self) -> Tensor:
        """The logarithm of the factors, of the declared shape."""
        return soft_clip(self.raw_scale, _LOG_FACTOR)

    def extra_repr(self) -> str:
        """The shape of the parameters."""
        return f"{self.shape}"

    def initialize_from(self, y: Tensor, context: Tensor | None = None) -> None:
        """Set the parameters to the mean and the standard deviation of ``y`` over the batch and the shared axes.

        Args:
            y: Outputs, ``[*batch, *event]``, at least one.
            context: Not used; for the sake of compositions.

        Raises:
            ValueError: there is no number to take a mean of, or a number is not finite.
        """
        self._check_input("y", y, self.codomain, None, None)
        self._checked(y.shape)
        if not y.numel() or not bool(torch.isfinite(y).all()):
            raise ValueError(f"`y` must hold finite numbers to start from, at least one; got shape {tuple(y.shape)}.")
        rank = len(self.shape)
        shared = [*range(y.dim() - rank), *(y.dim() - rank + axis for axis, length in enumerate(self.shape) if length == 1)]
        with torch.no_grad():
            std, mean = torch.std_mean(y.double(), dim=shared, correction=0, keepdim=True)
            log_std = torch.where(std > 0, std, 1.0).log()  # a constant channel keeps its scale
            raw = _LOG_FACTOR * torch.atanh((log_std / _LOG_FACTOR).clamp(-_LARGEST_START, _LARGEST_START))
            self.loc.copy_(mean.reshape(self.shape))
            self.raw_scale.copy_(raw.reshape(self.shape))

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_scale = self.log_scale
        log_det = self._log_det(log_scale, x)
        return self.loc + log_scale.exp() * x, log_det

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_scale = self.log_scale
        log_det = self._log_det(log_scale, y)
        return (y - self.loc) * (-log_scale).exp(), -log_det

    def _log_det(self, log_scale: Tensor, value: Tensor) -> Tensor:
        """One sum over the channels, times the number of positions."""
        event = self._checked(value.shape)
        positions = math.prod(event) // max(math.prod(self.shape), 1)
        return (log_scale.sum() * positions).expand(value.shape[: value.dim() - len(event)])

    def _checked(self, shape: Sequence[int]) -> tuple[int, ...]:
        event = tuple(shape[len(shape) - len(self.shape) :])
        if any(own not in (1, length) for own, length in zip(self.shape, event, strict=True)):
            raise ValueError(f"events of ActNorm must broadcast from {self.shape}; got shape {tuple(shape)}.")
        return event

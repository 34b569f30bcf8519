r"""Levels with free masses: a softmax over the bin centers of a quantization.

.. math:: P(X = c_k) = \pi_k = \frac{e^{a_k}}{\sum_j e^{a_j}}

It knows nothing of the order of the levels, but its values are numbers: it has a mean, a variance, a distribution function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.base import Distribution
from probgen.distributions.chains.independent_categorical import IndependentCategorical
from probgen.distributions.discretized import at_least_float32
from probgen.distributions.quantization import BinCenters, Quantization, require_quantization

__all__ = ["CategoricalLevels"]


class CategoricalLevels(Distribution):
    r"""A law over the bin centers of a quantization with a free mass for each.

    Args:
        logits: Unnormalized log-masses :math:`a`, ``[*batch, levels]``; half precision is taken to float32.
        quantization: The levels.
        validate_args: As in ``torch.distributions``.

    Raises:
        TypeError: ``quantization`` is no ``Quantization``.
        ValueError: the logits do not end with one number a level.

    References:
        van den Oord, Kalchbrenner, Kavukcuoglu (2016). Pixel recurrent neural networks. https://arxiv.org/abs/1601.06759

    Example:
        >>> import torch
        >>> from probgen.distributions import CategoricalLevels, Quantization
        >>> law = CategoricalLevels(torch.tensor([0.0, 0.0, -torch.inf]), Quantization(3, -1.0, 1.0))
        >>> law.log_prob(torch.tensor([-1.0, 0.0, 1.0])).exp(), law.mean
        (tensor([0.5000, 0.5000, 0.0000]), tensor(-0.5000))
    """

    has_enumerate_support = True

    def __init__(self, logits: Tensor, quantization: Quantization, *, validate_args: bool | None = None) -> None:
        self.quantization = require_quantization(quantization)
        if not logits.dim() or logits.shape[-1] != quantization.levels:
            raise ValueError(f"`logits` must end with {quantization.levels} numbers, one a level; got {tuple(logits.shape)}.")
        self._levels = IndependentCategorical(at_least_float32(logits), 0, validate_args=False)
        super().__init__(logits.shape[:-1], torch.Size(), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Constraint:
        """The bin centers."""
        return BinCenters(self.quantization)

    @property
    def log_probs(self) -> Tensor:
        """The logarithms of the masses, ``[*batch, levels]``."""
        return self._levels.log_probs

    @property
    def probs(self) -> Tensor:
        """The masses, ``[*batch, levels]``."""
        return self._levels.probs

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new._levels = self._levels.expand(batch_shape)
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw bin centers ``[*sample_shape, *batch]``."""
        with torch.no_grad():
            return self.quantization.decode(self._levels.sample(sample_shape), self.log_probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-mass in nats, shape ``[*sample, *batch]``; minus infinity off the bin centers, NaN of a NaN.

        Args:
            value: Bin centers ``[*sample, *batch]``, up to rounding; ``quantization.decode`` makes them from integers.

        Raises:
            ValueError: with validation on, a value is no bin center.
        """
        self._check_shape(value)
        if self._checks_values(value):
            self.quantization.require_centers(value, type(self).__name__)
        found = self._levels.log_prob(self.quantization.level(value).nan_to_num().long())
        off_center = torch.where(value.isnan(), torch.nan, -torch.inf).to(found.dtype)
        return torch.where(BinCenters(self.quantization).check(value), found, off_center)

    def enumerate_support(self, expand: bool = True) -> Tensor:  # noqa: FBT001, FBT002  (torch's signature)
        """All bin centers, ``[levels, *batch]`` (ones for the batch if not ``expand``)."""
        centers = self._centers().reshape(-1, *(1,) * len(self.batch_shape))
        return centers.expand(-1, *self.batch_shape) if expand else centers

    def cdf(self, value: Tensor) -> Tensor:
        r""":math:`P(X \le x)` for any real ``value`` ``[*sample, *batch]``."""
        reached = self._centers() <= value.unsqueeze(-1) + 1e-3 * self.quantization.width
        return (self.probs * reached).sum(-1)

    @property
    def mean(self) -> Tensor:
        """The expected bin center."""
        return (self.probs * self._centers()).sum(-1)

    @property
    def variance(self) -> Tensor:
        """The variance of the bin centers."""
        return (self.probs * (self._centers() - self.mean.unsqueeze(-1)).square()).sum(-1)

    @property
    def mode(self) -> Tensor:
        """The most probable bin center."""
        return self.quantization.decode(self._levels.mode, self.log_probs.dtype)

    def entropy(self) -> Tensor:
        """Entropy in nats."""
        return self._levels.entropy()

    def probability_integral_transform(self, value: Tensor) -> None:
        """None: the distribution function of a discrete law does not make its draws uniform."""
        return

    def _centers(self) -> Tensor:
        return self.quantization.centers(self.log_probs.dtype, self.log_probs.device)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_shape={tuple(self.batch_shape)}, {self.quantization})"

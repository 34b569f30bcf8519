r"""Elements with dimensions of their own on a grid: the law of an image whose pixels are independent and whose colors are not.

.. math:: \log p(x) = \sum_{g} \log p\bigl(x_{\cdot, g} \mid \theta_g\bigr), \qquad x \in \mathbb R^{C \times H \times W}

The law of the elements has the grid in its batch and the colors in its event, ``[*batch, H, W]`` and ``(C,)``; images have the
colors first. ``ElementGrid`` does the turning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._wrapping import log_prob_kind_of
from probgen.distributions.base import Distribution
from probgen.distributions.estimate import LogProbKind
from probgen.distributions.events import scored
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["ElementGrid"]


class ElementGrid(Distribution):
    """Independent elements on a grid, the element's own dimensions first.

    Args:
        law: The law of the elements, batch shape ``[*batch, *grid]`` and event shape ``[*element]``.
        grid_dims: Number of dimensions of the grid.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the batch of ``law`` has fewer dimensions than the grid.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.elements import ElementGrid
        >>> pixels = dist.Normal(torch.zeros(5, 8, 9, 3), 1.0).to_event(1)
        >>> images = ElementGrid(pixels, 2)
        >>> images.batch_shape, images.event_shape, images.sample((2,)).shape
        (torch.Size([5]), torch.Size([3, 8, 9]), torch.Size([2, 5, 3, 8, 9]))
    """

    def __init__(self, law: TorchDistribution, grid_dims: int, *, validate_args: bool | None = None) -> None:
        cut = len(law.batch_shape) - grid_dims
        if cut < 0:
            raise ValueError(f"`law` must have {grid_dims} batch dimensions for the grid; got {tuple(law.batch_shape)}.")
        self.law = law
        self.grid_dims = grid_dims
        self.has_rsample = bool(law.has_rsample)
        super().__init__(law.batch_shape[:cut], law.event_shape + law.batch_shape[cut:], validate_args=validate_args)

    @property
    def log_prob_kind(self) -> LogProbKind:  # type: ignore[override]
        """That of the elements."""
        return log_prob_kind_of(self.law)

    @constraints.dependent_property
    def support(self) -> Constraint:
        """Grids of elements in the support of the elements."""
        return _GridSupport(cast(Constraint, self.law.support), self.grid_dims, len(self.law.event_shape))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        grid = self.law.batch_shape[len(self.batch_shape) :]
        new.law = self.law.expand(torch.Size(batch_shape) + grid)
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *element, *grid]`` without gradients."""
        return self._from_elements(self.law.sample(torch.Size(sample_shape)))

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *element, *grid]`` with gradients, where the elements can."""
        return self._from_elements(self.law.rsample(torch.Size(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, shape ``[*sample, *batch]``, of ``value`` ``[*sample, *batch, *element, *grid]``."""
        self._check_shape(value)
        return sum_rightmost(scored(self.law, self._to_elements(value)), self.grid_dims)

    def entropy(self) -> Tensor:
        """Entropy in nats, shape ``[*batch]``, where the elements know theirs."""
        return sum_rightmost(self.law.entropy(), self.grid_dims)

    @property
    def mean(self) -> Tensor:
        """The means of the elements, as a grid."""
        return self._from_elements(self.law.mean)

    @property
    def variance(self) -> Tensor:
        """The variances of the elements, as a grid."""
        return self._from_elements(self.law.variance)

    @property
    def mode(self) -> Tensor:
        """The modes of the elements, as a grid."""
        return self._from_elements(self.law.mode)

    def _to_elements(self, value: Tensor) -> Tensor:
        return _turned(value, len(self.law.event_shape), self.grid_dims)

    def _from_elements(self, value: Tensor) -> Tensor:
        return _turned(value, self.grid_dims, len(self.law.event_shape)).contiguous()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.law}, grid_dims={self.grid_dims})"


class _GridSupport(Constraint):
    """Grids of elements that satisfy a constraint."""

    def __init__(self, element: Constraint, grid_dims: int, element_dims: int) -> None:
        self.element, self.grid_dims, self.element_dims = element, grid_dims, element_dims
        self.is_discrete = element.is_discrete
        self.event_dim = grid_dims + element_dims

    def check(self, value: Tensor) -> Tensor:
        """Whether all elements of each grid are allowed."""
        valid = self.element.check(_turned(value, self.element_dims, self.grid_dims))
        dims = self.grid_dims + self.element_dims - self.element.event_dim
        return torch.flatten(valid, valid.dim() - dims).all(-1) if dims else valid

    def __repr__(self) -> str:
        return f"ElementGrid of {self.element}"


def _turned(value: Tensor, last_but: int, last: int) -> Tensor:
    """Swap the group of ``last_but`` dimensions with the group of ``last`` dimensions behind it."""
    cut = value.dim() - last_but - last
    order = [*range(cut), *range(cut + last_but, value.dim()), *range(cut, cut + last_but)]
    turned: Tensor = value.permute(order)
    return turned

r"""The argmax, which forgets everything but which value is largest: :math:`v = \arg\max_k u_k`, a category.

As a generative surjection it is the *argmax flow* of categorical data: a flow of K real numbers a category-valued coordinate
draws them, the data are the places of the maxima, and the guide fills in numbers whose maximum stands in the right place. A
model of real numbers thus gives probabilities of categories, in which no order or distance of categories is assumed. As an
inference surjection (``Argmax(K).inv``) it is a density on :math:`\mathbb R^K` that is piecewise, cell by cell, from a law of
categories.

A law of coordinates :math:`r \in \mathbb R^K` becomes a law on the cell by one of the maps of ``argmax_cells``, thresholding or
Gumbel. With Gumbel coordinates and logistic :math:`r` the guide is the law of K independent Gumbel variables given their
argmax; its left tail is thinner than that of a normal law, so that the weights of a normal base have no variance under it. The
thresholded logistic guide, the default, has heavier tails than a normal base on every side.
"""

from __future__ import annotations

from typing import cast

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import Distribution as TorchDistribution
from torch.distributions import constraints
from torch.distributions.constraints import Constraint
from torch.nn.functional import one_hot

from probgen.distributions.surjections.argmax_cells import CellKind, cell_coordinates, cell_point
from probgen.distributions.surjections.surjection import RemainderLaw, Surjection, require_event_dim

__all__ = ["Argmax"]


class Argmax(Surjection):
    r""":math:`v = \arg\max_k u_k` over the last axis; the remainder is the coordinates of :math:`u` in its cell.

    Domain: ``[*event, K]`` real numbers. Codomain: ``[*event]`` categories 0, ..., K - 1, as floating-point numbers.

    Args:
        categories: Number of categories K, at least 2.
        law: From categories ``[*batch, *event]`` to the law of coordinates, real numbers ``[*event, K]``, with ``rsample``;
            None for standard logistic ones.
        cell: The coordinates: "threshold", or "gumbel" (with the default law: Gumbel variables given their argmax).
        event_dim: Rank of an event that ``law`` sees as a whole; 0 for single categories.
        context_shape: Trailing shape of the context that ``law`` takes, or None.

    Raises:
        ValueError: there are fewer than two categories, or no such cell.

    References:
        Hoogeboom, Nielsen, Jaini, Forré, Welling (2021). Argmax flows and multinomial diffusion: learning categorical
        distributions. https://arxiv.org/abs/2102.05379
        Maddison, Tarlow, Minka (2014). A* sampling. https://arxiv.org/abs/1411.0030

    Example:
        >>> import torch
        >>> from pyro.distributions import Gumbel
        >>> from probgen.distributions import SurjectiveDistribution
        >>> from probgen.distributions.surjections import Argmax
        >>> softmax = SurjectiveDistribution(Gumbel(torch.zeros(4), 1.0).to_event(1), Argmax(4, cell="gumbel"))
        >>> softmax.bound(torch.tensor([0.0, 3.0])).exp()  # the guide is the true law: every weight is the probability
        tensor([0.2500, 0.2500])
    """

    has_rsample = False

    def __init__(
        self,
        categories: int,
        law: RemainderLaw | None = None,
        *,
        cell: CellKind = "threshold",
        event_dim: int = 0,
        context_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(law, context_shape)
        if categories < 2:
            raise ValueError(f"`categories` must be at least 2; got {categories}.")
        if cell not in ("threshold", "gumbel"):
            raise ValueError(f"`cell` must be 'threshold' or 'gumbel'; got {cell!r}.")
        self.categories = categories
        self.cell = cell
        self.event_dim = require_event_dim(event_dim)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The reals."""
        return constraints.independent(constraints.real, self.event_dim + 1)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The categories."""
        single = constraints.integer_interval(0, self.categories - 1)
        return constraints.independent(single, self.event_dim) if self.event_dim else single

    def extra_repr(self) -> str:
        """Number of categories and kind of coordinates."""
        return f"categories={self.categories}, cell={self.cell!r}"

    def _forward_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        self._require(event[-1])
        return event[:-1]

    def _inverse_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        return (*event, self.categories)

    def _remainder_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        return (*event, self.categories)

    def _default_law(self, v: Tensor, batch: torch.Size, event: tuple[int, ...]) -> TorchDistribution:
        loc = torch.zeros((*batch, *event), dtype=v.dtype, device=v.device)
        return cast(TorchDistribution, dist.Logistic(loc, torch.ones_like(loc), validate_args=False).to_event(len(event)))

    def _project(self, u: Tensor) -> Tensor:
        self._require(u.shape[-1])
        return u.argmax(-1).to(u.dtype)

    def _split(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor | float]:
        v = self._project(u)
        r, log_det = cell_coordinates(u, self._chosen(v), self.cell)
        return v, r, self._over_event(log_det)

    def _join(self, v: Tensor, r: Tensor) -> tuple[Tensor, Tensor | float]:
        u, log_det = cell_point(r, self._chosen(v).expand(r.shape), self.cell)
        return u, self._over_event(log_det)

    def _chosen(self, v: Tensor) -> Tensor:
        return one_hot(v.long(), self.categories).bool()

    def _over_event(self, log_det: Tensor) -> Tensor:
        return log_det.sum(tuple(range(-self.event_dim, 0))) if self.event_dim else log_det

    def _require(self, length: int) -> None:
        if length != self.categories:
            raise ValueError(f"Argmax needs {self.categories} numbers along the last axis; got {length}.")

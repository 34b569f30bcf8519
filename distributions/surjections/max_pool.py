r"""Max-pooling, which forgets where the largest value stood and what the others were.

In a window of :math:`K` values :math:`v = \max_k u_k`; the remainder is the place :math:`k^*` of the largest and the distances
:math:`r_j = v - u_j > 0` of the others, in their order. With equal probabilities of the places,

.. math:: \log \kappa(u \mid v) = \sum_\text{windows} \left[ -\log K \right] + \log \kappa(r \mid v) .

As an inference surjection (``MaxPool(...).inv``) it makes an image from one of half the size, exactly: a step of a multi-scale
flow that keeps large values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import pyro.distributions as dist
import torch
from torch import Tensor, nn
from torch.distributions import Distribution as TorchDistribution
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.surjections.surjection import RemainderLaw, Surjection

__all__ = ["MaxPool"]


class MaxPool(Surjection):
    r"""The maximum of every window along the last axes of the event.

    Domain and codomain: the reals; every axis is ``window`` times shorter in the codomain.

    Args:
        window: Lengths of the windows along the last axes, such as (2, 2); their product :math:`K` is at least 2.
        law: From maxima ``[*batch, *event]`` to the law of the distances, positive numbers of shape ``[*event, K - 1]``, with
            ``rsample``, where it is learned; None for exponential distances with one learned rate.
        event_dim: Rank of an event, at least that of the window; more if ``law`` sees channels.
        context_shape: Trailing shape of the context that ``law`` takes, or None.

    Raises:
        ValueError: a window has fewer than two values, or the event has fewer axes; on a call, a length is no multiple of the
            window's.

    References:
        Nielsen, Jaini, Hoogeboom, Winther, Welling (2020). SurVAE flows. https://arxiv.org/abs/2007.02731, appendix E

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections import MaxPool
        >>> pool = MaxPool((2, 2))
        >>> x = torch.arange(16.0).reshape(4, 4)
        >>> pool(x).tolist(), pool.inverse(pool(x)).shape
        ([[5.0, 7.0], [13.0, 15.0]], torch.Size([4, 4]))
    """

    def __init__(
        self,
        window: Sequence[int],
        law: RemainderLaw | None = None,
        *,
        event_dim: int | None = None,
        context_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(law, context_shape)
        self.window = tuple(window)
        self.size = math.prod(self.window)
        self.event_dim = len(self.window) if event_dim is None else event_dim
        if self.size < 2 or min(self.window, default=0) < 1:
            raise ValueError(f"`window` must hold at least two values; got {self.window}.")
        if self.event_dim < len(self.window):
            raise ValueError(f"`event_dim` must be at least {len(self.window)}, as the window; got {event_dim}.")
        if law is None:
            self.raw_rate = nn.Parameter(torch.zeros(()))

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The reals."""
        return constraints.independent(constraints.real, self.event_dim)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The reals."""
        return constraints.independent(constraints.real, self.event_dim)

    def extra_repr(self) -> str:
        """The window."""
        return f"window={self.window}"

    def _forward_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        cut = len(event) - len(self.window)
        for length, step in zip(event[cut:], self.window, strict=True):
            if length % step:
                raise ValueError(f"the last axes must be multiples of the window {self.window}; got an event {event}.")
        return (*event[:cut], *(length // step for length, step in zip(event[cut:], self.window, strict=True)))

    def _inverse_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        cut = len(event) - len(self.window)
        return (*event[:cut], *(length * step for length, step in zip(event[cut:], self.window, strict=True)))

    def _remainder_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        return (*event, self.size - 1)

    def _default_law(self, v: Tensor, batch: torch.Size, event: tuple[int, ...]) -> TorchDistribution:
        rate = self.raw_rate.exp().to(v.dtype).expand(*batch, *event)
        return cast(TorchDistribution, dist.Exponential(rate, validate_args=False).to_event(len(event)))

    def _project(self, u: Tensor) -> Tensor:
        return self._windows(u).amax(-1)

    def _split(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor | float]:
        windows = self._windows(u)
        largest, place = windows.max(-1, keepdim=True)
        others = torch.arange(self.size - 1, device=u.device)
        others = others + (others >= place)  # the places of the others, in their order
        return largest.squeeze(-1), largest - windows.gather(-1, others), self._log_places(largest.squeeze(-1), -1.0)

    def _join(self, v: Tensor, r: Tensor) -> tuple[Tensor, Tensor | float]:
        values = torch.cat([v.unsqueeze(-1).expand(*r.shape[:-1], 1), v.unsqueeze(-1) - r], -1)
        place = torch.randint(self.size, (*values.shape[:-1], 1), device=v.device)
        position = torch.arange(self.size, device=v.device)
        source = torch.where(position == place, 0, position + (position < place))
        return self._image(values.gather(-1, source)), self._log_places(values[..., 0], 1.0)

    def _log_places(self, v: Tensor, sign: float) -> Tensor:
        """The logarithm of the number of arrangements of places, as a part of the log-determinant, ``[*batch]``."""
        cut = v.dim() - self.event_dim
        return v.new_full(v.shape[:cut], sign * math.prod(v.shape[cut:]) * math.log(self.size))

    def _windows(self, u: Tensor) -> Tensor:
        """From ``[..., n_1 w_1, n_2 w_2]`` to ``[..., n_1, n_2, w_1 w_2]``."""
        rank = len(self.window)
        pooled = self._forward_event(tuple(u.shape[u.dim() - self.event_dim :]))[-rank:]
        lead = u.shape[: u.dim() - rank]
        split = u.reshape(*lead, *(size for pair in zip(pooled, self.window, strict=True) for size in pair))
        first = len(lead)
        order = [*range(first), *range(first, first + 2 * rank, 2), *range(first + 1, first + 2 * rank, 2)]
        return split.permute(order).reshape(*lead, *pooled, self.size)

    def _image(self, windows: Tensor) -> Tensor:
        """From ``[..., n_1, n_2, w_1 w_2]`` to ``[..., n_1 w_1, n_2 w_2]``."""
        rank = len(self.window)
        lead, pooled = windows.shape[: -rank - 1], windows.shape[-rank - 1 : -1]
        split = windows.reshape(*lead, *pooled, *self.window)
        first = len(lead)
        order = [*range(first), *(first + offset + axis for axis in range(rank) for offset in (0, rank))]
        full = tuple(size * step for size, step in zip(pooled, self.window, strict=True))
        return split.permute(order).reshape(*lead, *full)

r"""The right-hand side of a continuous flow: the velocity alone, or with the divergence as a second slope."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from probgen.distributions.numerics.divergence import (
    coordinate_probes,
    exact_divergence,
    hutchinson_divergence,
    jacobian_products,
)
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Dynamics"]


class Dynamics(NamedTuple):
    """A vector field with everything bound but time and place.

    Attributes:
        vector_field: ``vector_field(t, x)`` or ``vector_field(t, x, context)``.
        context: Shape ``[N, *context_shape]``, or None.
        event_dim: Rank of an event.
        probes: Shape ``[k, N, *event]`` for Hutchinson's estimate; None for the exact divergence.
        chunk_size: How many coordinates of an exact divergence are differentiated at once.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._dynamics import Dynamics
        >>> dynamics = Dynamics(lambda t, x: t * x, event_dim=1)
        >>> x = torch.ones(1, 3)
        >>> dynamics.with_divergence(torch.tensor(2.0), (x, torch.zeros(1, 1)))
        (tensor([[2., 2., 2.]]), tensor([[6.]]))
    """

    vector_field: Callable[..., Tensor]
    context: Tensor | None = None
    event_dim: int = 0
    probes: Tensor | None = None
    chunk_size: int | None = None

    def velocity(self, time: Tensor, x: Tensor) -> Tensor:
        """The velocity ``[N, *event]`` at ``x``, in the dtype of ``x`` also under autocast."""
        value = self.vector_field(time, x) if self.context is None else self.vector_field(time, x, self.context)
        return self._checked(value, x)

    def _checked(self, value: Tensor, x: Tensor) -> Tensor:
        if value.shape != x.shape:
            raise ValueError(f"`vector_field` must keep the shape {tuple(x.shape)}; it gave {tuple(value.shape)}.")
        return value.to(x.dtype)

    def velocities(self, time: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor]:
        """The slope of the state ``(x,)``."""
        return (self.velocity(time, state[0]),)

    def with_divergence(self, time: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The slope of the state ``(x, log_dets)``, where the log-determinants have shape ``[N, k]``."""
        x = state[0]
        if self.probes is not None:
            value, estimates = hutchinson_divergence(lambda point: self.velocity(time, point), x, self.probes, self.event_dim)
            return value, estimates.mT
        both = getattr(self.vector_field, "velocity_and_divergence", None)
        if both is not None:
            value, found = both(time, x) if self.context is None else both(time, x, self.context)
            return self._checked(value, x), found.to(x.dtype).unsqueeze(-1)
        closed_form = getattr(self.vector_field, "divergence", None)
        if closed_form is not None:
            found = closed_form(time, x) if self.context is None else closed_form(time, x, self.context)
            return self.velocity(time, x), found.to(x.dtype).unsqueeze(-1)
        value, found = exact_divergence(lambda point: self.velocity(time, point), x, self.event_dim, chunk_size=self.chunk_size)
        return value, found.unsqueeze(-1)

    def with_energies(self, time: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The slope of ``(x, log_dets, kinetic, jacobian)``; the last two have shape ``[N]`` and never decrease in time."""
        x, rank = state[0], self.event_dim
        weights = coordinate_probes(x, rank) if self.probes is None else self.probes
        value, products = jacobian_products(lambda point: self.velocity(time, point), x, weights, chunk_size=self.chunk_size)
        terms, squares = sum_rightmost(products * weights, rank), sum_rightmost(products.square(), rank)
        kinetic = sum_rightmost(value.square(), rank)
        if self.probes is None:
            return value, terms.sum(0).unsqueeze(-1), kinetic, squares.sum(0)
        return value, terms.mT, kinetic, squares.mean(0)

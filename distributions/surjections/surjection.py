r"""Surjections: functions that forget, with a law of what they forgot.

A surjection :math:`g: \mathcal U \to \mathcal V` maps many points to one. A point is written as its image and a *remainder*,
:math:`u \leftrightarrow (v, r)` with :math:`v = g(u)`, and a law :math:`\kappa(r \mid v)` of the remainder makes a law of the
points of a preimage,

.. math::

    \kappa(u \mid v) = \kappa(r \mid v) \left|\det \frac{\partial u}{\partial (v, r)}\right|^{-1},
    \qquad u \in g^{-1}(v).

The same pair is used in two ways:

* :math:`z = u`, :math:`x = g(u)`, a *generative* surjection, where :math:`\kappa` is the guide:
  :math:`\mathcal V = -\log \kappa(u \mid v)`, a lower bound;
* :math:`x = u`, :math:`z = g(u)`, an *inference* surjection (``.inv``), where :math:`\kappa` belongs to the model:
  :math:`\mathcal V = +\log \kappa(u \mid v)`, exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution as TorchDistribution

from probgen.distributions._wrapping import unvalidated
from probgen.distributions.events import drawn, placed, scored
from probgen.distributions.surjections.stochastic_map import StochasticMap

__all__ = ["RemainderLaw", "Surjection", "draw_and_score", "require_event_dim"]

RemainderLaw = Callable[..., TorchDistribution]
"""From images ``[*batch, *event]`` (and a context ``[*batch, *context_shape]``, where one is declared) to the law of the
remainder, of the same batch."""


class Surjection(StochasticMap):
    r"""A function :math:`v = g(u)` with a law :math:`\kappa(u \mid v)` of what it forgets (abstract).

    A subclass writes ``_project``, ``_split`` and ``_join``, the shape of a remainder, and the law where none is given.

    Args:
        law: From images to the law of the remainder; None for the one that the subclass documents.
        context_shape: Trailing shape of the context that the law takes as its second argument, or None.

    Raises:
        ValueError: ``context_shape`` is given without a law.

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections import Surjection, Slice
        >>> f = Slice(kept=2, removed=1)
        >>> isinstance(f, Surjection), f(torch.tensor([1.0, 2.0, 3.0])), f.inverse(torch.tensor([1.0, 2.0])).shape
        (True, tensor([1., 2.]), torch.Size([3]))
    """

    draws_inverse = True

    def __init__(self, law: RemainderLaw | None = None, context_shape: tuple[int, ...] | None = None) -> None:
        super().__init__()
        if law is None and context_shape is not None:
            raise ValueError("`context_shape` is given, but there is no law that takes the context.")
        self.law = law
        self.context_shape = None if context_shape is None else tuple(context_shape)

    # ------------------------------------------------------------------------------------------------ what an author writes

    def _project(self, u: Tensor) -> Tensor:
        """Return ``v = g(u)``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_project`.")

    def _split(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor | float]:
        """Return image, remainder, and the log-determinant of ``(v, r)`` in ``u``, ``[*batch]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_split`.")

    def _join(self, v: Tensor, r: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return the point, and the log-determinant of ``u`` in ``(v, r)``, ``[*batch]``; ``r`` may have more batch axes."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_join`.")

    def _remainder_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        """Event shape of a remainder, from that of an image."""
        return event

    def _default_law(self, v: Tensor, batch: torch.Size, event: tuple[int, ...]) -> TorchDistribution:
        """The law of the remainder if none was given."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_default_law`.")

    # ---------------------------------------------------------------------------------------------------------------- the law

    def remainder_law(self, v: Tensor, context: Tensor | None = None) -> TorchDistribution:
        """The law of the remainder given images.

        Args:
            v: Images ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the law takes one.

        Raises:
            ValueError: the law has another event shape than the remainder.
        """
        cut = v.dim() - self.codomain.event_dim
        event = self._remainder_event(tuple(v.shape[cut:]))
        if self.law is None:
            return self._default_law(v, v.shape[:cut], event)
        law = self.law(v) if context is None else self.law(v, context)
        if tuple(law.event_shape) != event:
            raise ValueError(
                f"`law` of {type(self).__name__} must have events of shape {event}; "
                f"got {tuple(law.event_shape)} with batch shape {tuple(law.batch_shape)}."
            )
        return placed(law, v)  # type: ignore[arg-type]

    # ------------------------------------------------------------------------------------------------------ both directions

    def _forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return self._project(z)

    def _forward_and_contribution(
        self, z: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        v, r, log_det = self._split(z)
        law: Any = unvalidated(self.remainder_law(v, context))
        return v, -(scored(law, r) + log_det)

    def _inverse(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        law: Any = self.remainder_law(x, context)
        return self._join(x, law.rsample() if law.has_rsample else drawn(law))[0]

    def _inverse_and_contribution(
        self, x: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        r, log_law = draw_and_score(self.remainder_law(x, context), sample_shape)
        u, log_det = self._join(x, r)
        return u, log_det - log_law


def require_event_dim(event_dim: int) -> int:
    """Check the rank of an event.

    Args:
        event_dim: The rank.

    Raises:
        ValueError: it is negative.

    Example:
        >>> from probgen.distributions.surjections.surjection import require_event_dim
        >>> require_event_dim(2)
        2
    """
    if event_dim < 0:
        raise ValueError(f"`event_dim` must not be negative; got {event_dim}.")
    return event_dim


def draw_and_score(law: Any, sample_shape: Sequence[int] = ()) -> tuple[Tensor, Tensor]:
    """Draw from a law, differentiably where gradients are asked for, and score the draws.

    Args:
        law: Any distribution with a density.
        sample_shape: Shape of the draws.

    Returns:
        Shapes ``[*sample_shape, *batch, *event]`` and ``[*sample_shape, *batch]``.

    Raises:
        ValueError: the law has learned parameters and cannot be reparameterized: the gradient of a bound would be wrong.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.surjections.surjection import draw_and_score
        >>> draw_and_score(dist.Bernoulli(0.5), torch.Size((3,)))[1].exp()
        tensor([0.5000, 0.5000, 0.5000])
    """
    sample_shape = torch.Size(sample_shape)
    if law.has_rsample and hasattr(law, "rsample_and_log_prob"):
        return law.rsample_and_log_prob(sample_shape)  # type: ignore[no-any-return]
    if law.has_rsample:
        r = law.rsample(sample_shape)
        return r, scored(unvalidated(law), r)  # type: ignore[arg-type]
    r = drawn(law, sample_shape)
    log_law = scored(unvalidated(law), r)  # type: ignore[arg-type]
    if log_law.requires_grad:
        raise ValueError(
            f"`law` must have a differentiable `rsample` where it has parameters to learn; {type(law).__name__} draws without "
            "gradients, so that of the bound would be wrong. Evaluate under `torch.no_grad()`, or give it fixed parameters."
        )
    return r, log_law

r"""Maps between a base and the data one or both directions of which are random, with their contribution to the likelihood.

Let :math:`z` have the density :math:`p(z)`, and let :math:`x` be made from :math:`z`, by a function or by a law
:math:`p(x \mid z)`. To score :math:`x` one needs a :math:`z` for it, from a function or from a *guide*, a law
:math:`q(z \mid x)` of the :math:`z` that may have made :math:`x`. A draw of it has the weight

.. math::

    \log w = \log p(z) + \mathcal V(x, z), \qquad
    \mathcal V(x, z) = \log \frac{p(x \mid z)}{q(z \mid x)}, \qquad \mathbb E_{q(z \mid x)}[w] = p(x),

and :math:`\mathcal V` is the *contribution* of the map. There are four cases:

* *bijector*: two functions; :math:`\mathcal V = \log|\det \partial z / \partial x|`, and :math:`\log w` is the log-density;
* *inference surjection*: :math:`z` is a function of :math:`x`, and :math:`x` is drawn;
  :math:`\mathcal V = \log p(x \mid z)`, and :math:`\log w` is the log-density;
* *generative surjection*: :math:`x` is a function of :math:`z`, and :math:`z` is guessed;
  :math:`\mathcal V = -\log q(z \mid x)`, a lower bound;
* *stochastic layer*: both are drawn; :math:`\mathcal V = \log p(x \mid z) - \log q(z \mid x)`, a lower bound.

Contributions of maps one after another add up. Exchanging the two directions exchanges function and law and turns the sign:
:math:`\mathcal V_{f^{-1}}(z, x) = -\mathcal V_f(x, z)`, so ``.inv`` of a generative surjection is an inference surjection. The
derivation stands in ``docs/derivations/flow-surjections.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.distributions import Transform
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_context, require_event_shape, value_checks_active
from probgen.distributions.bijectors.base import LogDetKind

if TYPE_CHECKING:
    from probgen.distributions.surjections.composed_map import ComposedMap

__all__ = ["StochasticMap"]


class StochasticMap(nn.Module):
    r"""A map from :math:`z` to :math:`x`, random in one direction, in both or in none (abstract).

    It obeys: where the direction back is a function, :math:`z(x(z)) = z`; where the direction forth is one,
    :math:`x(z(x)) = x`; and for any density of :math:`z` the weights of draws average to a density (or mass) of :math:`x`.

    A subclass sets ``domain`` and ``codomain`` and writes ``_forward_and_contribution`` and ``_inverse_and_contribution``.

    Attributes:
        domain: Where :math:`z` may lie.
        codomain: Where :math:`x` lies; it may be discrete.
        context_shape: Trailing shape of the context, or None if the map takes none.
        draws_forward: True if :math:`x` is drawn given :math:`z`.
        draws_inverse: True if :math:`z` is drawn given :math:`x`; then there is only a bound.
        has_rsample: True if :math:`x` is a differentiable function of :math:`z`, of the parameters and of noise without any.
        inverse_has_rsample: The same of :math:`z` given :math:`x`.
        contribution_kind: "exact", or "unbiased" or "biased" if a log-determinant in it is such an estimate.

    References:
        Nielsen, Jaini, Hoogeboom, Winther, Welling (2020). SurVAE flows: surjections to bridge the gap between VAEs and flows.
        https://arxiv.org/abs/2007.02731

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections import AbsoluteValue
        >>> f = AbsoluteValue()
        >>> f.draws_inverse, f(torch.tensor(-2.0)), f.inverse_and_contribution(torch.tensor(2.0))[1].exp()
        (True, tensor(2.), tensor(2.))
        >>> f.inv.draws_inverse, f.inv.inverse_and_contribution(torch.tensor(-2.0))
        (False, (tensor(2.), tensor(-0.6931)))
    """

    domain: Constraint
    codomain: Constraint
    context_shape: tuple[int, ...] | None = None
    draws_forward: bool = False
    draws_inverse: bool = False
    has_rsample: bool = True
    inverse_has_rsample: bool = True
    contribution_kind: LogDetKind = "exact"

    # ------------------------------------------------------------------------------------------------ what an author writes

    def _forward_and_contribution(
        self, z: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        """Map ``z`` ``[*batch, *event]`` to ``x`` and the contribution; a map that draws here draws ``sample_shape`` times."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_forward_and_contribution`.")

    def _inverse_and_contribution(
        self, x: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        """Map ``x`` ``[*batch, *event]`` to ``z`` and the contribution; a map that draws here draws ``sample_shape`` times."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_inverse_and_contribution`.")

    def _forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return self._forward_and_contribution(z, context)[0]

    def _inverse(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self._inverse_and_contribution(x, context)[0]

    def _forward_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        """Event shape of ``x`` from that of ``z``."""
        return event

    def _inverse_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        """Event shape of ``z`` from that of ``x``."""
        return event

    @property
    def inverse_support(self) -> Constraint:
        """Where ``z`` lies if it comes from ``inverse``: the domain, or a part of it."""
        return self.domain

    # ------------------------------------------------------------------------------------------------------ what users call

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Return :math:`x`, or a draw of it: ``[*batch, *event]``."""
        self._check("z", z, self.domain, context)
        return self._forward(z, context)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return :math:`z`, or a draw of it: ``[*batch, *event]``."""
        self._check("x", x, self.codomain, context)
        return self._inverse(x, context)

    def forward_and_contribution(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        r"""Return :math:`x`, or a draw of it, and :math:`\mathcal V(x, z)`, shape ``[*batch]``, in nats.

        If :math:`z` is a draw of the base, :math:`\log p(z) + \mathcal V(x, z)` is the log-density of :math:`x` where that is
        exact, and else a draw from an *upper* bound of it, since :math:`z` is then a draw of the true law given :math:`x`.
        """
        self._check("z", z, self.domain, context)
        return self._forward_and_contribution(z, context)

    def inverse_and_contribution(
        self, x: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        r"""Return :math:`z`, or draws of it, and :math:`\mathcal V(x, z)` in nats.

        Args:
            x: Points ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the map takes one.
            sample_shape: How many draws, where the map draws; elsewhere there is one answer, and this is left alone.

        Returns:
            Shapes ``[*sample_shape, *batch, *event]`` and ``[*sample_shape, *batch]``.
        """
        self._check("x", x, self.codomain, context)
        return self._inverse_and_contribution(x, context, tuple(sample_shape))

    @property
    def inv(self) -> StochasticMap:
        """The map from the data to the base, sharing parameters; ``f.inv.inv is f``."""
        from probgen.distributions.surjections.reversed_map import ReversedMap

        return ReversedMap(self)

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of ``x`` for ``z`` of the given shape."""
        batch, event = _cut(shape, self.domain.event_dim)
        return torch.Size((*batch, *self._forward_event(event)))

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of ``z`` for ``x`` of the given shape."""
        batch, event = _cut(shape, self.codomain.event_dim)
        return torch.Size((*batch, *self._inverse_event(event)))

    def __rshift__(self, other: StochasticMap | Transform) -> ComposedMap:
        """``(f >> g)``: first f, then g, in the direction from the base to the data."""
        from probgen.distributions.surjections.composed_map import ComposedMap

        return ComposedMap(self, other)

    def __rrshift__(self, other: Transform) -> ComposedMap:
        """A bijector, then this map."""
        from probgen.distributions.surjections.composed_map import ComposedMap

        return ComposedMap(other, self)

    # ------------------------------------------------------------------------------------------------------------------ checks

    def _check(self, name: str, value: Tensor, constraint: Constraint, context: Tensor | None) -> None:
        owner = type(self).__name__
        require_event_shape(name, value, constraint.event_dim)
        require_context(owner, context, self.context_shape, value.shape[: value.dim() - constraint.event_dim])
        if value_checks_active(value) and value.numel():
            valid: Any = constraint.check(value.detach())
            if not bool(valid.all()):
                raise ValueError(f"`{name}` of {owner} must satisfy {constraint}; {int((~valid).sum())} event(s) do not.")


def _cut(shape: Sequence[int], event_dim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Batch and event of a shape."""
    cut = len(shape) - event_dim
    if cut < 0:
        raise ValueError(f"`shape` needs at least {event_dim} event dimension(s); got {tuple(shape)}.")
    return tuple(shape[:cut]), tuple(shape[cut:])

r"""An elementwise map whose parameters come from the context alone: :math:`y_i = f(x_i; g(c)_i)`.

The Jacobian is diagonal; :math:`\log|\det J| = \sum_i \log|\partial f(x_i; \theta_i) / \partial x_i|`. With an affine map and a
normal base this is the conditional normal distribution with a network for mean and scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors._conditioning import flat_context, in_precision_of, prepared_element, require_width
from probgen.distributions.bijectors._element_owner import ElementOwner
from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["ConditionalElementwise"]


class ConditionalElementwise(ElementOwner):
    r"""Any elementwise bijector with all its free parameters computed from the context, :math:`y_i = f(x_i; g(c)_i)`.

    Args:
        element: The elementwise map :math:`f`; its free parameters are what the conditioner emits.
        conditioner: Any network that maps ``[*batch, context.numel()]`` to ``[*batch, event.numel() * element.num_free]``.
        context_shape: Trailing shape of the context.
        event_shape: Shape of one event; () for a scalar.

    Raises:
        TypeError: ``element`` is not an elementwise bijector.
        ValueError: the element emits nothing, or the conditioner's output has another width.

    References:
        Papamakarios, Nalisnick, Rezende, Mohamed, Lakshminarayanan (2021). Normalizing flows for probabilistic modeling and
        inference. https://arxiv.org/abs/1912.02762

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine, ConditionalElementwise
        >>> f = ConditionalElementwise(Affine(), torch.nn.Linear(1, 4), context_shape=(1,), event_shape=(2,))
        >>> f(torch.zeros(5, 2), torch.ones(5, 1)).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        element: Elementwise,
        conditioner: nn.Module,
        context_shape: Sequence[int],
        event_shape: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.element = prepared_element("ConditionalElementwise", element)
        self.conditioner = conditioner
        self.context_shape = tuple(context_shape)
        self.event_shape = tuple(event_shape)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Events of the element's domain."""
        return _events_of(self.element.domain, len(self.event_shape))

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """Events of the element's codomain."""
        return _events_of(self.element.codomain, len(self.event_shape))

    @property
    def domain_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The event shape."""
        return self.event_shape

    @property
    def constant_log_det(self) -> bool:  # type: ignore[override]
        """As that of the element: the parameters do not depend on ``x``."""
        return self.element.constant_log_det

    @property
    def sign(self) -> int:
        """As that of the element."""
        return self.element.sign

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, log_det = self.element.element_forward(x, self._raw(context))
        return y, sum_rightmost(log_det.expand(y.shape), len(self.event_shape))

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x, log_det = self.element.element_inverse(y, self._raw(context))
        return x, sum_rightmost(log_det.expand(x.shape), len(self.event_shape))

    def _raw(self, context: Tensor | None) -> Tensor:
        """The conditioner's output ``[*batch, *event, num_free]``."""
        if context is None or self.context_shape is None:
            raise TypeError("ConditionalElementwise needs a context.")  # checked with shapes by the public methods
        shape = (*self.event_shape, self.element.num_free)
        raw: Tensor = self.conditioner(in_precision_of(self.conditioner, flat_context(context, self.context_shape)))
        return require_width("ConditionalElementwise", raw, math.prod(shape)).unflatten(-1, shape)  # type: ignore[no-any-return]


def _events_of(constraint: Constraint, rank: int) -> Constraint:
    return constraints.independent(constraint, rank) if rank else constraint

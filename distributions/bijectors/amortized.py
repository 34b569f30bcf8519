r"""Maps of vectors whose parameters are learned numbers, or learned numbers plus what a network makes of a context.

.. math:: y = f(x; \theta(c)), \qquad \theta(c) = \theta_0 + g(c)

In a variational posterior the context is what an encoder says of a datum, and every datum gets a map of its own: the
parameters are *amortized*. The map has few parameters (a direction, a center), so the network emits all of them; where the
parameters depend on :math:`x` itself, see ``Coupling`` and ``MaskedAutoregressive``.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.distributions import constraints

from probgen.distributions.bijectors._conditioning import flat_context, in_precision_of, require_width
from probgen.distributions.bijectors.base import Bijector

__all__ = ["Amortized"]


class Amortized(Bijector):
    r"""A map of vectors with unconstrained parameters :math:`\theta_0 + g(c)` (abstract).

    A subclass gives the start of its parameters and reads them with ``_raw`` in its two hooks.

    Args:
        features: Length of the vectors, at least 1.
        start: Where the learned :math:`\theta_0` starts, ``[num_raw]``.
        conditioner: The network :math:`g`, from ``[*batch, context.numel()]`` to ``[*batch, num_raw]``; None for a map that
            takes no context.
        context_shape: Trailing shape of the context, given if and only if there is a conditioner.

    Raises:
        ValueError: one of ``conditioner`` and ``context_shape`` is given without the other; on a call, the conditioner's output
            has another width.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Amortized, Planar
        >>> f = Planar(2, conditioner=torch.nn.Linear(3, 5), context_shape=(3,))
        >>> isinstance(f, Amortized), f.num_raw, f.condition(torch.zeros(7, 3))(torch.zeros(2)).shape
        (True, 5, torch.Size([7, 2]))
    """

    domain = constraints.real_vector
    codomain = constraints.real_vector

    def __init__(
        self, features: int, start: Tensor, conditioner: nn.Module | None, context_shape: Sequence[int] | None
    ) -> None:
        super().__init__()
        if (conditioner is None) != (context_shape is None):
            raise ValueError("`conditioner` and `context_shape` must be given together or not at all.")
        self.features = features
        self.domain_shape = (features,)
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.conditioner = conditioner
        self.raw_parameters = nn.Parameter(start)

    @property
    def num_raw(self) -> int:
        """How many unconstrained numbers the map has: the width of the conditioner's output."""
        return self.raw_parameters.numel()

    def extra_repr(self) -> str:
        """Number of features."""
        return f"features={self.features}"

    def _raw(self, like: Tensor, context: Tensor | None) -> Tensor:
        """The unconstrained parameters ``[*context_batch, num_raw]`` in the dtype of ``like``, or wider."""
        if self.conditioner is None or context is None or self.context_shape is None:
            return self.raw_parameters.to(like.dtype)
        emitted: Tensor = self.conditioner(in_precision_of(self.conditioner, flat_context(context, self.context_shape)))
        return self.raw_parameters.to(like.dtype) + require_width(type(self).__name__, emitted, self.num_raw).to(like.dtype)


def require_features(features: int) -> int:
    """Check the length of the vectors.

    Raises:
        ValueError: it is less than 1.
    """
    if features < 1:
        raise ValueError(f"`features` must be at least 1; got {features}.")
    return features

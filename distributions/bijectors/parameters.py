r"""What an elementwise bijector declares about its parameters.

A map :math:`y = f(x; \theta)` says of each parameter :math:`\theta_k` its name, its trailing shape (one scalar, ``bins``
widths, ...), the constraint that it satisfies and the value at which the map is closest to the identity. From that a
*conditioner* knows how many unconstrained numbers to emit: :math:`\theta_k = c_k(a_k)`, where :math:`c_k` is smooth, bounded
where the parameter multiplies (so no network can make the map numerically singular), and :math:`c_k(0)` is the identity value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.numerics.stable import soft_clip

__all__ = ["Parameter", "positive_parameter", "real_parameter"]

LOGIT_BOUND = math.log(1e3)
"""Bound on the logits of weights that sum to one."""


@dataclass(frozen=True)
class Parameter:
    """The declaration of one parameter of an elementwise bijector.

    Attributes:
        name: Attribute name on the bijector.
        constraint: What every value satisfies.
        constrain: The map from unconstrained numbers ``[*batch, *shape]`` to values of the same shape; zero goes to the
            identity value.
        shape: Trailing shape of the value for one coordinate of ``x``.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import positive_parameter
        >>> scale = positive_parameter("scale")
        >>> scale.identity, scale.constrain(torch.tensor(1e9)) < 1001
        (tensor(1.), tensor(True))
    """

    name: str
    constraint: Constraint
    constrain: Callable[[Tensor], Tensor]
    shape: tuple[int, ...] = ()

    @property
    def numel(self) -> int:
        """How many unconstrained numbers make one value."""
        return math.prod(self.shape)

    @property
    def identity(self) -> Tensor:
        """The value at which the map is closest to the identity."""
        return self.constrain(torch.zeros(self.shape))


def real_parameter(name: str, shape: tuple[int, ...] = ()) -> Parameter:
    """Declare an unconstrained parameter whose identity value is zero.

    Args:
        name: Attribute name on the bijector.
        shape: Trailing shape of the value for one coordinate.

    Example:
        >>> from probgen.distributions.bijectors import real_parameter
        >>> real_parameter("loc").identity
        tensor(0.)
    """
    return Parameter(name, constraints.real, _same, shape)


def positive_parameter(name: str, shape: tuple[int, ...] = (), *, identity: float = 1.0, factor: float = 1e3) -> Parameter:
    r"""Declare a positive parameter, within a factor of its identity value.

    The value is :math:`v e^{b \tanh(a / b)}` with :math:`b = \log \mathrm{factor}`.

    Args:
        name: Attribute name on the bijector.
        shape: Trailing shape of the value for one coordinate.
        identity: The identity value :math:`v`.
        factor: How far the value may go from it, up and down.

    Example:
        >>> from probgen.distributions.bijectors import positive_parameter
        >>> positive_parameter("slope", identity=2.0).identity
        tensor(2.)
    """
    bound = math.log(factor)
    if identity == 1.0:
        return Parameter(name, constraints.positive, lambda raw: torch.exp(soft_clip(raw, bound)), shape)
    return Parameter(name, constraints.positive, lambda raw: identity * torch.exp(soft_clip(raw, bound)), shape)


def bounded_softmax(raw: Tensor) -> Tensor:
    """Weights that sum to one, within a factor of about a thousand of equal ones.

    Args:
        raw: Unconstrained numbers, ``[..., units]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.parameters import bounded_softmax
        >>> bounded_softmax(torch.zeros(4))
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    return soft_clip(raw, LOGIT_BOUND).softmax(-1)


def spread(raw: Tensor) -> Tensor:
    """Distinct starting places over [-1, 1]: equal sigmoids would receive equal gradients and never part.

    Args:
        raw: Unconstrained numbers, ``[..., units]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.parameters import spread
        >>> spread(torch.zeros(3))
        tensor([-1.,  0.,  1.])
    """
    count = raw.shape[-1]
    edge = 1.0 if count > 1 else 0.0
    return raw + torch.linspace(-edge, edge, count, dtype=raw.dtype, device=raw.device)


def _same(raw: Tensor) -> Tensor:
    return raw

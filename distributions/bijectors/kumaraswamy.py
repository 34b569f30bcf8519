r"""The Kumaraswamy cdf: a flexible map of the unit interval with closed form both ways.

:math:`y = 1 - (1 - x^a)^b` is computed through logarithms, :math:`\log(1 - e^{-u})` written so that nothing cancels:
:math:`\log(1 - x^a) = \ell(-a \log x)` and :math:`y = 1 - e^{b \log(1 - x^a)}`, with :math:`\ell(u) = \log(1 - e^{-u})`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.parameters import Parameter, positive_parameter
from probgen.distributions.numerics.clamping import clamp_open
from probgen.distributions.numerics.stable import log1mexp

__all__ = ["KumaraswamyCDF"]


class KumaraswamyCDF(Elementwise):
    r""":math:`y = 1 - (1 - x^a)^b` on the unit interval; FLDJ :math:`= \log(a b) + (a - 1) \log x + (b - 1) \log(1 - x^a)`.

    The identity for :math:`a = b = 1`. Ends of the interval are taken as the nearest numbers inside.

    Args:
        a: Positive, any shape; None to learn it (then between 1/3 and 3).
        b: Positive, any shape; None to learn it (then between 1/3 and 3).
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``a`` or ``b`` is not positive.

    References:
        Kumaraswamy (1980). A generalized probability density function for double-bounded random processes.
        https://doi.org/10.1016/0022-1694(80)90036-0

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import KumaraswamyCDF
        >>> KumaraswamyCDF(a=2.0, b=1.0)(torch.tensor(0.5))
        tensor(0.2500)
    """

    domain = constraints.unit_interval
    codomain = constraints.unit_interval

    def __init__(self, a: Tensor | float | None = None, b: Tensor | float | None = None, *, shape: Sequence[int] = ()) -> None:
        super().__init__(shape, a=a, b=b)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``a`` and ``b`` (positive)."""
        return (positive_parameter("a", factor=3.0), positive_parameter("b", factor=3.0))

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        a, b = values
        log_x = clamp_open(x, 0.0, 1.0).log()
        log_rest = log1mexp(-a * log_x)
        y = clamp_open(-torch.expm1(b * log_rest), 0.0, 1.0)
        return y, a.log() + b.log() + (a - 1) * log_x + (b - 1) * log_rest

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        a, b = values
        log_rest = torch.log1p(-clamp_open(y, 0.0, 1.0)) / b
        log_x = log1mexp(-log_rest) / a
        x = clamp_open(log_x.exp(), 0.0, 1.0)
        return x, -(a.log() + b.log() + (a - 1) * log_x + (b - 1) * log_rest)

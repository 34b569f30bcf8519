r"""Power maps: of the positive half-line, and their smooth odd relative on the whole line.

:math:`\mathrm{sign}(x) |x|^p` is no diffeomorphism of the line: at zero its slope is 0 or infinite. So ``Power`` lives on the
positive half-line, and ``SignedPower`` uses :math:`(1 + |x|)^p`, which has slope one at zero and the same tails.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.parameters import Parameter, positive_parameter
from probgen.distributions.numerics.clamping import clamp_open

__all__ = ["Power", "SignedPower"]


class Power(Elementwise):
    r""":math:`y = x^p` on the positive half-line, :math:`p > 0`; FLDJ :math:`= \log p + (p - 1) \log x`.

    Args:
        exponent: The exponent :math:`p`, positive, any shape; None to learn it (then between 1/3 and 3).
        shape: Batch shape of the learned parameter.

    Raises:
        ValueError: ``exponent`` is not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Power
        >>> Power(2.0).forward_and_log_det(torch.tensor(3.0))
        (tensor(9.0000), tensor(1.7918))
    """

    domain = constraints.positive
    codomain = constraints.positive

    def __init__(self, exponent: Tensor | float | None = None, *, shape: Sequence[int] = ()) -> None:
        super().__init__(shape, exponent=exponent)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``exponent`` (positive)."""
        return (positive_parameter("exponent", factor=3.0),)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        exponent = values[0]
        return clamp_open(x**exponent, 0.0, None), exponent.log() + (exponent - 1) * x.log()

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        exponent = values[0]
        log_x = y.log() / exponent
        return clamp_open(y ** exponent.reciprocal(), 0.0, None), (1 - exponent) * log_x - exponent.log()


class SignedPower(Elementwise):
    r""":math:`y = \mathrm{sign}(x)\, ((1 + |x|)^p - 1) / p` with :math:`p > 0`; FLDJ :math:`= (p - 1) \log(1 + |x|)`.

    The Yeo-Johnson transformation with the same exponent on both sides: slope one at zero, tails of order
    :math:`|x|^p`. Domain and codomain: the real line.

    Args:
        exponent: The exponent :math:`p`, positive, any shape; None to learn it (then between 1/3 and 3).
        shape: Batch shape of the learned parameter.

    Raises:
        ValueError: ``exponent`` is not positive.

    References:
        Yeo, Johnson (2000). A new family of power transformations to improve normality or symmetry.
        https://doi.org/10.1093/biomet/87.4.954

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import SignedPower
        >>> SignedPower(2.0).forward_and_log_det(torch.tensor([-1.0, 0.0]))
        (tensor([-1.5000,  0.0000]), tensor([0.6931, 0.0000]))
    """

    def __init__(self, exponent: Tensor | float | None = None, *, shape: Sequence[int] = ()) -> None:
        super().__init__(shape, exponent=exponent)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``exponent`` (positive)."""
        return (positive_parameter("exponent", factor=3.0),)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        exponent = values[0]
        logarithm = torch.log1p(torch.where(x < 0, -x, x))
        magnitude = torch.expm1(exponent * logarithm) / exponent
        return torch.where(x < 0, -magnitude, magnitude), (exponent - 1) * logarithm

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        exponent = values[0]
        logarithm = torch.log1p(exponent * torch.where(y < 0, -y, y)) / exponent
        magnitude = torch.expm1(logarithm)
        return torch.where(y < 0, -magnitude, magnitude), (1 - exponent) * logarithm

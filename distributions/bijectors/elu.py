r"""The exponential linear unit, from the real line onto the numbers above -1."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.numerics.clamping import clamp_open

__all__ = ["ELU"]


class ELU(Elementwise):
    r""":math:`y = x` for :math:`x \ge 0`, :math:`y = e^x - 1` for :math:`x < 0`; FLDJ :math:`= \min(x, 0)`.

    Continuously differentiable. Codomain: the numbers above -1. Below :math:`x \approx -17` (float64: -37), :math:`y` is the
    nearest number above -1, so the round trip ends there; the log-determinant stays exact.

    References:
        Clevert, Unterthiner, Hochreiter (2016). Fast and accurate deep network learning by exponential linear units.
        https://arxiv.org/abs/1511.07289

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import ELU
        >>> ELU().forward_and_log_det(torch.tensor([-100.0, 3.0]))
        (tensor([-1.0000,  3.0000]), tensor([-100.,    0.]))
    """

    codomain = constraints.greater_than(-1.0)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        left = torch.where(x < 0, x, torch.zeros_like(x))
        y = torch.where(x < 0, torch.expm1(left), x)
        return clamp_open(y, -1.0, None), left

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        left = torch.log1p(torch.where(y < 0, y, torch.zeros_like(y)))
        return torch.where(y < 0, left, y), -left

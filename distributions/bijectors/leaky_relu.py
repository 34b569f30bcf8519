r"""The leaky rectifier: a line of another slope on the negative half-line."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.parameters import Parameter, positive_parameter

__all__ = ["LeakyReLU"]


class LeakyReLU(Elementwise):
    r""":math:`y = x` for :math:`x \ge 0` and :math:`y = \mathrm{slope}\, x` for :math:`x < 0`.

    FLDJ is zero on the right and :math:`\log \mathrm{slope}` on the left. Continuous, with a kink at zero.
    Domain and codomain: the real line.

    Args:
        slope: Positive slope of the left half, any shape; None to learn it (then within a factor 100 of one).
        shape: Batch shape of the learned parameter.

    Raises:
        ValueError: ``slope`` is not positive.

    References:
        Maas, Hannun, Ng (2013). Rectifier nonlinearities improve neural network acoustic models.
        https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import LeakyReLU
        >>> LeakyReLU(0.5).forward_and_log_det(torch.tensor([-2.0, 3.0]))
        (tensor([-1.,  3.]), tensor([-0.6931,  0.0000]))
    """

    def __init__(self, slope: Tensor | float | None = 0.01, *, shape: Sequence[int] = ()) -> None:
        super().__init__(shape, slope=slope)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``slope`` (positive)."""
        return (positive_parameter("slope", factor=100.0),)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        slope = values[0]
        log_slope = slope.log()
        return torch.where(x < 0, slope * x, x), torch.where(x < 0, log_slope, torch.zeros_like(log_slope))

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        slope = values[0]
        log_slope = slope.log()
        return torch.where(y < 0, y / slope, y), torch.where(y < 0, -log_slope, torch.zeros_like(log_slope))

r"""Kernels on vectors, for the maximum mean discrepancy: values whose fields are plain numbers.

.. math:: k_\text{Gauss} = \sum_\sigma e^{-r^2/(2\sigma^2)}, \qquad
    k_\text{rational} = \sum_\alpha \Bigl(1 + \frac{r^2}{2\alpha}\Bigr)^{-\alpha}, \qquad
    k_\text{distance} = -r^\beta, \qquad r = \|x - y\|_2, \qquad
    k_\text{polynomial} = \Bigl(\frac{x^\top y}{D} + 1\Bigr)^d

The first two are characteristic: the discrepancy is zero for equal laws only. So is the third, which is positive definite up to
constants that cancel from the discrepancy. The last one compares moments up to its degree. Distances are taken as
differences, not by way of inner products: two far points
keep their distance in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

__all__ = ["DistanceKernel", "GaussianKernel", "Kernel", "PolynomialKernel", "RationalQuadraticKernel", "distances"]

Kernel: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances of all pairs, ``[N, M]``; the gradient of a zero distance is zero.

    Args:
        x: Vectors ``[N, D]``.
        y: Vectors ``[M, D]``.

    Example:
        >>> import torch
        >>> from probgen.infer.divergences.kernels import distances
        >>> distances(torch.zeros(1, 2), torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[5., 0.]])
    """
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


@dataclass(frozen=True)
class GaussianKernel:
    r"""A sum of Gaussian kernels :math:`\sum_\sigma e^{-\|x - y\|^2/(2 \sigma^2)}`.

    Attributes:
        bandwidths: The :math:`\sigma`, in units of the vectors; several serve where the right scale is not known.

    Raises:
        ValueError: there is none, or one that is not positive.

    References:
        Li, Swersky, Zemel (2015). Generative moment matching networks. https://arxiv.org/abs/1502.02761

    Example:
        >>> import torch
        >>> from probgen.infer import GaussianKernel
        >>> GaussianKernel((1.0, 2.0))(torch.zeros(1, 3), torch.zeros(2, 3))
        tensor([[2., 2.]])
    """

    bandwidths: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not self.bandwidths or min(self.bandwidths) <= 0:
            raise ValueError(f"`bandwidths` must be positive numbers, at least one; got {self.bandwidths}.")

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """The kernel of all pairs ``[N, M]``."""
        squared = distances(x, y).square()
        return torch.stack([torch.exp(squared / (-2 * width**2)) for width in self.bandwidths]).sum(0)


@dataclass(frozen=True)
class RationalQuadraticKernel:
    r"""A sum of rational quadratic kernels :math:`\sum_\alpha (1 + \|x - y\|^2/(2 \alpha))^{-\alpha}`.

    Their tails are heavy, so far points still feel a slope.

    Attributes:
        exponents: The :math:`\alpha`.

    Raises:
        ValueError: there is none, or one that is not positive.

    References:
        Bińkowski, Sutherland, Arbel, Gretton (2018). Demystifying MMD GANs. https://arxiv.org/abs/1801.01401

    Example:
        >>> import torch
        >>> from probgen.infer import RationalQuadraticKernel
        >>> RationalQuadraticKernel((1.0,))(torch.zeros(1, 1), torch.tensor([[2.0]]))
        tensor([[0.3333]])
    """

    exponents: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 5.0)

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not self.exponents or min(self.exponents) <= 0:
            raise ValueError(f"`exponents` must be positive numbers, at least one; got {self.exponents}.")

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """The kernel of all pairs ``[N, M]``."""
        squared = distances(x, y).square()
        return torch.stack([torch.exp(-a * torch.log1p(squared / (2 * a))) for a in self.exponents]).sum(0)


@dataclass(frozen=True)
class DistanceKernel:
    r"""Minus a power of the distance, :math:`-\|x - y\|^\beta`: the kernel of the energy distance.

    Attributes:
        power: The exponent :math:`\beta` in (0, 2).

    Raises:
        ValueError: the exponent is out of its range (with 2 the discrepancy would compare means only).

    References:
        Sejdinovic, Sriperumbudur, Gretton, Fukumizu (2013). Equivalence of distance-based and RKHS-based statistics in
        hypothesis testing. https://arxiv.org/abs/1207.6076

    Example:
        >>> import torch
        >>> from probgen.infer import DistanceKernel
        >>> DistanceKernel()(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]))
        tensor([[-5.]])
    """

    power: float = 1.0

    def __post_init__(self) -> None:
        """Check the number."""
        if not 0 < self.power < 2:
            raise ValueError(f"`power` must be in (0, 2); got {self.power}.")

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """The kernel of all pairs ``[N, M]``."""
        between = distances(x, y)
        if self.power == 1:
            return -between
        apart = between > 0
        return -torch.where(apart, torch.where(apart, between, 1.0).pow(self.power), 0.0)


@dataclass(frozen=True)
class PolynomialKernel:
    r"""A power of the mean product, :math:`(x^\top y / D + 1)^d`: it sees moments up to the degree, and no others.

    Attributes:
        degree: The exponent d, three in the kernel distance of images.

    Raises:
        ValueError: the degree is not positive.

    References:
        Bińkowski, Sutherland, Arbel, Gretton (2018). Demystifying MMD GANs. https://arxiv.org/abs/1801.01401

    Example:
        >>> import torch
        >>> from probgen.infer import PolynomialKernel
        >>> PolynomialKernel(2)(torch.ones(1, 4), torch.zeros(1, 4)), PolynomialKernel(2)(torch.ones(1, 4), torch.ones(1, 4))
        (tensor([[1.]]), tensor([[4.]]))
    """

    degree: int = 3

    def __post_init__(self) -> None:
        """Check the number."""
        if self.degree < 1:
            raise ValueError(f"`degree` must be at least 1; got {self.degree}.")

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """The kernel of all pairs ``[N, M]``."""
        power: Tensor = (x @ y.mT / x.shape[1] + 1) ** self.degree
        return power

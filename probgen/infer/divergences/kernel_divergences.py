r"""Divergences that need no critic: differences of mean kernels between and within data and draws.

.. math:: \mathrm{MMD}^2(p, q) = \mathbb E[k(x, x')] + \mathbb E[k(y, y')] - 2\, \mathbb E[k(x, y)],
    \qquad x, x' \sim p,\; y, y' \sim q \text{ independent}

The means over pairs leave out an example with itself, so the estimate is unbiased (and may be negative):

.. math:: \widehat{\mathrm{MMD}}^2 = \frac{\sum_{i \ne j} k(x_i, x_j)}{N (N - 1)}
    + \frac{\sum_{i \ne j} k(y_i, y_j)}{M (M - 1)} - \frac{2 \sum_{ij} k(x_i, y_j)}{N M}

On raw events the generator minimizes it and nobody else plays. On a critic's outputs, taken as features, the critic
maximizes it (MMD-GAN): then it needs something that bounds its slope, such as spectral normalization. The outputs of an
example are one vector, whatever their shape.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.infer.divergences.divergence import Divergence
from probgen.infer.divergences.kernels import DistanceKernel, Kernel

__all__ = ["EnergyDistance", "KernelDivergence", "MaximumMeanDiscrepancy", "squared_discrepancy"]


def squared_discrepancy(kernel: Kernel, real: Tensor, fake: Tensor) -> Tensor:
    """The squared maximum mean discrepancy between two sets without bias: a scalar.

    Means over no pairs count as zero: one example of a side has no others.

    Args:
        kernel: From vectors ``[N, D]`` and ``[M, D]`` to ``[N, M]``.
        real: Events or features, ``[N, ...]``.
        fake: The same of draws, ``[M, ...]``.

    Raises:
        ValueError: the examples of the two sides differ in shape.

    References:
        Gretton, Borgwardt, Rasch, Schölkopf, Smola (2012). A kernel two-sample test.
        https://jmlr.org/papers/v13/gretton12a.html

    Example:
        >>> import torch
        >>> from probgen.infer import DistanceKernel
        >>> from probgen.infer.divergences.kernel_divergences import squared_discrepancy
        >>> squared_discrepancy(DistanceKernel(), torch.zeros(2, 1), torch.full((3, 1), 5.0))  # 2 * 5
        tensor(10.)
    """
    if real.shape[1:] != fake.shape[1:]:
        raise ValueError(f"data and draws must have one event shape; got {tuple(real.shape)} and {tuple(fake.shape)}.")
    x, y = real[:, None].flatten(1), fake[:, None].flatten(1)
    across = kernel(x, y).sum() / max(len(x) * len(y), 1)
    return _mean_of_others(kernel(x, x)) + _mean_of_others(kernel(y, y)) - 2 * across


def _mean_of_others(values: Tensor) -> Tensor:
    """The mean of ``[N, N]`` off the diagonal."""
    number = len(values)
    diagonal = torch.eye(number, dtype=torch.bool, device=values.device)
    return values.masked_fill(diagonal, 0).sum() / max(number * (number - 1), 1)


class KernelDivergence(Divergence):
    r"""A squared maximum mean discrepancy (abstract): the generator minimizes it, a critic, where there is one, maximizes it.

    Args:
        kernel: From vectors ``[N, D]`` and ``[M, D]`` to ``[N, M]``.

    Example:
        >>> from probgen.infer import EnergyDistance
        >>> EnergyDistance().needs_critic, EnergyDistance().generator_sees_data
        (False, True)
    """

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self.kernel = kernel

    @property
    def generator_sees_data(self) -> bool:
        """It does: there is no critic that has."""
        return True

    @property
    def needs_critic(self) -> bool:
        """It does not: the events themselves will do."""
        return False

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Minus the discrepancy of features.

        Args:
            real: Events or features of data, ``[N, ...]``.
            fake: Events or features of draws, ``[M, ...]``.
        """
        return -squared_discrepancy(self.kernel, real, fake)

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The discrepancy.

        Args:
            fake: Events or features of draws, ``[M, ...]``.
            real: The same of data, ``[N, ...]``.

        Raises:
            ValueError: ``real`` is missing.
        """
        if real is None:
            raise ValueError("`real` must be data, or a critic's features of data: kernels compare with them; got None.")
        return squared_discrepancy(self.kernel, real, fake)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        """The squared discrepancy of what is given, without bias: not a bound, and negative at times.

        Args:
            real: Events or features of data, ``[N, ...]``.
            fake: Events or features of draws, ``[M, ...]``.
        """
        return squared_discrepancy(self.kernel, real, fake)

    def extra_repr(self) -> str:
        """The kernel."""
        return repr(self.kernel)


class MaximumMeanDiscrepancy(KernelDivergence):
    r"""The squared maximum mean discrepancy :math:`\mathrm{MMD}^2` of a kernel.

    Args:
        kernel: ``GaussianKernel((1.0, 2.0))``, ``RationalQuadraticKernel()``, or a function from vectors ``[N, D]`` and
            ``[M, D]`` to ``[N, M]``.

    References:
        Gretton, Borgwardt, Rasch, Schölkopf, Smola (2012). A kernel two-sample test.
        https://jmlr.org/papers/v13/gretton12a.html

        Li, Chang, Cheng, Yang, Póczos (2017). MMD GAN. https://arxiv.org/abs/1705.08584

    Example:
        >>> import torch
        >>> from probgen.infer import GaussianKernel, MaximumMeanDiscrepancy
        >>> x = torch.zeros(4, 2)
        >>> MaximumMeanDiscrepancy(GaussianKernel()).estimate(x, x + 100)  # 1 + 1 - 0
        tensor(2.)
    """


class EnergyDistance(KernelDivergence):
    r"""The energy distance :math:`2\, \mathbb E\|x - y\|^\beta - \mathbb E\|x - x'\|^\beta - \mathbb E\|y - y'\|^\beta`.

    Args:
        power: The exponent :math:`\beta` in (0, 2).

    References:
        Székely, Rizzo (2013). Energy statistics: a class of statistics based on distances.
        https://doi.org/10.1016/j.jspi.2013.03.018

    Example:
        >>> import torch
        >>> from probgen.infer import EnergyDistance
        >>> EnergyDistance().generator_loss(torch.full((2,), 3.0), torch.zeros(2))  # on the line: twice the shift
        tensor(6.)
    """

    def __init__(self, power: float = 1.0) -> None:
        super().__init__(DistanceKernel(power))

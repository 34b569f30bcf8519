r"""What cycle consistency cannot tell: two normal laws on the line, and the reflection between them.

For :math:`A = \mathcal N(0, 1)`, :math:`B = \mathcal N(0, s^2)` and linear maps :math:`G(x) = a x`, :math:`F(y) = c y`, with
the Wasserstein distance as divergence, everything is a multiple of :math:`\mathbb E|x| = \sqrt{2/\pi}`:

.. math::

    L(a, c) = \sqrt{\tfrac 2\pi}\, \Bigl( \bigl||a| - s\bigr| + \bigl|s |c| - 1\bigr|
    + \lambda\, (1 + s)\, |a c - 1| + \mu\, \bigl(s\, |a - 1| + |c - 1|\bigr) \Bigr).

Without the identity term (:math:`\mu = 0`) exactly two points have zero loss, :math:`a = s` and :math:`a = -s` with :math:`c =
1/a`: the laws are symmetric, so a map and its reflection fit equally well, both ways. Which one training finds is decided by
where it starts. The identity term prefers the positive one, but unless :math:`s = 1` it is no longer zero there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from probgen.gan.cycle_gan import CycleGAN
from probgen.gan.deterministic import deterministic_law
from probgen.infer.divergences import Wasserstein

__all__ = ["LinearMap", "QuadraticCritic", "linear_cycle_gan", "linear_cycle_loss"]


class LinearMap(nn.Module):
    """Multiplication by a learned number.

    Args:
        slope: Where it starts.

    Example:
        >>> import torch
        >>> from probgen.gan import LinearMap
        >>> LinearMap(-2.0)(torch.ones(1, 1)).item()
        -2.0
    """

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(float(slope)))

    def forward(self, x: Tensor) -> Tensor:
        """The product, of any shape."""
        return self.slope * x


class QuadraticCritic(nn.Module):
    r"""The critic :math:`v(x) = u_0 + u_1 x + u_2 x^2`, which tells normal laws apart as well as any.

    The logit between two normal laws is of this form. It starts at zero.

    Example:
        >>> import torch
        >>> from probgen.gan import QuadraticCritic
        >>> QuadraticCritic()(torch.ones(5, 1)).shape
        torch.Size([5, 1])
    """

    def __init__(self) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``[N, 1]`` at points ``[N, 1]``."""
        u = self.coefficients
        return u[0] + u[1] * x + u[2] * x.square()


def linear_cycle_loss(
    a: Tensor | float, c: Tensor | float, scale: float, *, cycle_weight: float = 10.0, identity_weight: float = 0.0
) -> Tensor:
    r"""The loss :math:`L(a, c)` of two linear maps between N(0, 1) and N(0, s^2), with the Wasserstein distance.

    Args:
        a: Slope of the map from A to B, any shape.
        c: Slope of the way back, any shape.
        scale: The standard deviation s of B.
        cycle_weight: The weight :math:`\lambda`.
        identity_weight: The weight :math:`\mu`.

    Example:
        >>> from probgen.gan import linear_cycle_loss
        >>> [linear_cycle_loss(a, 1 / a, 2.0).item() for a in (2.0, -2.0, 1.0)]
        [0.0, 0.0, 1.5957...]
    """
    a, c = torch.as_tensor(a), torch.as_tensor(c)
    marginals = (a.abs() - scale).abs() + (scale * c.abs() - 1).abs()
    cycles = (1 + scale) * (a * c - 1).abs()
    identities = scale * (a - 1).abs() + (c - 1).abs()
    return math.sqrt(2 / math.pi) * (marginals + cycle_weight * cycles + identity_weight * identities)


def linear_cycle_gan(seed: int, *, cycle_weight: float = 1.0, identity_weight: float = 0.0) -> CycleGAN:
    r"""A CycleGAN of linear maps with slopes that start at random; train it with ``infer.fit`` on draws of A and B.

    The divergence is the Wasserstein distance, with a gradient penalty. The cycle's usual weight of ten makes a valley
    :math:`a c = 1` so narrow that training goes along it only slowly.

    Args:
        seed: Of the two slopes, standard normal.
        cycle_weight: The weight :math:`\lambda`.
        identity_weight: The weight :math:`\mu`.

    Example:
        >>> from probgen.gan import linear_cycle_gan
        >>> model = linear_cycle_gan(0)
        >>> len(list(model.parameters()))
        4
    """
    slopes = torch.randn(2, generator=torch.Generator().manual_seed(seed)).tolist()
    there, back = (deterministic_law(LinearMap(slope), (1,), (1,)) for slope in slopes)
    return CycleGAN(
        there,
        back,
        QuadraticCritic(),
        QuadraticCritic(),
        divergence=Wasserstein(gradient_penalty=1.0),
        cycle_weight=cycle_weight,
        identity_weight=identity_weight,
        pool_size=0,
    )

"""Two-dimensional toy laws with exact densities: moons, rings, Gaussians on a circle or grid, checkerboard, pinwheel, spirals.

The usual recipes for moons, rings and spirals add Gaussian noise to points of a curve, and their density is an integral that
nobody writes down. Here the curve carries equally weighted Gaussians, closer to each other than their width: the picture is
the same and ``log_prob`` is exact, so a fitted model can be compared with the truth. The pinwheel is five Gaussians under a
*twist*, a rotation by an angle that grows with the radius; a twist keeps volume, so its density is exact too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions import TransformedDistribution
from probgen.distributions.bijectors import Bijector

__all__ = [
    "TOYS",
    "Checkerboard",
    "Twist",
    "checkerboard",
    "eight_gaussians",
    "gaussian_grid",
    "pinwheel",
    "rings",
    "spirals",
    "two_moons",
]


def eight_gaussians(radius: float = 2.0, scale: float = 0.2) -> TorchDistribution:
    """Eight Gaussians on a circle; the ring of the mode-coverage papers is ``eight_gaussians(1.0, 0.01)``.

    Args:
        radius: Radius of the circle.
        scale: Standard deviation of each.

    Example:
        >>> from probgen.data.toys import eight_gaussians
        >>> eight_gaussians().event_shape
        torch.Size([2])
    """
    return _gaussians(_circle(8) * radius, scale)


def gaussian_grid(side: int = 5, spacing: float = 2.0, scale: float = 0.05) -> TorchDistribution:
    """Gaussians on a square grid around the origin: the test of generators that lose modes.

    The modes are at ``law.component_distribution.mean``; see ``probgen.metrics.mode_coverage``.

    Args:
        side: Modes in a row; ``side**2`` of them.
        spacing: Distance of neighbors.
        scale: Standard deviation of each.

    Raises:
        ValueError: an argument is not positive.

    References:
        Srivastava, Valkov, Russell, Gutmann, Sutton (2017). VEEGAN: reducing mode collapse in GANs using implicit variational
        learning. https://arxiv.org/abs/1705.07761

    Example:
        >>> from probgen.data.toys import gaussian_grid
        >>> gaussian_grid(side=2).component_distribution.mean.tolist()
        [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
    """
    if side < 1 or not spacing > 0 or not scale > 0:
        raise ValueError(f"`side`, `spacing` and `scale` must be positive; got {side}, {spacing} and {scale}.")
    axis = spacing * (torch.arange(side) - (side - 1) / 2)
    return _gaussians(torch.cartesian_prod(axis, axis).reshape(side**2, 2), scale)


def rings(radii: tuple[float, ...] = (0.7, 1.5, 2.3), scale: float = 0.1) -> TorchDistribution:
    """Concentric rings, weighted by their circumference.

    Args:
        radii: Radii.
        scale: Standard deviation around each ring.

    Example:
        >>> import torch
        >>> from probgen.data.toys import rings
        >>> bool(rings().log_prob(torch.tensor([0.7, 0.0])) > rings().log_prob(torch.zeros(2)))
        True
    """
    circles = [_circle(math.ceil(2 * math.pi * radius / scale)) * radius for radius in radii]
    return _gaussians(torch.cat(circles), scale)


def two_moons(scale: float = 0.1) -> TorchDistribution:
    """Two interleaving half circles of radius 1, centered on the origin, stretched by 1.5.

    Args:
        scale: Standard deviation around the curves.

    Example:
        >>> from probgen.data.toys import two_moons
        >>> two_moons().sample((3,)).shape
        torch.Size([3, 2])
    """
    angle = torch.linspace(0.0, math.pi, 64)
    upper = torch.stack([angle.cos() - 0.5, angle.sin() - 0.25], -1)
    return _gaussians(1.5 * torch.cat([upper, -upper]), scale)


def spirals(turns: float = 1.5, scale: float = 0.08) -> TorchDistribution:
    """Two spirals, one the other turned by half a circle.

    Args:
        turns: Number of turns.
        scale: Standard deviation around the curves.

    Example:
        >>> import torch
        >>> from probgen.data.toys import spirals
        >>> law, x = spirals(), torch.tensor([0.3, 1.0])
        >>> bool((law.log_prob(x) - law.log_prob(-x)).abs() < 1e-5)
        True
    """
    fraction = torch.linspace(0.0, 1.0, 160).sqrt()  # equal spacing along the arc
    angle = 2 * math.pi * turns * fraction
    arm = 2.4 * fraction[:, None] * torch.stack([angle.cos(), angle.sin()], -1)
    return _gaussians(torch.cat([arm, -arm]), scale)


def checkerboard() -> TorchDistribution:
    """The uniform law on the eight dark squares of a 4x4 board over (-4, 4)^2.

    Example:
        >>> import torch
        >>> from probgen.data.toys import checkerboard
        >>> checkerboard().log_prob(torch.tensor([[1.0, 1.0], [1.0, 3.0]])).exp()
        tensor([0.0312, 0.0000])
    """
    return Checkerboard()


def pinwheel(arms: int = 5, rate: float = 0.35) -> TorchDistribution:
    """Gaussian arms, twisted: ``rate`` radians for each unit of squared radius.

    Args:
        arms: Number of arms.
        rate: Speed of the twist.

    Example:
        >>> from probgen.data.toys import pinwheel
        >>> pinwheel().log_prob(pinwheel().sample((3,))).shape
        torch.Size([3])
    """
    direction = _circle(arms)
    side = torch.stack([-direction[:, 1], direction[:, 0]], -1)
    covariance = 0.45**2 * _outer(direction) + 0.12**2 * _outer(side)
    weights = dist.Categorical(torch.ones(arms))
    straight = dist.MixtureSameFamily(weights, dist.MultivariateNormal(1.6 * direction, covariance))
    return TransformedDistribution(straight, Twist(rate))


TOYS: dict[str, Callable[[], TorchDistribution]] = {
    "two moons": two_moons,
    "rings": rings,
    "eight Gaussians": eight_gaussians,
    "checkerboard": checkerboard,
    "pinwheel": pinwheel,
    "spirals": spirals,
}
"""Name to law, for pages and tests that go through all of them."""


class Checkerboard(TorchDistribution):
    """The uniform law on the dark squares of a 4x4 board over (-4, 4)^2: density 1/32 on them, 0 elsewhere.

    Args:
        batch_shape: Batch shape.
        validate_args: As in ``torch.distributions``.

    Example:
        >>> from probgen.data.toys import Checkerboard
        >>> Checkerboard().sample((5,)).shape
        torch.Size([5, 2])
    """

    arg_constraints = {}
    support = constraints.independent(constraints.interval(-4.0, 4.0), 1)

    def __init__(self, batch_shape: tuple[int, ...] = (), validate_args: bool | None = None) -> None:  # noqa: FBT001
        super().__init__(torch.Size(batch_shape), torch.Size([2]), validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: object = None) -> Checkerboard:
        """The same law with another batch shape."""
        return Checkerboard(tuple(batch_shape))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw ``[*sample_shape, *batch, 2]``."""
        shape = (*sample_shape, *self.batch_shape)
        row = torch.randint(4, shape)
        column = 2 * torch.randint(2, shape) + row % 2
        return 2 * (torch.stack([column, row], -1) + torch.rand((*shape, 2))) - 4

    def log_prob(self, value: Tensor) -> Tensor:
        """``log(1/32)`` on dark squares, ``-inf`` elsewhere: ``[*batch]``."""
        if self._validate_args:
            self._validate_sample(value)
        inside = ((value > -4) & (value < 4)).all(-1)
        dark = (value / 2).floor().sum(-1).remainder(2) == 0
        density = torch.full(dark.shape, -math.log(32.0), dtype=value.dtype, device=value.device)
        return density.masked_fill(~(inside & dark), -math.inf).expand(torch.broadcast_shapes(dark.shape, self.batch_shape))


class Twist(Bijector):
    r"""Rotation of the plane by an angle that grows with the squared radius: :math:`y = R(c\,|x|^2)\,x`.

    In polar coordinates :math:`(r, \phi) \mapsto (r, \phi + c r^2)`: the Jacobian is triangular with unit diagonal, so the
    log-determinant is 0.

    Args:
        rate: Angle c for a unit of squared radius.

    Example:
        >>> import torch
        >>> from probgen.data.toys import Twist
        >>> y = Twist(torch.pi / 2)(torch.tensor([1.0, 0.0]))
        >>> torch.allclose(y, torch.tensor([0.0, 1.0]), atol=1e-6)
        True
    """

    domain = constraints.independent(constraints.real, 1)
    codomain = constraints.independent(constraints.real, 1)
    domain_shape = (2,)
    constant_log_det = True

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._turned(x, self.rate)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._turned(y, -self.rate)

    @staticmethod
    def _turned(x: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        angle = rate * x.square().sum(-1)
        cos, sin = angle.cos(), angle.sin()
        first, second = x.unbind(-1)
        return torch.stack([cos * first - sin * second, sin * first + cos * second], -1), torch.zeros_like(angle)


def _circle(n: int) -> Tensor:
    angle = 2 * math.pi * torch.arange(n) / n
    return torch.stack([angle.cos(), angle.sin()], -1)


def _outer(v: Tensor) -> Tensor:
    return v[:, :, None] * v[:, None, :]


def _gaussians(means: Tensor, scale: float) -> TorchDistribution:
    """Equal weights on spherical Gaussians at ``means`` ``[n, 2]``."""
    spread = torch.full_like(means, scale)
    mixture = dist.MixtureSameFamily(dist.Categorical(torch.ones(len(means))), dist.Normal(means, spread).to_event(1))
    return cast(TorchDistribution, mixture)

r"""Möbius maps of the circle.

On the unit circle of the complex plane, :math:`z = e^{i x}`, and for a center :math:`\omega = r e^{i \alpha}` inside it,

.. math::

    h_\omega(z) = \frac{z - \omega}{1 - \bar\omega z}, \qquad h_\omega^{-1} = h_{-\omega}, \qquad
    \frac{dy}{dx} = \frac{1 - r^2}{|z - \omega|^2} = \frac{1 - r^2}{(1 - r)^2 + 4 r \sin^2 \frac{x - \alpha}{2}}.

As angles, :math:`y = x + 2 \operatorname{atan2}(r \sin(x - \alpha),\, 1 - r \cos(x - \alpha))`, wrapped: the real part of
:math:`1 - \omega \bar z` is positive, so its argument never jumps. A uniform angle becomes a wrapped Cauchy one with its mode
at :math:`\alpha + \pi`, and by the inverse one with its mode at :math:`\alpha`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.circle._circle_map import CircleMap
from probgen.distributions.bijectors.circle.rotation import wrapped
from probgen.distributions.bijectors.parameters import Parameter

__all__ = ["Mobius"]

_LARGEST_RADIUS = 0.95


class _OpenDisc(Constraint):
    """Points of the plane of length less than one."""

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        inside: Tensor = value.square().sum(-1) < 1
        return inside

    def __repr__(self) -> str:
        return "OpenDisc()"


class Mobius(CircleMap):
    r"""The Möbius map :math:`z \mapsto (z - \omega) / (1 - \bar\omega z)` of the circle, smooth everywhere, both ways closed.

    Args:
        center: :math:`\omega` as two coordinates, shape ``[*shape, 2]``, of length less than one; None to learn it (then of
            length less than 0.95, which bounds the slope between 1/39 and 39). Zero is the identity.
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``center`` has a wrong trailing shape or lies outside the circle.

    References:
        Rezende, Papamakarios, Racanière, Albergo, Kanwar, Shanahan, Cranmer (2020). Normalizing flows on tori and spheres.
        https://arxiv.org/abs/2002.02428

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Mobius
        >>> f = Mobius(torch.tensor([0.5, 0.0]))
        >>> y, log_slope = f.forward_and_log_det(torch.tensor([0.0, torch.pi / 2]))
        >>> y, log_slope.exp()
        (tensor([0.0000, 2.4981]), tensor([3.0000, 0.6000]))
    """

    def __init__(self, center: Tensor | None = None, *, shape: Sequence[int] = ()) -> None:
        super().__init__(shape, center=center)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``center``, two numbers."""
        return (Parameter("center", _OpenDisc(), _in_disc, (2,)),)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return _mobius(x, values[0])

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return _mobius(y, -values[0])


def _mobius(x: Tensor, center: Tensor) -> tuple[Tensor, Tensor]:
    real, imaginary = center.unbind(-1)
    along = real * x.cos() + imaginary * x.sin()  # r cos(x - alpha)
    across = real * x.sin() - imaginary * x.cos()  # r sin(x - alpha)
    gap = 1 - along
    y = wrapped(x + 2 * torch.atan2(across, gap))
    return y, torch.log1p(-center.square().sum(-1)) - torch.log(gap.square() + across.square())


def _in_disc(raw: Tensor) -> Tensor:
    """The plane onto the open disc of the largest radius; zero stays."""
    return _LARGEST_RADIUS * raw / torch.sqrt(1 + raw.square().sum(-1, keepdim=True))

r"""The cumulative distribution function of a mixture of logistics, seen on the logit scale.

With :math:`z_k = (x - \mu_k) / s_k` and :math:`F(x) = \sum_k w_k\, \sigma(z_k)`, the map

.. math::

    g(x) = (1 - \delta) \operatorname{logit} F(x) + \delta x, \qquad y = \mathrm{loc} + \mathrm{scale} \cdot g(x),

takes the real line onto itself. As :math:`F` is a convex combination, :math:`\operatorname{logit} F` lies between the
smallest and the largest :math:`z_k`, so both tails are asymptotically linear, and solving :math:`(1 - \delta) z_k + \delta x
= y` for each :math:`k` brackets the root of :math:`g(x) = y`. The floor :math:`\delta` keeps the plateaus between distant
components invertible: the slope of :math:`g` never falls below it.

Everything stays in log space (``_sigmoid_mixture.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors._sigmoid_mixture import floored, sigmoid_mixture
from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.parameters import Parameter, bounded_softmax, positive_parameter, real_parameter, spread
from probgen.distributions.numerics.roots import invert_increasing

__all__ = ["MixtureOfLogisticsCDF"]

_FLOOR = 1e-3
_EVALUATIONS = 20  # parameters N(0, 4): all of 60 000 points reached machine accuracy with 16


class MixtureOfLogisticsCDF(Elementwise):
    r""":math:`y = \mathrm{loc} + \mathrm{scale}\,((1 - \delta) \operatorname{logit} \sum_k w_k \sigma((x - \mu_k)/s_k) +
    \delta x)`.

    Domain and codomain: the real line, with :math:`\delta = 10^{-3}`. The forward map is closed; the inverse is iterative. At
    zero unconstrained parameters the components are spread over :math:`[-1, 1]` with unit scale, which is close to the
    identity.

    Args:
        components: Number of logistics, at least 1.
        shape: Batch shape of the learned parameters.
        weights: Mixture weights, shape ``[*shape, components]``, summing to one; None to learn them.
        locations: Locations :math:`\mu`, shape ``[*shape, components]``; None to learn them.
        widths: Positive widths :math:`s`, shape ``[*shape, components]``; None to learn them (then within a factor 100 of one).
        loc: Translation of the result; None to learn it.
        scale: Positive factor on the result; None to learn it.

    Raises:
        ValueError: ``components`` is less than 1, or a given value violates its constraint.

    References:
        Ho, Chen, Srinivas, Duan, Abbeel (2019). Flow++: improving flow-based generative models with variational
        dequantization and architecture design. https://arxiv.org/abs/1902.00275

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import MixtureOfLogisticsCDF
        >>> f = MixtureOfLogisticsCDF(components=4)
        >>> y = f(torch.tensor([-1e4, 0.0, 5.0]))
        >>> f.inverse(y).abs() < torch.tensor([1.00001e4, 1e-6, 5.00001])
        tensor([True, True, True])
    """

    exact_inverse = False
    fast_direction = "forward"

    def __init__(
        self,
        components: int = 8,
        *,
        shape: Sequence[int] = (),
        weights: Tensor | None = None,
        locations: Tensor | None = None,
        widths: Tensor | None = None,
        loc: Tensor | float | None = None,
        scale: Tensor | float | None = None,
    ) -> None:
        if components < 1:
            raise ValueError(f"`components` must be at least 1; got {components}.")
        self.components = components
        super().__init__(shape, weights=weights, locations=locations, widths=widths, loc=loc, scale=scale)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``weights`` (simplex), ``locations``, ``widths`` (positive), ``loc``, ``scale`` (positive)."""
        count = (self.components,)
        return (
            Parameter("weights", constraints.simplex, bounded_softmax, count),
            Parameter("locations", constraints.real, spread, count),
            positive_parameter("widths", count, factor=1e2),
            real_parameter("loc"),
            positive_parameter("scale"),
        )

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        *mixture, loc, scale = values
        y, log_slope = _mixture_logit(x, *mixture)
        return loc + scale * y, scale.log() + log_slope

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        weights, locations, widths, loc, scale = values
        target = (y - loc) / scale
        target = target.expand(torch.broadcast_shapes(target.shape, widths.shape[:-1]))
        bounds = _bounds(target, locations, widths)
        x, log_slope = invert_increasing(
            lambda x: _mixture_logit(x, weights, locations, widths), target, bounds=bounds, evaluations=_EVALUATIONS
        )
        return x, -(scale.log() + log_slope)


def _mixture_logit(x: Tensor, weights: Tensor, locations: Tensor, widths: Tensor) -> tuple[Tensor, Tensor]:
    r""":math:`g(x)` and :math:`\log g'(x)`, shape ``[*batch]``."""
    z = (x[..., None] - locations) / widths
    return floored(*sigmoid_mixture(z, -widths.log(), weights.log()), x, 0.0, _FLOOR)


def _bounds(y: Tensor, locations: Tensor, widths: Tensor) -> tuple[Tensor, Tensor]:
    rate = (1.0 - _FLOOR) / widths
    roots = (y[..., None] + rate * locations) / (rate + _FLOOR)
    return roots.amin(-1), roots.amax(-1)

r"""Deep sigmoidal maps: layers of convex combinations of sigmoids, on the logit scale.

One layer, with slopes :math:`a_k > 0` and weights :math:`w_k > 0` that sum to one, is

.. math::

    h \mapsto (1 - \delta) \operatorname{logit} \sum_k w_k\, \sigma(a_k h + b_k) + \delta h,

the deep sigmoidal flow of Huang et al. with a floor :math:`\delta` under its slope. It increases and maps the line onto
itself: the logit of a mean lies between the smallest and the largest :math:`a_k h + b_k`, and both go to infinity. A single
layer is the cdf of a mixture of logistics (``mixture_cdf.py``) with other parameters; several have sharper corners.

**Inverse.** The envelope brackets it: a layer lies above :math:`\min_k r_k(h)` and below :math:`\max_k r_k(h)` with the
straight lines :math:`r_k(h) = (1 - \delta)(a_k h + b_k) + \delta h`, so the root of a layer lies between the smallest and the
largest root of the :math:`r_k`, and that of a stack is found from the last layer to the first.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors._sigmoid_mixture import floored, sigmoid_mixture
from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.parameters import Parameter, bounded_softmax, positive_parameter, spread
from probgen.distributions.numerics.roots import invert_increasing

__all__ = ["DeepSigmoid"]

FLOOR = 1e-2
LARGEST_FACTOR = 30.0
_EVALUATIONS = 24  # parameters N(0, 4), three layers, both dtypes: none of 96 000 points missed the tolerance


class DeepSigmoid(Elementwise):
    r""":math:`f = f_L \circ \cdots \circ f_1`, :math:`f_l(h) = (1 - \delta) \operatorname{logit} \sum_k w_{lk}\,
    \sigma(a_{lk} h + b_{lk}) + \delta h`.

    Domain and codomain: the real line, with :math:`\delta = 0.01`. The forward map is closed; the inverse is iterative. At zero
    unconstrained parameters the sigmoids are spread over :math:`[-1, 1]` with unit slope, which is close to the identity.

    Args:
        units: Sigmoids of a layer, at least 1.
        layers: How many layers, at least 1.
        shape: Batch shape of the learned parameters.
        slopes: The :math:`a`, shape ``[*shape, layers, units]``, positive; None to learn them (then within a factor 30 of one).
        shifts: The :math:`b`, shape ``[*shape, layers, units]``; None to learn them.
        weights: The :math:`w`, shape ``[*shape, layers, units]``, each layer's summing to one; None to learn them.

    Raises:
        ValueError: ``units`` or ``layers`` is less than 1, or a given value violates its constraint.

    References:
        Huang, Krueger, Lacoste, Courville (2018). Neural autoregressive flows. https://arxiv.org/abs/1804.00779

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import DeepSigmoid
        >>> f = DeepSigmoid(units=8, layers=2)
        >>> x = torch.tensor([-1e3, 0.5, 30.0])  # zuko's and Pyro's forms stop at 10 or have no inverse
        >>> torch.allclose(f.inverse(f(x)), x, rtol=1e-5)
        True
    """

    exact_inverse = False
    fast_direction = "forward"

    def __init__(
        self,
        units: int = 8,
        layers: int = 1,
        *,
        shape: Sequence[int] = (),
        slopes: Tensor | None = None,
        shifts: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> None:
        for name, value in (("units", units), ("layers", layers)):
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1; got {value}.")
        self.units, self.layers = units, layers
        super().__init__(shape, slopes=slopes, shifts=shifts, weights=weights)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``slopes`` (positive), ``shifts`` and ``weights`` (simplex)."""
        shape = (self.layers, self.units)
        return (
            positive_parameter("slopes", shape, factor=LARGEST_FACTOR),
            Parameter("shifts", constraints.real, spread, shape),
            Parameter("weights", constraints.simplex, bounded_softmax, shape),
        )

    def extra_repr(self) -> str:
        """Sizes."""
        return f"units={self.units}, layers={self.layers}"

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        slopes, shifts, weights = values
        return _stack(x, slopes, shifts, slopes.log(), weights.log())

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        slopes, shifts, weights = values
        log_slopes, log_weights = slopes.log(), weights.log()
        target = y.expand(torch.broadcast_shapes(y.shape, slopes.shape[:-2]))
        x, log_slope = invert_increasing(
            lambda x: _stack(x, slopes, shifts, log_slopes, log_weights),
            target,
            bounds=stack_bounds(target, slopes, shifts),
            evaluations=_EVALUATIONS,
        )
        return x, -log_slope


def _stack(x: Tensor, slopes: Tensor, shifts: Tensor, log_slopes: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """The value and the log-slope of all layers, ``[*batch]``."""
    total = torch.zeros_like(x)
    for layer in range(slopes.shape[-2]):
        s = slopes[..., layer, :] * x[..., None] + shifts[..., layer, :]
        logit, log_slope = sigmoid_mixture(s, log_slopes[..., layer, :], log_weights[..., layer, :])
        x, log_slope = floored(logit, log_slope, x, 0.0, FLOOR)
        total = total + log_slope
    return x, total


def stack_bounds(y: Tensor, slopes: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor]:
    """A bracket of the root of a stack of layers at ``y`` ``[*batch]``, from the envelopes of its layers, last layer first.

    Args:
        y: The value.
        slopes: Slopes of the sigmoids, ``[*batch, layers, units]``.
        shifts: Their shifts, of the same shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.monotone.deep_sigmoid import stack_bounds
        >>> stack_bounds(torch.tensor(3.0), torch.ones(2, 4), torch.zeros(2, 4))
        (tensor(3.), tensor(3.))
    """
    low = high = y
    for layer in reversed(range(slopes.shape[-2])):
        rate = (1.0 - FLOOR) * slopes[..., layer, :] + FLOOR
        shift = (1.0 - FLOOR) * shifts[..., layer, :]
        low, high = ((low[..., None] - shift) / rate).amin(-1), ((high[..., None] - shift) / rate).amax(-1)
    return low, high

r"""Autoregressive flows: every coordinate is transformed given all that come before it; layers reverse the order.

.. math::

    y_i = f(x_i; \theta_i(y_{<i}, c)) \quad\text{or}\quad y_i = f(x_i; \theta_i(x_{<i}, c)),

with the parameters from one masked network a layer. The first form scores data in one pass (masked autoregressive flow), the
second one samples in one pass (inverse autoregressive flow).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor, nn

from probgen.distributions.bijectors import Bijector, Compose, Elementwise, MaskedAutoregressive
from probgen.nn import MADE

__all__ = ["autoregressive_flow"]


def autoregressive_flow(
    features: int,
    *,
    element: Elementwise,
    context_shape: Sequence[int] | None = None,
    layers: int = 5,
    hidden: Sequence[int] = (128, 128),
    parallel: Literal["inverse", "forward"] = "inverse",
    adjacency: Tensor | None = None,
    activation: Callable[[], nn.Module] = nn.ReLU,
    residual: bool = False,
    mixing: Callable[[], Bijector] | None = None,
) -> Bijector:
    r"""An autoregressive flow with any elementwise bijector and a masked network (MADE) as conditioner.

    Args:
        features: How many coordinates; 1 works.
        element: The elementwise bijector; every layer gets its own parameters from its network. Among them ``Affine`` (MAF),
            ``RationalQuadraticSpline`` (NSF), ``SumOfSquares`` (SOS flow: ``element=SumOfSquares(2, 2)``), ``Bernstein``,
            ``MixtureOfLogisticsCDF`` (Flow++), ``DeepSigmoid``, ``DenseSigmoid`` and ``MonotoneNetwork`` (NAF),
            ``IntegralNetwork`` (UNAF).
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many layers.
        hidden: Widths of the network's hidden layers.
        parallel: The direction that costs one pass: "inverse" (densities) or "forward" (samples).
        adjacency: Booleans ``[features, features]``, acyclic: which coordinates (columns) each coordinate (row) is given,
            the same for every layer; None for all that come before it, in an order that every second layer reverses.
        activation: Makes the network's activation.
        residual: Use residual blocks in the network (an odd number of equal widths).
        mixing: Makes a bijector to put between two layers.

    Returns:
        A bijector from the base's space to the data's. Its Jacobian is triangular with one layer; ``fast_direction`` is
        ``parallel``. Where the element's inverse is iterative, the element stands such that the parallel direction uses
        its closed form.

    Raises:
        ValueError: ``features`` or ``layers`` is not positive, or the adjacency does not fit.

    References:
        Papamakarios, Pavlakou, Murray (2017). Masked autoregressive flow for density estimation. https://arxiv.org/abs/1705.07057

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine
        >>> from probgen.flows import autoregressive_flow
        >>> flow = autoregressive_flow(3, element=Affine(), context_shape=(2,), layers=2, hidden=(16,))
        >>> flow.inverse(torch.zeros(5, 3), torch.zeros(5, 2)).shape, flow.fast_direction
        (torch.Size([5, 3]), 'inverse')
    """
    if features < 1 or layers < 1:
        raise ValueError(f"`features` and `layers` must be positive; got {features} and {layers}.")
    flip = parallel == "inverse" and not element.exact_inverse
    parts: list[Bijector] = []
    for index in range(layers):
        order = None if adjacency is not None else [*range(features)][:: -1 if index % 2 else 1]
        network = MADE(
            features,
            element.num_free,
            hidden=hidden,
            context_features=0 if context_shape is None else tuple(context_shape),
            order=order,
            adjacency=adjacency,
            activation=activation,
            residual=residual,
        )
        layer = MaskedAutoregressive(element, network, parallel="forward" if flip else parallel)
        if mixing is not None and index:
            parts.append(mixing())
        parts.append(layer.inv if flip else layer)
    return Compose(*parts)

r"""Unconstrained monotonic flow (UNAF, UMNN-MAF): every coordinate goes through the integral of a positive network.

.. math::

    x_i = t_i + s_i \int_0^{y_i} g(t; h_i(y_{<i}, c))\, dt, \qquad g > 0 .

The integrand is any network, shared by the coordinates of a layer; a masked network emits the signal :math:`h_i`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from probgen.distributions.bijectors import Bijector, IntegralNetwork
from probgen.flows.autoregressive import autoregressive_flow

__all__ = ["unconstrained_monotonic_flow"]


def unconstrained_monotonic_flow(
    features: int,
    *,
    integrand: Sequence[int] = (32, 32),
    signal: int = 16,
    bound: float = 5.0,
    cells: int = 16,
    nodes: int = 6,
    context_shape: Sequence[int] | None = None,
    layers: int = 3,
    hidden: Sequence[int] = (128, 128),
    parallel: Literal["inverse", "forward"] = "inverse",
    activation: Callable[[], nn.Module] = nn.ReLU,
    residual: bool = False,
    mixing: Callable[[], Bijector] | None = None,
) -> Bijector:
    r"""The unconstrained monotonic flow of Wehenkel and Louppe (2019).

    Args:
        features: How many coordinates; 1 works.
        integrand: Widths of the integrand's hidden layers.
        signal: Numbers that the conditioner tells the integrand about a coordinate.
        bound: The integrands act on :math:`[-B, B]`, beyond it the maps are linear; standardize the data.
        cells: Cells on :math:`[-B, B]`, an even number.
        nodes: Where in a cell the integrand is evaluated, both ends among them.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many autoregressive layers; every second one reverses the order of the coordinates.
        hidden: Widths of the conditioner's hidden layers.
        parallel: The direction that costs one pass: "inverse" (densities) or "forward" (samples).
        activation: Makes the conditioner's activation.
        residual: Use residual blocks in the conditioner (an odd number of equal widths).
        mixing: Makes a bijector to put between two layers.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`, onto; the direction that is not parallel is iterative. It
        integrates what interpolates the integrand, without error: see ``IntegralNetwork``.

    Raises:
        ValueError: a size is out of range.

    References:
        Wehenkel, Louppe (2019). Unconstrained monotonic neural networks. https://arxiv.org/abs/1908.05164

    Example:
        >>> import torch
        >>> from probgen.flows import unconstrained_monotonic_flow
        >>> flow = unconstrained_monotonic_flow(features=3, integrand=(8,), layers=2, hidden=(16,))
        >>> x = torch.tensor([[0.1, 20.0, -30.0]])
        >>> torch.allclose(flow(flow.inverse(x)), x, rtol=1e-4), flow.fast_direction
        (True, 'inverse')
    """
    return autoregressive_flow(
        features,
        element=IntegralNetwork(integrand, signal, bound=bound, cells=cells, nodes=nodes),
        context_shape=context_shape,
        layers=layers,
        hidden=hidden,
        parallel=parallel,
        activation=activation,
        residual=residual,
        mixing=mixing,
    )

r"""Neural autoregressive flow (NAF): every coordinate goes through an increasing network whose parameters the others emit.

.. math::

    x_i = f(y_i; \theta_i(y_{<i}, c)), \qquad \log|\det J| = -\sum_i \log \frac{\partial f(y_i; \theta_i)}{\partial y_i} .

:math:`f` is a mixture of sigmoids on the logit scale (deep or dense sigmoidal), or a network with positive weights. Each
maps the line onto itself, so data are scored and samples drawn by the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from probgen.distributions.bijectors import Bijector, DeepSigmoid, DenseSigmoid, Elementwise, MonotoneNetwork
from probgen.flows.autoregressive import autoregressive_flow

__all__ = ["neural_autoregressive_flow"]

Form = Literal["deep-sigmoid", "dense-sigmoid", "monotone-network"]


def neural_autoregressive_flow(
    features: int,
    *,
    element: Form = "deep-sigmoid",
    units: int = 16,
    depth: int = 1,
    signal: int = 16,
    context_shape: Sequence[int] | None = None,
    layers: int = 3,
    hidden: Sequence[int] = (128, 128),
    parallel: Literal["inverse", "forward"] = "inverse",
    activation: Callable[[], nn.Module] = nn.ReLU,
    residual: bool = False,
    mixing: Callable[[], Bijector] | None = None,
) -> Bijector:
    r"""The neural autoregressive flow of Huang et al. (2018).

    Args:
        features: How many coordinates; 1 works.
        element: The increasing function: "deep-sigmoid" (DSF), "dense-sigmoid" (DDSF, at least two layers) or
            "monotone-network" (positive weights that are shared; the conditioner emits a signal).
        units: Sigmoids, or units, of a layer of the increasing function.
        depth: Its layers.
        signal: Numbers that the conditioner emits for a "monotone-network".
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many autoregressive layers; every second one reverses the order of the coordinates.
        hidden: Widths of the conditioner's hidden layers.
        parallel: The direction that costs one pass, with the closed form: "inverse" (densities) or "forward" (samples).
        activation: Makes the conditioner's activation.
        residual: Use residual blocks in the conditioner (an odd number of equal widths).
        mixing: Makes a bijector to put between two layers.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`, onto; the direction that is not parallel is iterative.

    Raises:
        ValueError: a size is out of range, or ``element`` is unknown.

    References:
        Huang, Krueger, Lacoste, Courville (2018). Neural autoregressive flows. https://arxiv.org/abs/1804.00779

    Example:
        >>> import torch
        >>> from probgen.flows import neural_autoregressive_flow
        >>> flow = neural_autoregressive_flow(features=3, layers=2, hidden=(16,))
        >>> x = torch.tensor([[0.1, 20.0, -30.0]])
        >>> torch.allclose(flow(flow.inverse(x)), x, rtol=1e-4), flow.fast_direction
        (True, 'inverse')
    """
    return autoregressive_flow(
        features,
        element=_increasing(element, units, depth, signal),
        context_shape=context_shape,
        layers=layers,
        hidden=hidden,
        parallel=parallel,
        activation=activation,
        residual=residual,
        mixing=mixing,
    )


def _increasing(form: str, units: int, depth: int, signal: int) -> Elementwise:
    if form == "deep-sigmoid":
        return DeepSigmoid(units, depth)
    if form == "dense-sigmoid":
        return DenseSigmoid(units, max(depth, 2))
    if form == "monotone-network":
        return MonotoneNetwork((units,) * depth, signal)
    raise ValueError(f'`element` must be "deep-sigmoid", "dense-sigmoid" or "monotone-network"; got {form!r}.')

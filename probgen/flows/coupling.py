r"""Coupling flows: layers that take turns in which half of the coordinates they transform.

.. math::

    f = f_1 \mathbin{;} f_2 \mathbin{;} \cdots \mathbin{;} f_L, \qquad f_l \text{ a coupling with the mask of layer } l.

Two consecutive layers change every coordinate; from four layers on every coordinate depends on every other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from probgen.distributions.bijectors import Bijector, Compose, Coupling, Elementwise, alternating_mask, half_mask
from probgen.nn import MLP

__all__ = ["coupling_flow"]


def coupling_flow(
    features: int,
    *,
    element: Elementwise,
    context_shape: Sequence[int] | None = None,
    layers: int = 8,
    hidden: Sequence[int] = (128, 128),
    masks: Literal["half", "alternating"] = "half",
    activation: Callable[[], nn.Module] = nn.ReLU,
    residual: bool = False,
    dropout: float = 0.0,
    mixing: Callable[[], Bijector] | None = None,
) -> Bijector:
    r"""A coupling flow with any elementwise bijector and a multilayer perceptron as conditioner.

    Args:
        features: How many coordinates; 1 works (the parameters are then learned constants, or depend on the context alone).
        element: The elementwise bijector, of equal domain and codomain; every layer gets its own parameters.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many coupling layers.
        hidden: Widths of the conditioner's hidden layers.
        masks: Copy halves ("half"), or every second coordinate ("alternating").
        activation: Makes the conditioner's activation.
        residual: Use residual blocks in the conditioner (an odd number of equal widths).
        dropout: Dropout in the conditioner, drawn anew at each call in training mode: call ``.eval()`` before inverting.
        mixing: Makes a bijector (a permutation, a linear map) to put between two layers.

    Returns:
        A bijector from the base's space to the data's, domain and codomain those of the element in ``features`` dimensions.
        Both directions are fast; where the element's inverse is iterative, layers are inverted so that densities are exact.

    Raises:
        ValueError: ``features`` or ``layers`` is not positive, or the element does not fit a coupling.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP. https://arxiv.org/abs/1605.08803

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine
        >>> from probgen.flows import coupling_flow
        >>> flow = coupling_flow(3, element=Affine(), context_shape=(2,), layers=4, hidden=(16,))
        >>> flow(torch.zeros(5, 3), torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """
    if features < 1 or layers < 1:
        raise ValueError(f"`features` and `layers` must be positive; got {features} and {layers}.")
    if masks not in ("half", "alternating"):
        raise ValueError(f'`masks` must be "half" or "alternating"; got {masks!r}.')
    pattern = {"half": half_mask, "alternating": alternating_mask}[masks]
    width = 0 if context_shape is None else math.prod(context_shape)
    parts: list[Bijector] = []
    for index in range(layers):
        mask = pattern(features, flip=index % 2 == 1)
        conditioner = MLP(
            sum(mask) + width,
            (features - sum(mask)) * element.num_free,
            hidden=hidden,
            activation=activation,
            residual=residual,
            dropout=dropout,
        )
        layer: Bijector = Coupling(element, conditioner, mask, context_shape=context_shape)
        if mixing is not None and index:
            parts.append(mixing())
        parts.append(layer if element.exact_inverse else layer.inv)
    return Compose(*parts)

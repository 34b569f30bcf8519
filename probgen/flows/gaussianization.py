r"""Gaussianization flow: rotate, make every coordinate normal by itself, rotate again.

.. math:: f = Q_1 \mathbin{;} R_1 \mathbin{;} Q_2 \mathbin{;} R_2 \mathbin{;} \cdots \mathbin{;} Q_L \mathbin{;} R_L,

from noise to data: :math:`Q_l` takes normal coordinates to the quantiles of learned mixtures, :math:`R_l` is a learned product
of Householder reflections. Read from the data, each layer removes what is not normal in the margins along some axes; a law all
of whose projections are normal is normal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import nn

from probgen.distributions.bijectors import Bijector, Compose, Householder, MixtureQuantile
from probgen.nn import MLP

__all__ = ["gaussianization_flow"]


def gaussianization_flow(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 6,
    components: int = 8,
    reflections: int | None = None,
    hidden: Sequence[int] = (64, 64),
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> Bijector:
    r"""The Gaussianization flow of Meng et al. (2020).

    ``flow.initialize_from(x)`` (with the context that belongs to ``x``, if it takes one) puts every layer at the quantiles of
    what reaches it from the data, as Chen and Gopinath fit theirs: an untrained flow that has been started is already close.

    Args:
        features: How many coordinates; 1 works (there is nothing to rotate).
        context_shape: Trailing shape of the context, None if there is none: networks shift the mixtures' parameters by it.
        layers: How many pairs of rotation and margins.
        components: Logistics of a margin.
        reflections: Reflections of a rotation; None for as many as features.
        hidden: Widths of the hidden layers of the networks that see the context.
        activation: Makes their activation.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`; its inverse (densities) is closed, its forward map iterative.

    Raises:
        ValueError: a size is less than 1.

    References:
        Meng, Song, Song, Ermon (2020). Gaussianization flows. https://arxiv.org/abs/2003.01941

    Example:
        >>> import torch
        >>> from probgen.flows import gaussianization_flow
        >>> flow = gaussianization_flow(features=2, layers=4)
        >>> x = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0))  # a square
        >>> flow.initialize_from(x)
        >>> z = flow.inverse(x)
        >>> bool((z.mean(0).abs() < 0.1).all() & ((z.std(0) - 1).abs() < 0.2).all()), flow.fast_direction
        (True, 'inverse')
    """
    if layers < 1:
        raise ValueError(f"`layers` must be at least 1; got {layers}.")
    parts: list[Bijector] = []
    for _ in range(layers):
        conditioner = None
        if context_shape is not None:
            conditioner = MLP(math.prod(context_shape), 3 * components * features, hidden=hidden, activation=activation)
        parts.append(MixtureQuantile(features, components, conditioner=conditioner, context_shape=context_shape))
        if features > 1:
            parts.append(Householder(features, reflections))
    return Compose(*parts)

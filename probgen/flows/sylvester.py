r"""Sylvester flow: planar maps with a bottleneck of several directions.

.. math:: x \mapsto x + Q R \tanh(\tilde R Q^\top x + b)

With a context all parameters of a layer come from a network, as in ``planar_and_radial.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

from probgen.distributions.bijectors import Bijector, Sylvester
from probgen.flows._amortized import Closed, amortized_stack

__all__ = ["sylvester_flow"]


def sylvester_flow(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 8,
    directions: int | None = None,
    reflections: int | None = None,
    hidden: Sequence[int] = (64, 64),
    closed: Closed = "inverse",
) -> Bijector:
    r"""The Sylvester flow of van den Berg et al. (2018), Householder form, in both directions.

    Args:
        features: How many coordinates; 1 works.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many maps.
        directions: Directions of each, at most ``features``; None for all.
        reflections: Reflections that make its orthonormal columns; None for as many as directions.
        hidden: Widths of the hidden layers of the networks that see the context.
        closed: The direction that has a closed form: "inverse" (for data) or "forward" (the paper's, for posteriors). The other
            one solves ``directions`` scalar equations a layer.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`.

    Raises:
        ValueError: a size is out of range, or ``closed`` is unknown.

    References:
        van den Berg, Hasenclever, Tomczak, Welling (2018). Sylvester normalizing flows for variational inference.
        https://arxiv.org/abs/1803.05649

    Example:
        >>> import torch
        >>> from probgen.flows import sylvester_flow
        >>> flow = sylvester_flow(4, context_shape=(3,), layers=2, directions=2)
        >>> flow.inverse(torch.zeros(5, 4), torch.ones(5, 3)).shape, flow.fast_direction
        (torch.Size([5, 4]), 'inverse')
    """
    size = features if directions is None else directions
    count = size if reflections is None else reflections
    return amortized_stack(
        lambda network: Sylvester(
            features, directions, reflections=reflections, conditioner=network, context_shape=context_shape
        ),
        count * features + size * (size + 2),
        layers,
        context_shape,
        hidden,
        closed,
    )

r"""Planar and radial flows: many maps of one direction, or around one point, after each other.

.. math::

    x \mapsto x + \hat u \tanh(w^\top x + b) \qquad\text{and}\qquad
    x \mapsto x + \frac{\beta\,(x - x_0)}{\alpha + \|x - x_0\|} .

With a context all parameters of a layer come from a network: the posterior of every datum gets its own flow.
"""

from __future__ import annotations

from collections.abc import Sequence

from probgen.distributions.bijectors import Bijector, Planar, Radial
from probgen.flows._amortized import Closed, amortized_stack

__all__ = ["planar_flow", "radial_flow"]


def planar_flow(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 16,
    hidden: Sequence[int] = (64, 64),
    closed: Closed = "inverse",
) -> Bijector:
    r"""The planar flow of Rezende and Mohamed (2015), in both directions.

    Args:
        features: How many coordinates; 1 works.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many planes.
        hidden: Widths of the hidden layers of the networks that see the context.
        closed: The direction that has a closed form: "inverse" (for data) or "forward" (the paper's, for posteriors). The other
            one solves one scalar equation a layer.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`.

    Raises:
        ValueError: a size is less than 1, or ``closed`` is unknown.

    References:
        Rezende, Mohamed (2015). Variational inference with normalizing flows. https://arxiv.org/abs/1505.05770

    Example:
        >>> import torch
        >>> from probgen.flows import planar_flow
        >>> flow = planar_flow(2, context_shape=(3,), layers=4)
        >>> flow.inverse(torch.zeros(5, 2), torch.ones(5, 3)).shape, flow.fast_direction
        (torch.Size([5, 2]), 'inverse')
    """
    return amortized_stack(
        lambda network: Planar(features, conditioner=network, context_shape=context_shape),
        2 * features + 1,
        layers,
        context_shape,
        hidden,
        closed,
    )


def radial_flow(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 16,
    hidden: Sequence[int] = (64, 64),
) -> Bijector:
    r"""The radial flow of Rezende and Mohamed (2015), closed in both directions.

    Args:
        features: How many coordinates; 1 works.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many points.
        hidden: Widths of the hidden layers of the networks that see the context.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`, fast both ways.

    Raises:
        ValueError: a size is less than 1.

    References:
        Rezende, Mohamed (2015). Variational inference with normalizing flows. https://arxiv.org/abs/1505.05770

    Example:
        >>> import torch
        >>> from probgen.flows import radial_flow
        >>> flow = radial_flow(2, context_shape=(3,), layers=4)
        >>> flow.inverse(torch.zeros(5, 2), torch.ones(5, 3)).shape, flow.fast_direction
        (torch.Size([5, 2]), 'both')
    """
    return amortized_stack(
        lambda network: Radial(features, conditioner=network, context_shape=context_shape),
        features + 2,
        layers,
        context_shape,
        hidden,
        "forward",
    )

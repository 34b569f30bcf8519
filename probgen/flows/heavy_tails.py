r"""A flow whose marginals have power tails with learned indices.

A Lipschitz map of a normal law has Gaussian tails, however deep it is. Here a neural spline flow makes the shape, and behind
it every coordinate goes through :class:`~probgen.distributions.bijectors.HeavyTail`, which gives each tail an index of its own,
and an affine map.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import nn

from probgen.distributions.bijectors import Affine, Bijector, Compose, ConditionalElementwise, HeavyTail, Independent
from probgen.flows.spline_coupling import neural_spline_coupling
from probgen.nn import MLP

__all__ = ["heavy_tailed_flow"]


def heavy_tailed_flow(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 4,
    bins: int = 8,
    bound: float = 5.0,
    hidden: Sequence[int] = (64, 64),
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> Bijector:
    r"""A neural spline flow with power tails, :math:`P(|x_i| > t) \sim t^{-\nu_i}`, :math:`\nu_i` learned for each tail.

    The tail layer is part 1 from the end: ``flow[-2]`` (its ``base.tail_index`` gives :math:`\nu`). With a context, the indices
    depend on it.

    Args:
        features: How many coordinates; 1 works.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many coupling layers make the shape; 0 for independent coordinates.
        bins: Bins of each spline.
        bound: The splines act on :math:`[-B, B]` in front of the tail layer.
        hidden: Widths of the networks' hidden layers.
        activation: Makes the networks' activation.

    Returns:
        A bijector of :math:`\mathbb R^\mathrm{features}`, exact and fast both ways.

    Raises:
        ValueError: ``features`` is not positive.

    References:
        Hickling, Prangle (2024). Flexible tails for normalizing flows. https://arxiv.org/abs/2406.16971

    Example:
        >>> import torch
        >>> from probgen.flows import heavy_tailed_flow
        >>> flow = heavy_tailed_flow(2, layers=2, hidden=(16,))
        >>> left, right = flow[-2].base.tail_index
        >>> right.detach()
        tensor([10., 10.])
    """
    if features < 1:
        raise ValueError(f"`features` must be positive; got {features}.")
    tails: Bijector = Independent(HeavyTail(shape=(features,)), 1)
    if context_shape is not None:
        network = MLP(math.prod(context_shape), features * HeavyTail().num_free, hidden=hidden, activation=activation)
        tails = ConditionalElementwise(HeavyTail(), network, context_shape, event_shape=(features,))
    parts: list[Bijector] = [tails, Independent(Affine(shape=(features,)), 1)]
    if layers:
        shape = neural_spline_coupling(
            features,
            context_shape=context_shape,
            layers=layers,
            bins=bins,
            bound=bound,
            hidden=hidden,
            activation=activation,
        )
        parts.insert(0, shape)
    return Compose(*parts)

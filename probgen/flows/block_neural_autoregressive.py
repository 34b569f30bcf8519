r"""Block neural autoregressive flow (BNAF): block triangular networks that are themselves the map, reversed between.

.. math:: f = B_1^{-1} \mathbin{;} R \mathbin{;} B_2^{-1} \mathbin{;} R \mathbin{;} \cdots \mathbin{;} B_L^{-1},

from noise to data, with networks :math:`B_l` from data to noise (``distributions/bijectors/block_autoregressive.py``) and
:math:`R` the reversal of the coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from probgen.distributions.bijectors import Bijector, BlockAutoregressive, Compose, Reverse

__all__ = ["block_neural_autoregressive_flow"]


def block_neural_autoregressive_flow(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 3,
    units: int = 10,
    depth: int = 2,
    closed: Literal["inverse", "forward"] = "inverse",
) -> Bijector:
    r"""The block neural autoregressive flow of De Cao et al. (2019), onto the whole space and invertible.

    Args:
        features: How many coordinates; 1 works.
        context_shape: Trailing shape of the context, None if there is none; it enters the first layer of every network.
        layers: How many networks; the coordinates are reversed between two.
        units: Hidden units of a coordinate.
        depth: Hidden layers of a network.
        closed: The direction that is one pass of the networks: "inverse" (densities) or "forward" (samples). The other one
            goes coordinate by coordinate.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`; ``fast_direction`` is ``closed``.

    Raises:
        ValueError: a size is less than 1, or ``closed`` is unknown.

    References:
        De Cao, Titov, Aziz (2019). Block neural autoregressive flow. https://arxiv.org/abs/1904.04676

    Example:
        >>> import torch
        >>> from probgen.flows import block_neural_autoregressive_flow
        >>> flow = block_neural_autoregressive_flow(features=3, layers=2, units=4)
        >>> x = torch.tensor([[0.1, 20.0, -30.0]])
        >>> torch.allclose(flow(flow.inverse(x)), x, rtol=1e-4), flow.fast_direction
        (True, 'inverse')
    """
    if layers < 1 or closed not in ("inverse", "forward"):
        raise ValueError(f"`layers` must be positive and `closed` a direction; got {layers} and {closed!r}.")
    parts: list[Bijector] = []
    for index in range(layers):
        if index and features > 1:
            parts.append(Reverse())
        network = BlockAutoregressive(features, units, depth, context_shape=context_shape)
        parts.append(network.inv if closed == "inverse" else network)
    return Compose(*parts)

r"""Flows of angles: circular splines whose knots depend on the other angles, seen as :math:`(\cos, \sin)`.

Every layer is a coupling or an autoregressive layer of circular splines, followed by a learned rotation of each circle, which
moves the point that a spline fixes. The networks see cosines and sines, so the density is continuous on the torus.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from probgen.distributions.bijectors import (
    Bijector,
    CircularShift,
    CircularSpline,
    Compose,
    Coupling,
    Elementwise,
    MaskedAutoregressive,
    half_mask,
)
from probgen.nn import MADE, MLP, Periodic, PeriodicIncremental

__all__ = ["circular_flow", "torus_flow"]


def torus_flow(
    dims: int,
    *,
    context_shape: Sequence[int] | None = None,
    form: Literal["coupling", "autoregressive"] = "coupling",
    layers: int = 4,
    bins: int = 8,
    hidden: Sequence[int] = (64, 64),
    activation: Callable[[], nn.Module] = nn.SiLU,
) -> Bijector:
    r"""A flow on the torus of ``dims`` angles, after Rezende et al. (2020).

    Args:
        dims: How many angles; 1 works.
        context_shape: Trailing shape of the context, None if there is none.
        form: Couplings (fast both ways) or autoregressive layers (densities fast, more flexible for each layer).
        layers: How many layers.
        bins: Bins of each spline.
        hidden: Widths of the networks' hidden layers.
        activation: Makes the networks' activation; a smooth one makes the density smooth.

    Returns:
        A bijector of the torus; its base is uniform: ``flow_on(torus, torus_flow(2))``.

    Raises:
        ValueError: ``dims`` or ``layers`` is not positive, or ``form`` is unknown.

    References:
        Rezende, Papamakarios, Racanière, Albergo, Kanwar, Shanahan, Cranmer (2020). Normalizing flows on tori and spheres.
        https://arxiv.org/abs/2002.02428

    Example:
        >>> import torch
        >>> from probgen.distributions import flow_on
        >>> from probgen.distributions.constraints import torus
        >>> from probgen.flows import torus_flow
        >>> d = flow_on(torus, torus_flow(2, layers=2, hidden=(16,)))
        >>> d.support, d.sample((5,)).shape
        (IndependentConstraint(Circular(), 1), torch.Size([5, 2]))
    """
    if dims < 1 or layers < 1:
        raise ValueError(f"`dims` and `layers` must be positive; got {dims} and {layers}.")
    if form not in ("coupling", "autoregressive"):
        raise ValueError(f'`form` must be "coupling" or "autoregressive"; got {form!r}.')
    make = _coupling if form == "coupling" else _autoregressive
    parts: list[Bijector] = []
    for index in range(layers):
        parts += [make(dims, index, CircularSpline(bins), context_shape, hidden, activation), CircularShift(shape=(dims,))]
    return Compose(*parts)


def circular_flow(
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 2,
    bins: int = 8,
    hidden: Sequence[int] = (64, 64),
    activation: Callable[[], nn.Module] = nn.SiLU,
) -> Bijector:
    r"""A flow of one angle: circular splines with learned knots, or with knots that depend on the context.

    Args:
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many splines, each with a rotation behind it.
        bins: Bins of each spline.
        hidden: Widths of the hidden layers of the networks that see the context.
        activation: Makes the networks' activation.

    Returns:
        A bijector of vectors of one angle (event shape ``(1,)``).

    Raises:
        ValueError: ``layers`` is not positive.

    References:
        Rezende, Papamakarios, Racanière, Albergo, Kanwar, Shanahan, Cranmer (2020). Normalizing flows on tori and spheres.
        https://arxiv.org/abs/2002.02428

    Example:
        >>> import torch
        >>> from probgen.flows import circular_flow
        >>> circular_flow(context_shape=(3,))(torch.zeros(5, 1), torch.zeros(5, 3)).shape
        torch.Size([5, 1])
    """
    return torus_flow(1, context_shape=context_shape, layers=layers, bins=bins, hidden=hidden, activation=activation)


def _coupling(
    dims: int,
    index: int,
    element: Elementwise,
    context_shape: Sequence[int] | None,
    hidden: Sequence[int],
    activation: Callable[[], nn.Module],
) -> Bijector:
    mask = half_mask(dims, flip=index % 2 == 1)
    seen, width = sum(mask), 0 if context_shape is None else math.prod(context_shape)
    network = MLP(2 * seen + width, (dims - seen) * element.num_free, hidden=hidden, activation=activation)
    return Coupling(element, Periodic(network, seen), mask, context_shape=context_shape, input_bound=math.inf)


def _autoregressive(
    dims: int,
    index: int,
    element: Elementwise,
    context_shape: Sequence[int] | None,
    hidden: Sequence[int],
    activation: Callable[[], nn.Module],
) -> Bijector:
    network = MADE(
        dims,
        element.num_free,
        num_inputs=2,
        hidden=hidden,
        context_features=0 if context_shape is None else tuple(context_shape),
        order=[*range(dims)][:: -1 if index % 2 else 1],
        activation=activation,
    )
    return MaskedAutoregressive(element, PeriodicIncremental(network), input_bound=math.inf)

r"""The multi-scale architecture: half of the channels leave the flow at every level.

Read from the data to the latent, a level squeezes an image, transforms it, and factors half of its channels out,

.. math:: (x_{l+1}, y_l) = g_l(\mathrm{squeeze}(x_l)), \qquad z_l = \mathrm{prior}_l^{-1}(y_l; x_{l+1}),

until the last level keeps all. The flow is a bijector from the flat latent :math:`z = (z_L, \ldots, z_1)`, coarse first, to the
image. Numbers that leave early are cheap, and what they mean given the coarser image is learned: with a *learned split prior*
:math:`y_l = m(x_{l+1}) + s(x_{l+1}) \odot z_l`, an affine coupling; with a *standard* one :math:`y_l = z_l`.

With an image of :math:`C \cdot 4^L` times :math:`h \times w` numbers, level :math:`l` leaves half of what came in, so the last
holds :math:`2^{1 - L}` of all numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor, nn

from probgen.distributions.bijectors import (
    Affine,
    Bijector,
    Compose,
    ConditionalElementwise,
    FactorOut,
    Reshape,
    SplitCoupling,
    Squeeze,
)
from probgen.nn.flows import GridContext, ZeroConv2d
from probgen.nn.image_shape import image_sizes

__all__ = ["multi_scale_flow"]

Shape = tuple[int, int, int]
SplitPrior = Literal["learned", "standard"]


def multi_scale_flow(
    event_shape: Sequence[int],
    levels: int,
    *,
    coarse_layers: Callable[[Shape, int], Sequence[Bijector]],
    fine_layers: Callable[[Shape, int], Sequence[Bijector]] | None = None,
    squeeze_last: bool = True,
    split_prior: SplitPrior = "learned",
    context_shape: Sequence[int] | None = None,
) -> Bijector:
    r"""A flow from the flat latent ``[C H W]`` to images ``[C, H, W]``, with any layers.

    Args:
        event_shape: ``(C, H, W)``.
        levels: How many levels, each of half the resolution of the one before.
        coarse_layers: From the shape of an image after squeezing and the number of the level (0 is the finest) to its layers,
            in the order latent to data.
        fine_layers: The same for layers before squeezing; None for none.
        squeeze_last: Whether the last level squeezes; otherwise it has fine layers only.
        split_prior: "learned" or "standard": what the numbers are that leave the flow, given those that stay. With a context a
            learned one makes the top level's law depend on it, too.
        context_shape: Trailing shape of the context: ``(Cc, Hc, Wc)`` is an image, any other a vector; None for none.

    Raises:
        ValueError: the sizes of the image cannot be halved so often, or an option has another name.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP, section 3.6. https://arxiv.org/abs/1605.08803

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import ActNorm
        >>> from probgen.flows import multi_scale_flow
        >>> flow = multi_scale_flow((1, 4, 4), 2, coarse_layers=lambda shape, level: [ActNorm((shape[0], 1, 1))])
        >>> flow(torch.zeros(5, 16)).shape
        torch.Size([5, 1, 4, 4])
    """
    sizes = image_sizes(event_shape, name="event_shape")
    halved = levels if squeeze_last else levels - 1
    if levels < 1 or sizes[1] % 2**halved or sizes[2] % 2**halved:
        raise ValueError(f"`levels` must be positive, and halve {tuple(event_shape)} {halved} times; got {levels}.")
    if split_prior not in ("learned", "standard"):
        raise ValueError(f'`split_prior` must be "learned" or "standard"; got {split_prior!r}.')
    context = None if context_shape is None else tuple(context_shape)

    def top(shape: Shape) -> list[Bijector]:
        start: list[Bijector] = [Reshape((math.prod(shape),), shape)]
        return start + ([_top_prior(shape, context)] if context is not None and split_prior == "learned" else [])

    def fine(shape: Shape, index: int) -> list[Bijector]:
        return [] if fine_layers is None else list(fine_layers(shape, index))

    def level(shape: Shape, index: int) -> Bijector:
        channels, height, width = shape
        squeezed = (4 * channels, height // 2, width // 2)
        if index < levels - 1:
            half = (2 * channels, height // 2, width // 2)
            latent: list[Bijector] = [FactorOut(level(half, index + 1), half)]
            latent += [_split_prior(half, context)] if split_prior == "learned" else []
        elif squeeze_last:
            latent = top(squeezed)
        else:
            return Compose(*top(shape), *fine(shape, index))
        return Compose(*latent, *coarse_layers(squeezed, index), Squeeze((2, 2)).inv, *fine(shape, index))

    return level(sizes, 0)


def _split_prior(half: Shape, context_shape: tuple[int, ...] | None) -> Bijector:
    """Mean and scale of the fine channels from as many coarse ones, at the start the identity."""
    channels, *grid = half
    network = _PriorNetwork(channels, 2 * channels, (grid[0], grid[1]), context_shape)
    return SplitCoupling(Affine(), network, (channels, channels), context_shape=context_shape)


def _top_prior(shape: Shape, context_shape: tuple[int, ...]) -> Bijector:
    """Mean and scale of the last numbers from the context: of each channel from a vector, of each position from an image."""
    return ConditionalElementwise(Affine(), _TopNetwork(shape, context_shape), context_shape, shape)


class _PriorNetwork(nn.Module):
    """One convolution that starts at zero, of the coarse channels and the context."""

    def __init__(self, channels: int, out_channels: int, grid: tuple[int, int], context_shape: Sequence[int] | None) -> None:
        super().__init__()
        self.output = ZeroConv2d(channels, out_channels)
        self.context = None if context_shape is None else _zero_context(context_shape, out_channels, grid)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        raw: Tensor = self.output(x)
        return raw if self.context is None or context is None else raw + self.context(context)


class _TopNetwork(nn.Module):
    """From a flat context ``[*batch, numbers]`` to ``[*batch, c * h * w * 2]``."""

    def __init__(self, shape: Shape, context_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape, self.context_shape = shape, context_shape
        self.context = _zero_context(context_shape, 2 * shape[0], (shape[1], shape[2]))

    def forward(self, context: Tensor) -> Tensor:
        batch, (channels, height, width) = context.shape[:-1], self.shape
        raw: Tensor = self.context(context.reshape(-1, *self.context_shape)).expand(-1, -1, height, width)
        ordered: Tensor = raw.unflatten(1, (channels, 2)).movedim(2, -1)
        return ordered.reshape(*batch, 2 * channels * height * width)


def _zero_context(context_shape: Sequence[int], channels: int, grid: tuple[int, int]) -> GridContext:
    network = GridContext(context_shape, channels, grid)
    nn.init.zeros_(network.bias.linear.weight)
    return network

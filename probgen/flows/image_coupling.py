r"""Real NVP on images: checkerboard couplings, squeezing, channel couplings, at every level.

At every level but the last, from the data to the latent,

.. math:: x \to \text{3 checkerboards} \to \text{squeeze} \to \text{3 channel couplings} \to \text{half of the channels leave},

and four checkerboards at the last. A coupling is :math:`y_b = (x_b - t(x_a)) / e^{s(x_a)}` with a residual network for
:math:`s` and :math:`t`, and changes roles with the one before. The paper normalizes over the batch behind every coupling; here
``ActNorm`` stands there, started from data, because a flow that depends on the batch is no map of an image.
"""

from __future__ import annotations

from collections.abc import Sequence

from probgen.distributions.bijectors import (
    ActNorm,
    Affine,
    Bijector,
    MaskedCoupling,
    SplitCoupling,
    checkerboard_mask,
)
from probgen.flows.multi_scale import SplitPrior, multi_scale_flow
from probgen.nn.flows import ResidualConditioner

__all__ = ["image_real_nvp"]

Shape = tuple[int, int, int]

_CHANNEL_COUPLINGS = 3
_CHECKERBOARDS = 3
_LAST_CHECKERBOARDS = 4


def image_real_nvp(
    event_shape: Sequence[int],
    *,
    levels: int = 3,
    hidden: int = 32,
    blocks: int = 4,
    split_prior: SplitPrior = "standard",
    context_shape: Sequence[int] | None = None,
) -> Bijector:
    r"""The flow on images of Dinh, Sohl-Dickstein and Bengio (2017).

    Args:
        event_shape: ``(C, H, W)``; H and W are multiples of ``2**(levels - 1)``.
        levels: How many levels; the last has checkerboards only.
        hidden: Hidden channels of the conditioners of the finest level; twice as many at each coarser one.
        blocks: Residual blocks of a conditioner.
        split_prior: What the numbers are that leave the flow, given those that stay: "standard", or a "learned" normal law.
        context_shape: Trailing shape of the context: ``(Cc, Hc, Wc)`` is an image whose sizes are multiples or divisors of
            those of every level, any other is a vector; None for none. It enters every conditioner.

    Returns:
        A bijector from ``[C H W]`` to ``[C, H, W]``, exact and fast both ways.

    Raises:
        ValueError: a size does not fit, or an option has another name.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP. https://arxiv.org/abs/1605.08803

    Example:
        >>> import torch
        >>> from probgen.flows import image_real_nvp
        >>> flow = image_real_nvp((1, 8, 8), levels=2, hidden=8, blocks=1)
        >>> flow.forward_and_log_det(torch.zeros(5, 64))[0].shape
        torch.Size([5, 1, 8, 8])
    """

    def network(inputs: int, outputs: int, grid: tuple[int, ...], width: int) -> ResidualConditioner:
        size = (grid[0], grid[1])
        return ResidualConditioner(inputs, 2 * outputs, size, hidden=width, blocks=blocks, context_shape=context_shape)

    def channels(shape: Shape, index: int) -> list[Bijector]:
        half = (shape[0] // 2, shape[0] - shape[0] // 2)
        parts: list[Bijector] = []
        for number in range(_CHANNEL_COUPLINGS):
            conditioner = network(*half, shape[1:], hidden * 2 ** (index + 1))
            coupling = SplitCoupling(Affine(), conditioner, half, flip=number % 2 == 1, context_shape=context_shape)
            parts += [coupling, ActNorm((shape[0], 1, 1))]
        return parts

    def checkerboards(shape: Shape, index: int) -> list[Bijector]:
        parts: list[Bijector] = []
        for number in range(_LAST_CHECKERBOARDS if index == levels - 1 else _CHECKERBOARDS):
            conditioner, mask = (
                network(shape[0], shape[0], shape[1:], hidden * 2**index),
                checkerboard_mask(shape, flip=number % 2 == 1),
            )
            parts += [MaskedCoupling(Affine(), conditioner, mask, context_shape=context_shape), ActNorm((shape[0], 1, 1))]
        return parts

    return multi_scale_flow(
        event_shape,
        levels,
        coarse_layers=channels,
        fine_layers=checkerboards,
        squeeze_last=False,
        split_prior=split_prior,
        context_shape=context_shape,
    )

r"""Flow++: couplings by the cumulative distribution of a mixture of logistics, networks with self-attention.

A coupling of Flow++ maps, from the data to the latent,

.. math:: y_b = e^{a} \operatorname{logit}\Bigl(\sum_{k=1}^K \pi_k\, \sigma\bigl((x_b - \mu_k) / s_k\bigr)\Bigr) + b

with all parameters from a gated network of the copied part. That direction is closed, and scores; draws solve for
:math:`x_b`, which is monotone in each coordinate. From the data to the latent the flow has checkerboards at full resolution,
then a squeeze, channel couplings and checkerboards again, an actnorm and a 1x1 convolution before each. Nothing leaves early.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from probgen.distributions.bijectors import (
    ActNorm,
    Bijector,
    MaskedCoupling,
    MixtureOfLogisticsCDF,
    SplitCoupling,
    checkerboard_mask,
)
from probgen.flows.invertible_convolutions import channel_mixing
from probgen.flows.multi_scale import multi_scale_flow
from probgen.nn.flows import GatedConditioner
from probgen.nn.image_shape import image_sizes

__all__ = ["flow_plus_plus"]


def flow_plus_plus(
    event_shape: Sequence[int],
    *,
    layers: tuple[int, int, int] = (4, 2, 3),
    hidden: int = 96,
    blocks: int = 10,
    heads: int = 4,
    components: int = 32,
    dropout: float = 0.0,
    context_shape: Sequence[int] | None = None,
) -> Bijector:
    r"""The flow on images of Ho et al. (2019).

    Args:
        event_shape: ``(C, H, W)``; H and W are even.
        layers: How many checkerboards at full resolution, channel couplings and checkerboards at half resolution.
        hidden: Hidden channels of the conditioners.
        blocks: Blocks of a conditioner.
        heads: Heads of attention, a divisor of ``hidden``; 0 for no attention.
        components: Logistics of a mixture :math:`K`.
        dropout: Dropout in the conditioners, drawn anew at each call in training mode: call ``.eval()`` before inverting.
        context_shape: Trailing shape of the context: ``(Cc, Hc, Wc)`` is an image whose sizes are multiples or divisors of
            those of both levels, any other is a vector; None for none. It enters every conditioner and the law of the latent.

    Returns:
        A bijector from ``[C H W]`` to ``[C, H, W]``; ``inverse`` is closed, ``forward`` iterative. For the bound of the paper
        take learned noise, ``dequantization_noise``.

    Raises:
        ValueError: a size does not fit.

    References:
        Ho, Chen, Srinivas, Duan, Abbeel (2019). Flow++: improving flow-based generative models with variational
        dequantization and architecture design. https://arxiv.org/abs/1902.00275

    Example:
        >>> import torch
        >>> from probgen.flows import flow_plus_plus
        >>> flow = flow_plus_plus((1, 4, 4), layers=(1, 1, 1), hidden=8, blocks=1, heads=2, components=4)
        >>> x = torch.randn(5, 1, 4, 4)
        >>> z, log_det = flow.inverse_and_log_det(x)
        >>> z.shape, torch.allclose(flow(z), x, atol=1e-4)
        (torch.Size([5, 16]), True)
    """
    sizes = image_sizes(event_shape, name="event_shape")
    if len([*layers]) != 3 or min(layers) < 0 or not any(layers) or (layers[2] and sizes[1] * sizes[2] < 8):
        raise ValueError(
            f"`layers` must be three numbers, none negative, and checkerboards need two positions; got {layers} for {sizes}."
        )
    free = MixtureOfLogisticsCDF(components).num_free
    network = partial(GatedConditioner, hidden=hidden, blocks=blocks, heads=heads, dropout=dropout, context_shape=context_shape)

    def checkerboards(shape: tuple[int, int, int], count: int) -> list[Bijector]:
        parts: list[Bijector] = []
        for number in range(count):
            conditioner = network(shape[0], shape[0] * free, shape[1:])
            mask = checkerboard_mask(shape, flip=number % 2 == 1)
            element = MixtureOfLogisticsCDF(components)
            parts += _layer(MaskedCoupling(element, conditioner, mask, context_shape=context_shape), shape)
        return parts

    def coarse(shape: tuple[int, int, int], _level: int) -> list[Bijector]:
        half = (shape[0] // 2, shape[0] - shape[0] // 2)
        parts = checkerboards(shape, layers[2])
        for number in range(layers[1]):
            conditioner = network(half[0], half[1] * free, shape[1:])
            element, flip = MixtureOfLogisticsCDF(components), number % 2 == 1
            parts += _layer(SplitCoupling(element, conditioner, half, flip=flip, context_shape=context_shape), shape)
        return parts

    def fine(shape: tuple[int, int, int], _level: int) -> list[Bijector]:
        return checkerboards(shape, layers[0])

    return multi_scale_flow(event_shape, 1, coarse_layers=coarse, fine_layers=fine, context_shape=context_shape)


def _layer(coupling: Bijector, shape: tuple[int, int, int]) -> list[Bijector]:
    """A coupling that is closed towards the latent, a 1x1 convolution where there are several channels, an actnorm."""
    mixing = [channel_mixing(shape[0], "lu")] if shape[0] > 1 else []
    return [coupling.inv, *mixing, ActNorm((shape[0], 1, 1))]

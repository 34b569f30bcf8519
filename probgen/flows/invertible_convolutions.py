r"""Glow: at every level K steps of activation normalization, an invertible 1x1 convolution and a coupling.

From the data to the latent a step is

.. math::

    h_1 = \frac{x - m}{s} \text{ (a channel)}, \qquad h_2 = W h_1 \text{ (a position)}, \qquad
    y_a = h_{2a}, \quad y_b = \frac{h_{2b} - t(h_{2a})}{e^{\sigma(h_{2a})}},

with log-determinants :math:`-hw \sum_c \log s_c`, :math:`hw \log|\det W|` and :math:`-\sum \sigma`. With :math:`W = PLU` the
second is a sum of :math:`c` numbers. Scoring multiplies by :math:`W`, sampling solves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from probgen.distributions.bijectors import (
    ActNorm,
    Affine,
    Along,
    Bijector,
    DenseLinear,
    Elementwise,
    LULinear,
    Permutation,
    QRLinear,
    Shift,
    SplitCoupling,
)
from probgen.flows.multi_scale import SplitPrior, multi_scale_flow
from probgen.nn.flows import ConvConditioner

__all__ = ["channel_mixing", "glow"]

Mixing = Literal["plain", "lu", "qr", "permutation"]


def glow(
    event_shape: Sequence[int],
    *,
    levels: int = 3,
    steps: int = 32,
    hidden: int = 512,
    coupling: Literal["affine", "additive"] = "affine",
    mixing: Mixing = "lu",
    split_prior: SplitPrior = "learned",
    context_shape: Sequence[int] | None = None,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> Bijector:
    r"""The flow on images of Kingma and Dhariwal (2018).

    Args:
        event_shape: ``(C, H, W)``; H and W are multiples of ``2**levels``.
        levels: How many levels :math:`L`, each at half the resolution of the one before.
        steps: Steps :math:`K` at every level.
        hidden: Hidden channels of the conditioners.
        coupling: "affine", or "additive" for shifts only: the coupling then preserves volume.
        mixing: The 1x1 convolution: a matrix ("plain"), factored ("lu", "qr"), or a fixed random "permutation".
        split_prior: What the numbers are that leave the flow, given those that stay: a "learned" normal law, or "standard".
        context_shape: Trailing shape of the context: ``(Cc, Hc, Wc)`` is an image whose sizes are multiples or divisors of
            those of every level, any other is a vector (a class as a unit vector); None for none. It enters every conditioner
            and, with a learned split prior, the law of the top level.
        activation: Makes the conditioners' activation.

    Returns:
        A bijector from ``[C H W]`` to ``[C, H, W]``, exact and fast both ways. ``flow.initialize_from(x, context)`` starts its
        normalizations from a batch.

    Raises:
        ValueError: a size does not fit, or an option has another name.

    References:
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions. https://arxiv.org/abs/1807.03039

    Example:
        >>> import torch
        >>> from probgen.flows import glow
        >>> flow = glow((1, 8, 8), levels=2, steps=2, hidden=16, context_shape=(10,))
        >>> x, digit = torch.randn(5, 1, 8, 8), torch.eye(10)[:5]
        >>> flow.initialize_from(x, digit)
        >>> z, log_det = flow.inverse_and_log_det(x, digit)
        >>> z.shape, torch.allclose(flow(z, digit), x, atol=1e-4)
        (torch.Size([5, 64]), True)
    """
    if coupling not in ("affine", "additive"):
        raise ValueError(f'`coupling` must be "affine" or "additive"; got {coupling!r}.')
    if steps < 1:
        raise ValueError(f"`steps` must be positive; got {steps}.")
    element: Elementwise = Affine() if coupling == "affine" else Shift()

    def layers(shape: tuple[int, int, int], _level: int) -> list[Bijector]:
        parts: list[Bijector] = []
        for _ in range(steps):
            parts += _step(shape, element, mixing, hidden, context_shape, activation)
        return parts

    return multi_scale_flow(event_shape, levels, coarse_layers=layers, split_prior=split_prior, context_shape=context_shape)


def _step(
    shape: tuple[int, int, int],
    element: Elementwise,
    mixing: Mixing,
    hidden: int,
    context_shape: Sequence[int] | None,
    activation: Callable[[], nn.Module],
) -> list[Bijector]:
    """A step, from the latent to the data."""
    channels, *grid = shape
    copied = channels // 2
    moved = channels - copied
    conditioner = ConvConditioner(
        copied,
        moved * element.num_free,
        (grid[0], grid[1]),
        hidden=hidden,
        context_shape=context_shape,
        activation=activation,
    )
    coupling = SplitCoupling(element, conditioner, (copied, moved), context_shape=context_shape)
    return [coupling, channel_mixing(channels, mixing), ActNorm((channels, 1, 1))]


def channel_mixing(channels: int, mixing: Mixing, *, start: Literal["rotation", "identity"] = "rotation") -> Bijector:
    """An invertible 1x1 convolution, one product in the direction from the data to the latent.

    Args:
        channels: How many channels.
        mixing: "plain" for a matrix, "lu" or "qr" for a factored one, "permutation" for a fixed random permutation.
        start: Where a learned one starts.

    Raises:
        ValueError: the option has another name.

    References:
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions, section 3.2.
        https://arxiv.org/abs/1807.03039

        Hoogeboom, van den Berg, Welling (2019). Emerging convolutions for generative normalizing flows.
        https://arxiv.org/abs/1901.11137

    Example:
        >>> import torch
        >>> from probgen.flows import channel_mixing
        >>> channel_mixing(4, "lu")(torch.zeros(5, 4, 8, 8)).shape
        torch.Size([5, 4, 8, 8])
    """
    kinds: dict[str, Callable[[], Bijector]] = {
        "plain": lambda: DenseLinear(channels, loc=False, start=start),
        "lu": lambda: LULinear(channels, loc=False, start=start),
        "qr": lambda: QRLinear(channels, loc=False, start=start),
        "permutation": lambda: Permutation.random(channels),
    }
    if mixing not in kinds:
        raise ValueError(f"`mixing` must be one of {', '.join(map(repr, kinds))}; got {mixing!r}.")
    return Along(kinds[mixing]().inv, -3)

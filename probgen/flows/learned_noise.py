r"""Learned noise between the integers: a conditional flow onto the unit cube.

.. math:: u = \sigma\bigl(g(\varepsilon; x)\bigr), \qquad \varepsilon_i \sim \mathrm{Logistic}(0, 1), \qquad
   \log P(x) \ge \mathbb E_u\bigl[\log p(x + u) - \log q(u \mid x)\bigr]

with a small flow :math:`g` that sees the image :math:`x`. Uniform noise asks of the density :math:`p` that it be flat within
each cell; learned noise goes where the density is. As :math:`\sigma` of a logistic variable is uniform and :math:`g` starts as
the identity, the noise starts as the uniform one, and the bound is no worse at the start.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyro.distributions as dist
from torch import Tensor, nn

from probgen.distributions import TransformedDistribution
from probgen.distributions.bijectors import ActNorm, Affine, Bijector, Compose, Sigmoid, SplitCoupling
from probgen.flows.invertible_convolutions import channel_mixing
from probgen.flows.multi_scale import multi_scale_flow
from probgen.nn.flows import ConvConditioner

__all__ = ["DequantizationNoise", "dequantization_noise"]


class DequantizationNoise(nn.Module):
    """A law of noise on the unit cube given integers: ``Dequantized(law, levels, noise=noise)``.

    Args:
        bijector: A conditional flow from vectors to events, whose context is the event itself, scaled to [-1, 1].
        levels: Number of levels of the integers, at least 2.

    Raises:
        ValueError: the flow's context is not an event, or there are fewer than two levels.

    References:
        Ho, Chen, Srinivas, Duan, Abbeel (2019). Flow++: improving flow-based generative models with variational
        dequantization and architecture design, section 3.1. https://arxiv.org/abs/1902.00275

    Example:
        >>> import torch
        >>> from probgen.flows import dequantization_noise
        >>> noise = dequantization_noise((1, 4, 4), levels=256, steps=1, hidden=8)
        >>> q = noise(torch.zeros(5, 1, 4, 4))
        >>> u = q.rsample()
        >>> u.shape, bool(((u > 0) & (u < 1)).all()), q.log_prob(u).abs().max() < 1e-3
        (torch.Size([5, 1, 4, 4]), True, tensor(True))
    """

    def __init__(self, bijector: Bijector, levels: int) -> None:
        super().__init__()
        if bijector.codomain_shape is None or bijector.context_shape != bijector.codomain_shape:
            raise ValueError(
                f"`bijector` must take an event {bijector.codomain_shape} as context; its context is {bijector.context_shape}."
            )
        if levels < 2:
            raise ValueError(f"`levels` must be at least 2; got {levels}.")
        self.bijector = bijector
        self.levels = levels

    def forward(self, x: Tensor) -> TransformedDistribution:
        """The law of the noise of integers ``x`` ``[*batch, *event]``, given as floating-point numbers."""
        shape = self.bijector.domain_shape or ()
        zero = x.new_zeros(())
        base = dist.Logistic(zero, zero + 1).expand(shape).to_event(len(shape))
        context = x * (2.0 / (self.levels - 1)) - 1.0
        return TransformedDistribution(base, Compose(self.bijector.condition(context), Sigmoid()))


def dequantization_noise(event_shape: Sequence[int], levels: int, *, steps: int = 4, hidden: int = 64) -> DequantizationNoise:
    """Learned noise for images of integers, by a conditional flow of affine couplings on squeezed images.

    Args:
        event_shape: ``(C, H, W)``; H and W are even.
        levels: Number of levels of the integers.
        steps: How many couplings, with 1x1 convolutions between.
        hidden: Hidden channels of the conditioners.

    Returns:
        A module from integers to the law of their noise, which starts as the uniform one.

    Raises:
        ValueError: a size does not fit.

    References:
        Ho, Chen, Srinivas, Duan, Abbeel (2019). Flow++: improving flow-based generative models with variational
        dequantization and architecture design. https://arxiv.org/abs/1902.00275

    Example:
        >>> import torch
        >>> from probgen.distributions import DequantizedLaw
        >>> from probgen.flows import dequantization_noise, glow
        >>> noise = dequantization_noise((1, 4, 4), levels=8, steps=1, hidden=8)
        >>> law = DequantizedLaw(glow((1, 4, 4), levels=1, steps=1, hidden=8), levels=8, noise=noise)
        >>> law().log_prob(torch.zeros(5, 1, 4, 4)).shape
        torch.Size([5])
    """
    if steps < 1:
        raise ValueError(f"`steps` must be positive; got {steps}.")
    context = tuple(event_shape)

    def layers(shape: tuple[int, int, int], _level: int) -> list[Bijector]:
        channels, half = shape[0], shape[0] // 2
        parts: list[Bijector] = []
        for _ in range(steps):
            network = ConvConditioner(half, 2 * (channels - half), shape[1:], hidden=hidden, context_shape=context)
            parts.append(SplitCoupling(Affine(), network, (half, channels - half), context_shape=context))
            parts += [channel_mixing(channels, "lu", start="identity"), ActNorm((channels, 1, 1))]
        return parts

    flow = multi_scale_flow(context, 1, coarse_layers=layers, split_prior="learned", context_shape=context)
    return DequantizationNoise(flow, levels)

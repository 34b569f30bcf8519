r"""Residual flows on images: convolutional contractions at several resolutions.

At every level K layers :math:`h = (x - m) / s` (a channel), :math:`y = h + g(h)` with a convolutional :math:`g` whose norm as a
map of whole images is bounded. No coupling, no 1x1 convolution: every pixel moves in every layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from torch import nn

from probgen.distributions.bijectors import ActNorm, Bijector, Residual
from probgen.distributions.numerics.random_truncation import RandomTruncation
from probgen.flows.multi_scale import SplitPrior, multi_scale_flow
from probgen.nn import LipschitzConvNet, LipSwish

__all__ = ["image_residual_flow"]


def image_residual_flow(
    event_shape: Sequence[int],
    *,
    levels: int = 2,
    layers: int = 8,
    channels: int = 64,
    kernels: Sequence[int] = (3, 1, 3),
    lipschitz: float = 0.98,
    log_det: Literal["exact", "roulette", "truncated"] = "roulette",
    terms: int = 10,
    truncation: RandomTruncation | None = None,
    evaluation_terms: int = 20,
    split_prior: SplitPrior = "learned",
    context_shape: Sequence[int] | None = None,
    activation: Callable[[], nn.Module] = LipSwish,
    recompute: bool = False,
) -> Bijector:
    r"""The residual flow of Chen et al. (2019) on images.

    Args:
        event_shape: ``(C, H, W)``; H and W are multiples of ``2**levels``.
        levels: How many levels, each at half the resolution of the one before.
        layers: Residual layers at every level.
        channels: Hidden channels of the networks.
        kernels: Sizes of their kernels.
        lipschitz: The constant :math:`\kappa` of every layer's network, in (0, 1).
        log_det: As for ``residual_flow``.
        terms: Terms of "truncated".
        truncation: The law of the number of terms of "roulette" in training.
        evaluation_terms: Terms that are always there in evaluation mode.
        split_prior: As for ``glow``.
        context_shape: Trailing shape of the context, as for ``glow``.
        activation: Makes the activation, of slopes at most one.
        recompute: Evaluate networks again in the backward pass instead of storing what they computed.

    Returns:
        A bijector from ``[C H W]`` to ``[C, H, W]``; densities are its fast direction. ``flow.initialize_from(x, context)``
        starts its normalizations from a batch.

    Raises:
        ValueError: a size does not fit.

    References:
        Chen, Behrmann, Duvenaud, Jacobsen (2019). Residual flows for invertible generative modeling.
        https://arxiv.org/abs/1906.02735

    Example:
        >>> import torch
        >>> from probgen.flows import image_residual_flow
        >>> flow = image_residual_flow((1, 4, 4), levels=1, layers=2, channels=8).eval()
        >>> x = torch.randn(3, 1, 4, 4)
        >>> z, log_det = flow.inverse_and_log_det(x)
        >>> z.shape, torch.allclose(flow(z), x, atol=1e-4), flow.log_det_kind
        (torch.Size([3, 16]), True, 'unbiased')
    """
    if layers < 1:
        raise ValueError(f"`layers` must be positive; got {layers}.")

    network = partial(
        LipschitzConvNet,
        channels=channels,
        kernels=kernels,
        lipschitz=lipschitz,
        activation=activation,
        context_shape=context_shape,
    )
    layer = partial(
        Residual, log_det=log_det, terms=terms, truncation=truncation, evaluation_terms=evaluation_terms, recompute=recompute
    )

    def level_layers(shape: tuple[int, int, int], _level: int) -> list[Bijector]:
        parts: list[Bijector] = []
        for _ in range(layers):
            parts += [layer(network(shape), shape).inv, ActNorm((shape[0], 1, 1))]
        return parts

    return multi_scale_flow(
        event_shape, levels, coarse_layers=level_layers, split_prior=split_prior, context_shape=context_shape
    )

r"""Real NVP: affine couplings, :math:`y_b = t(x_a) + e^{s(x_a)} \odot x_b`, masks of every second coordinate.

``s`` is bounded (see ``distributions/bijectors/parameters.py``), as in the paper, where a hyperbolic tangent bounds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from probgen.distributions.bijectors import Affine, Bijector
from probgen.flows.coupling import coupling_flow

__all__ = ["real_nvp"]


def real_nvp(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 8,
    hidden: Sequence[int] = (128, 128),
    masks: Literal["half", "alternating"] = "alternating",
    activation: Callable[[], nn.Module] = nn.ReLU,
    residual: bool = False,
    dropout: float = 0.0,
    mixing: Callable[[], Bijector] | None = None,
) -> Bijector:
    r"""The affine coupling flow of Dinh et al. (2017) on vectors.

    Args:
        features: How many coordinates; 1 works.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many coupling layers.
        hidden: Widths of the conditioner's hidden layers.
        masks: Copy every second coordinate ("alternating", as checkerboards do), or halves ("half").
        activation: Makes the conditioner's activation.
        residual: Use residual blocks in the conditioner (an odd number of equal widths).
        dropout: Dropout in the conditioner, drawn anew at each call in training mode: call ``.eval()`` before inverting.
        mixing: Makes a bijector to put between two layers.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`, exact and fast both ways.

    Raises:
        ValueError: a size is not positive.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP. https://arxiv.org/abs/1605.08803

    Example:
        >>> import torch
        >>> from probgen.flows import real_nvp
        >>> flow = real_nvp(features=3, layers=4)
        >>> flow.forward_and_log_det(torch.zeros(5, 3))[1].shape
        torch.Size([5])
    """
    return coupling_flow(
        features,
        element=Affine(),
        context_shape=context_shape,
        layers=layers,
        hidden=hidden,
        masks=masks,
        activation=activation,
        residual=residual,
        dropout=dropout,
        mixing=mixing,
    )

r"""Masked autoregressive flow (MAF): affine maps given the coordinates before, densities in one pass.

.. math::

    y_i = t_i(y_{<i}) + e^{s_i(y_{<i})} x_i, \qquad \log|\det J| = \sum_i s_i(y_{<i}).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from probgen.distributions.bijectors import Affine, Bijector
from probgen.flows.autoregressive import autoregressive_flow

__all__ = ["masked_autoregressive_flow"]


def masked_autoregressive_flow(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 5,
    hidden: Sequence[int] = (128, 128),
    activation: Callable[[], nn.Module] = nn.ReLU,
    residual: bool = False,
    mixing: Callable[[], Bijector] | None = None,
) -> Bijector:
    r"""The masked autoregressive flow of Papamakarios et al. (2017): :math:`y_i = t_i(y_{<i}) + e^{s_i(y_{<i})} x_i`.

    Args:
        features: How many coordinates; 1 works.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many layers; every second one reverses the order of the coordinates.
        hidden: Widths of the network's hidden layers.
        activation: Makes the network's activation.
        residual: Use residual blocks in the network (an odd number of equal widths).
        mixing: Makes a bijector to put between two layers.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`; its inverse (densities) costs one pass.

    Raises:
        ValueError: a size is not positive.

    References:
        Papamakarios, Pavlakou, Murray (2017). Masked autoregressive flow for density estimation. https://arxiv.org/abs/1705.07057

    Example:
        >>> import torch
        >>> from probgen.flows import masked_autoregressive_flow
        >>> flow = masked_autoregressive_flow(features=3, layers=2, hidden=(16,))
        >>> flow.forward_and_log_det(torch.zeros(5, 3))[1].shape, flow.fast_direction
        (torch.Size([5]), 'inverse')
    """
    return autoregressive_flow(
        features,
        element=Affine(),
        context_shape=context_shape,
        layers=layers,
        hidden=hidden,
        parallel="inverse",
        activation=activation,
        residual=residual,
        mixing=mixing,
    )

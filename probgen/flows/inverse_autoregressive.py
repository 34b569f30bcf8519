r"""Inverse autoregressive flow (IAF): affine maps given the base's coordinates before, samples in one pass.

.. math::

    y_i = t_i(x_{<i}) + e^{s_i(x_{<i})} x_i, \qquad \log|\det J| = \sum_i s_i(x_{<i}).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from probgen.distributions.bijectors import Affine, Bijector
from probgen.flows.autoregressive import autoregressive_flow

__all__ = ["inverse_autoregressive_flow"]


def inverse_autoregressive_flow(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 5,
    hidden: Sequence[int] = (128, 128),
    activation: Callable[[], nn.Module] = nn.ReLU,
    residual: bool = False,
    mixing: Callable[[], Bijector] | None = None,
) -> Bijector:
    r"""The inverse autoregressive flow of Kingma et al. (2016), for variational posteriors: sampling is the fast direction.

    Args:
        features: How many coordinates; 1 works.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many layers; every second one reverses the order of the coordinates.
        hidden: Widths of the network's hidden layers.
        activation: Makes the network's activation.
        residual: Use residual blocks in the network (an odd number of equal widths).
        mixing: Makes a bijector to put between two layers.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`; its forward map (samples with their density) costs one pass.

    Raises:
        ValueError: a size is not positive.

    References:
        Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling (2016). Improving variational inference with inverse
        autoregressive flow. https://arxiv.org/abs/1606.04934

    Example:
        >>> import torch
        >>> from probgen.flows import inverse_autoregressive_flow
        >>> flow = inverse_autoregressive_flow(features=3, layers=2, hidden=(16,))
        >>> flow.forward_and_log_det(torch.zeros(5, 3))[1].shape, flow.fast_direction
        (torch.Size([5]), 'forward')
    """
    return autoregressive_flow(
        features,
        element=Affine(),
        context_shape=context_shape,
        layers=layers,
        hidden=hidden,
        parallel="forward",
        activation=activation,
        residual=residual,
        mixing=mixing,
    )

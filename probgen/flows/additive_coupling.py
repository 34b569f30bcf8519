r"""NICE: additive couplings, :math:`y_b = x_b + t(x_a)`, and one diagonal scaling at the end.

Every coupling preserves volume, so that the log-determinant of the whole flow is the sum of the logarithms of the scales,
the same for all data: which coordinates may vary, and how much, is learned once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from probgen.distributions.bijectors import Bijector, Compose, Independent, Scale, Shift
from probgen.flows.coupling import coupling_flow

__all__ = ["nice"]


def nice(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 4,
    hidden: Sequence[int] = (1000,) * 5,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> Bijector:
    r"""The additive coupling flow of Dinh, Krueger and Bengio (2014) on vectors; images are flattened.

    Args:
        features: How many coordinates; 1 works. ``nice(64) >> Reshape((64,), (1, 8, 8))`` is a flow on images.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many coupling layers, with masks of every second coordinate.
        hidden: Widths of the conditioner's hidden layers.
        activation: Makes the conditioner's activation.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`, exact and fast both ways, with a constant log-determinant. The
        paper's base is logistic for images, normal for others.

    Raises:
        ValueError: a size is not positive.

    References:
        Dinh, Krueger, Bengio (2015). NICE: non-linear independent components estimation. https://arxiv.org/abs/1410.8516

    Example:
        >>> import torch
        >>> from probgen.flows import nice
        >>> flow = nice(4, hidden=(16,))
        >>> flow.forward_and_log_det(torch.randn(5, 4))[1].tolist()  # the same for all data, zero before training
        [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    scale = Independent(Scale(shape=(features,)), 1)  # the first part in the direction of the data
    flow = coupling_flow(
        features,
        element=Shift(),
        context_shape=context_shape,
        layers=layers,
        hidden=hidden,
        masks="alternating",
        activation=activation,
    )
    return Compose(scale, flow)

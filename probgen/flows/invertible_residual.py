r"""The invertible residual network, i-ResNet: a residual flow whose log-determinant is a truncated series.

The first flow of this kind. With few coordinates its determinant is exact; otherwise the series of
:math:`\log\det(I + J)` stops after a fixed number of terms, an error of up to
:math:`L D \sum_{k > n} \kappa^k / k` nats for :math:`L` layers that does not average out: a model can learn to exploit it. So
this log-determinant says that it is biased; ``residual_flow`` is the unbiased successor with the same parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from probgen.distributions.bijectors import Bijector
from probgen.flows.residual import residual_flow

__all__ = ["invertible_resnet"]


def invertible_resnet(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 8,
    hidden: Sequence[int] = (128, 128),
    lipschitz: float = 0.9,
    log_det: Literal["exact", "truncated"] | None = None,
    terms: int = 10,
    activation: Callable[[], nn.Module] = nn.ELU,
    normalization: bool = True,
) -> Bijector:
    r"""The flow of Behrmann et al. (2019) on vectors.

    Args:
        features: How many coordinates; 1 works.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many residual layers.
        hidden: Widths of the hidden layers.
        lipschitz: The constant :math:`\kappa` of every layer's network, in (0, 1).
        log_det: "exact" or "truncated"; None for "exact" with at most 3 coordinates, as in the paper.
        terms: Terms of "truncated".
        activation: Makes the activation, of slopes at most one; the paper's is ELU.
        normalization: Put a learned affine map of every coordinate behind each layer; ``flow.initialize_from(x)`` starts them.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`, from the base to the data; densities are its fast direction. With a
        truncated series a distribution made of it trains with ``allow_estimate=True`` and has no density.

    Raises:
        ValueError: a size is not positive, or ``lipschitz`` is not in (0, 1).

    References:
        Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen (2019). Invertible residual networks. https://arxiv.org/abs/1811.00995

    Example:
        >>> import torch
        >>> from probgen.flows import invertible_resnet
        >>> flow = invertible_resnet(2, layers=2, hidden=(16,))
        >>> z = torch.randn(5, 2)
        >>> torch.allclose(flow.inverse(flow(z)), z, atol=1e-5), flow.log_det_kind
        (True, 'exact')
        >>> invertible_resnet(64, layers=2, hidden=(16,)).log_det_kind
        'biased'
    """
    return residual_flow(
        features,
        context_shape=context_shape,
        layers=layers,
        hidden=hidden,
        lipschitz=lipschitz,
        log_det=log_det or ("exact" if features <= 3 else "truncated"),
        terms=terms,
        activation=activation,
        normalization=normalization,
    )

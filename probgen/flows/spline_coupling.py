r"""Neural spline flow, coupling form: monotone rational-quadratic splines whose knots a network chooses.

Every coordinate of the transformed half goes through a spline of :math:`K` bins on :math:`[-B, B]`, the identity outside; the
copied half emits its :math:`3K - 1` numbers. Splines are as easy to invert as affine maps and far more flexible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from probgen.distributions.bijectors import Bijector, RationalQuadraticSpline
from probgen.flows.coupling import coupling_flow

__all__ = ["neural_spline_coupling"]


def neural_spline_coupling(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 8,
    bins: int = 8,
    bound: float = 5.0,
    hidden: Sequence[int] = (128, 128),
    masks: Literal["half", "alternating"] = "half",
    activation: Callable[[], nn.Module] = nn.ReLU,
    residual: bool = False,
    dropout: float = 0.0,
    mixing: Callable[[], Bijector] | None = None,
) -> Bijector:
    r"""The coupling flow RQ-NSF (C) of Durkan et al. (2019).

    Args:
        features: How many coordinates; 1 works.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many coupling layers.
        bins: Bins of each spline, :math:`K`.
        bound: The splines act on :math:`[-B, B]`; standardize the data.
        hidden: Widths of the conditioner's hidden layers.
        masks: Copy halves ("half"), or every second coordinate ("alternating").
        activation: Makes the conditioner's activation.
        residual: Use residual blocks in the conditioner (an odd number of equal widths).
        dropout: Dropout in the conditioner, drawn anew at each call in training mode: call ``.eval()`` before inverting.
        mixing: Makes a bijector to put between two layers (the paper uses an LU-parametrized linear map).

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`, exact and fast both ways.

    Raises:
        ValueError: a size is not positive.

    References:
        Durkan, Bekasov, Murray, Papamakarios (2019). Neural spline flows. https://arxiv.org/abs/1906.04032

    Example:
        >>> import torch
        >>> from probgen.flows import neural_spline_coupling
        >>> flow = neural_spline_coupling(features=2, context_shape=(1,), layers=4)
        >>> x, context = torch.randn(5, 2), torch.randn(5, 1)
        >>> torch.allclose(flow.inverse(flow(x, context), context), x, atol=1e-4)
        True
    """
    return coupling_flow(
        features,
        element=RationalQuadraticSpline(bins=bins, bound=bound),
        context_shape=context_shape,
        layers=layers,
        hidden=hidden,
        masks=masks,
        activation=activation,
        residual=residual,
        dropout=dropout,
        mixing=mixing,
    )

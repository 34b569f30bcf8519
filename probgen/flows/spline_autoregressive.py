r"""Neural spline flow, autoregressive form: rational-quadratic splines whose knots depend on the coordinates before.

A spline of :math:`K` bins on :math:`[-B, B]` a coordinate, the identity outside; the masked network emits its
:math:`3K - 1` numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from probgen.distributions.bijectors import Bijector, RationalQuadraticSpline
from probgen.flows.autoregressive import autoregressive_flow

__all__ = ["neural_spline_autoregressive"]


def neural_spline_autoregressive(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 5,
    bins: int = 8,
    bound: float = 5.0,
    hidden: Sequence[int] = (128, 128),
    activation: Callable[[], nn.Module] = nn.ReLU,
    residual: bool = False,
    mixing: Callable[[], Bijector] | None = None,
) -> Bijector:
    r"""The autoregressive flow RQ-NSF (AR) of Durkan et al. (2019).

    Args:
        features: How many coordinates; 1 works.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many layers; every second one reverses the order of the coordinates.
        bins: Bins of each spline, :math:`K`.
        bound: The splines act on :math:`[-B, B]`; standardize the data.
        hidden: Widths of the network's hidden layers.
        activation: Makes the network's activation.
        residual: Use residual blocks in the network (an odd number of equal widths).
        mixing: Makes a bijector to put between two layers.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`; its inverse (densities) costs one pass.

    Raises:
        ValueError: a size is not positive.

    References:
        Durkan, Bekasov, Murray, Papamakarios (2019). Neural spline flows. https://arxiv.org/abs/1906.04032

    Example:
        >>> import torch
        >>> from probgen.flows import neural_spline_autoregressive
        >>> flow = neural_spline_autoregressive(features=3, layers=2, hidden=(16,))
        >>> flow.forward_and_log_det(torch.zeros(5, 3))[1].shape, flow.fast_direction
        (torch.Size([5]), 'inverse')
    """
    return autoregressive_flow(
        features,
        element=RationalQuadraticSpline(bins=bins, bound=bound),
        context_shape=context_shape,
        layers=layers,
        hidden=hidden,
        parallel="inverse",
        activation=activation,
        residual=residual,
        mixing=mixing,
    )

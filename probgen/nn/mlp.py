r"""Multilayer perceptrons: :math:`h_{l+1} = \sigma(W_l h_l + b_l)` and a last linear layer.

The residual form adds to each pair of layers its input, :math:`h \leftarrow h + W_2\, \sigma(W_1 \sigma(h) + b_1) + b_2`
(pre-activation residual blocks: He et al., 2016, https://arxiv.org/abs/1603.05027). Weights start as torch's defaults do.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

__all__ = ["MLP", "residual_width"]


class MLP(nn.Module):
    r"""A fully connected network, :math:`[*\mathrm{batch}, n] \to [*\mathrm{batch}, m]`.

    Args:
        in_features: Width of the input. It may be 0: the output is then a learned constant (or depends on the context alone).
        out_features: Width of the output.
        hidden: Widths of the hidden layers; () for a linear map.
        activation: Makes the activation module, called once a hidden layer.
        context_features: Width of the context, concatenated to the input.
        dropout: Probability with which a hidden unit is dropped in training.
        residual: Use residual blocks of two layers after the first layer; then ``hidden`` holds an odd number of equal widths.

    Raises:
        ValueError: a width is negative, or ``hidden`` does not fit residual blocks.

    Example:
        >>> import torch
        >>> from probgen.nn import MLP
        >>> MLP(2, 3, hidden=(16, 16), context_features=1)(torch.zeros(5, 2), torch.zeros(5, 1)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        hidden: Sequence[int] = (128, 128),
        activation: Callable[[], nn.Module] = nn.ReLU,
        context_features: int = 0,
        dropout: float = 0.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if min(in_features, out_features, context_features, *hidden, 0) < 0:
            raise ValueError(f"widths must not be negative; got {in_features}, {context_features}, {hidden}, {out_features}.")
        if residual:
            residual_width(hidden)
        self.residual = residual
        widths = [in_features + context_features, *hidden, out_features]
        self.layers = nn.ModuleList(_linear(n, m) for n, m in itertools.pairwise(widths))
        self.activations = nn.ModuleList(activation() for _ in hidden)
        self.dropout = nn.Dropout(dropout) if dropout else None

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Map ``x`` ``[*batch, in_features]`` (and a context ``[*batch, context_features]``) to ``[*batch, out_features]``."""
        if context is not None:
            batch = torch.broadcast_shapes(x.shape[:-1], context.shape[:-1])
            x = torch.cat([x.expand(*batch, -1), context.expand(*batch, -1)], dim=-1)
        skip = x
        for index, (layer, activation) in enumerate(zip(self.layers, self.activations, strict=False)):
            x = layer(x)
            if self.residual and index % 2 == 0:
                x = skip = x + skip if index else x
            x = activation(x)
            if self.dropout is not None:
                x = self.dropout(x)
        return self.layers[-1](x)  # type: ignore[no-any-return]


def residual_width(hidden: Sequence[int]) -> int:
    """The common width of a first layer followed by residual blocks of two layers.

    Args:
        hidden: Widths of the hidden layers.

    Raises:
        ValueError: the widths differ, or their number is even.

    Example:
        >>> from probgen.nn.mlp import residual_width
        >>> residual_width((64, 64, 64))
        64
    """
    if len(hidden) % 2 == 0 or len(set(hidden)) != 1:
        raise ValueError(f"a residual network needs an odd number of equal `hidden` widths; got {tuple(hidden)}.")
    return hidden[0]


def _linear(n: int, m: int) -> nn.Linear:
    """A linear layer with torch's default start; without inputs it is a bias, and torch's warning about that is unwanted."""
    with warnings.catch_warnings():
        if n == 0 or m == 0:
            warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
        layer = nn.Linear(n, m)
    if n == 0:  # torch starts this bias at zero, exactly on the kink of a rectifier
        nn.init.uniform_(layer.bias, -1.0, 1.0)
    return layer

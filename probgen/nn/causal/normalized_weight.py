r"""Weights as length times direction, and an initialization from data.

.. math:: w_o = g_o\, \frac{v_o}{\lVert v_o \rVert}, \qquad
   \text{from data: } \quad g_o \leftarrow \frac{s\, g_o}{\sigma_o}, \qquad b_o \leftarrow \frac{s\,(b_o - \mu_o)}{\sigma_o},

for each output channel o, where :math:`\mu_o` and :math:`\sigma_o` are mean and deviation of what the layer gives for a batch:
after one pass each layer gives mean zero and deviation :math:`s`, whatever stands before it. Unlike a normalization of the
activations this couples neither positions (which would show the future) nor the images of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["NormalizedPointwise", "NormalizedWeight", "initialized_by_data"]


class NormalizedWeight(nn.Module):
    r"""A layer whose weight is :math:`g\, v / \lVert v \rVert` for each output (abstract).

    Args:
        in_features: Channels that it sees.
        out_features: Channels that it gives.
        kernel: Size of the kernel.
        weight_norm: Whether length and direction are parameters of their own; otherwise the weight itself is one.
        init_scale: The deviation :math:`s` of the outputs for inputs of mean square one.

    Raises:
        ValueError: a size is not positive.

    References:
        Salimans, Kingma (2016). Weight normalization. https://arxiv.org/abs/1602.07868

    Example:
        >>> from probgen.nn.causal import NormalizedPointwise
        >>> layer = NormalizedPointwise(3, 5, init_scale=0.1)
        >>> layer.weight().square().sum((1, 2)).sqrt()
        tensor([0.1000, 0.1000, 0.1000, 0.1000, 0.1000], grad_fn=<SqrtBackward0>)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel: Sequence[int],
        *,
        weight_norm: bool = True,
        init_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if min(in_features, out_features, *kernel) < 1:
            raise ValueError(f"sizes must be positive; got {in_features} and {out_features} features, kernel {tuple(kernel)}.")
        self.in_features, self.out_features = in_features, out_features
        self.kernel, self.init_scale = tuple(kernel), init_scale
        width = init_scale / math.sqrt(in_features * math.prod(kernel))
        self.direction = nn.Parameter(width * torch.randn(out_features, in_features, *kernel))
        self.gain = nn.Parameter(torch.full((out_features,), float(init_scale))) if weight_norm else None
        self.bias = nn.Parameter(torch.zeros(out_features))

    def weight(self) -> Tensor:
        """The weight, ``[out_features, in_features, *kernel]``."""
        if self.gain is None:
            return self.direction
        scale = self.gain / self.direction.flatten(1).norm(dim=1)
        weight: Tensor = self.direction * scale.reshape(-1, *(1,) * (self.direction.dim() - 1))
        return weight

    def extra_repr(self) -> str:
        """Channels, kernel, and whether length and direction are parameters of their own."""
        return f"{self.in_features}, {self.out_features}, kernel={self.kernel}, weight_norm={self.gain is not None}"


class NormalizedPointwise(NormalizedWeight):
    """The same linear map at every position: ``Pointwise`` with a normalized weight.

    Args:
        in_features: Channels that it sees.
        out_features: Channels that it gives.
        weight_norm: Whether length and direction are parameters of their own.
        init_scale: The deviation of the outputs for inputs of mean square one.

    Example:
        >>> import torch
        >>> from probgen.nn.causal import NormalizedPointwise
        >>> layer = NormalizedPointwise(3, 5)
        >>> layer(torch.zeros(2, 3, 8, 8)).shape, layer(torch.zeros(2, 3)).shape
        (torch.Size([2, 5, 8, 8]), torch.Size([2, 5]))
    """

    def __init__(self, in_features: int, out_features: int, *, weight_norm: bool = True, init_scale: float = 1.0) -> None:
        super().__init__(in_features, out_features, (1,), weight_norm=weight_norm, init_scale=init_scale)

    def forward(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """The map at every position of ``[N, C, *grid]``, or of a column ``[N, C]``; with a weight computed before, or not."""
        weight = self.weight() if weight is None else weight
        if x.dim() == 2:
            return F.linear(x, weight.squeeze(-1), self.bias)
        return F.conv1d(x.flatten(2), weight, self.bias).unflatten(2, x.shape[2:])  # type: ignore[no-any-return]


@contextmanager
def initialized_by_data(module: nn.Module) -> Iterator[None]:
    """Inside, each layer with a normalized weight that is called sets its lengths and biases by what it sees.

    Args:
        module: Its layers, at any depth. One parallel pass on a batch of data is what belongs inside.

    Example:
        >>> import torch
        >>> from probgen.nn.causal import NormalizedPointwise, initialized_by_data
        >>> _ = torch.manual_seed(0)
        >>> layer, x = NormalizedPointwise(3, 2), 5 + 4 * torch.randn(100, 3)
        >>> with initialized_by_data(layer):
        ...     _ = layer(x)
        >>> layer(x).mean(0).abs().max() < 1e-4, layer(x).std(0, correction=0).sub(1).abs().max() < 1e-4
        (tensor(True), tensor(True))
    """
    layers = [layer for layer in module.modules() if isinstance(layer, NormalizedWeight)]
    handles = [layer.register_forward_hook(_standardize) for layer in layers]
    try:
        with torch.no_grad():
            yield
    finally:
        for handle in handles:
            handle.remove()


def _standardize(layer: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
    """Set length and bias so that the output has mean zero and the wished deviation; return that output."""
    if not isinstance(layer, NormalizedWeight):
        raise TypeError(f"`layer` must be a NormalizedWeight; got {type(layer).__name__}.")
    flat = output.movedim(1, 0).flatten(1)
    mean, factor = flat.mean(1), layer.init_scale * (flat.var(1, correction=0) + 1e-10).rsqrt()
    lengths = layer.direction if layer.gain is None else layer.gain
    lengths.mul_(factor.reshape(-1, *(1,) * (lengths.dim() - 1)))
    layer.bias.sub_(mean).mul_(factor)
    shape = (1, -1, *(1,) * (output.dim() - 2))
    return (output - mean.reshape(shape)) * factor.reshape(shape)

r"""A convolutional network with a Lipschitz constant below a given one, as map of whole images.

As ``LipschitzMLP``, with convolutions whose norm is bounded in the Fourier basis: :math:`L` of them, each of norm
:math:`\kappa^{1/L}` at most.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions.numerics.layered_map import LayeredMap
from probgen.nn.flows.grid_context import GridContext
from probgen.nn.lipschitz.activations import LipSwish, require_one_lipschitz
from probgen.nn.lipschitz.layers import LipschitzConv2d

__all__ = ["LipschitzConvNet"]


class LipschitzConvNet(nn.Module):
    r"""A convolutional network of images with Lipschitz constant :math:`\kappa` in :math:`x`.

    Args:
        event_shape: ``(C, H, W)`` of input and output.
        channels: Channels of the hidden layers.
        kernels: Sizes of the kernels, odd, one for each convolution.
        lipschitz: The constant :math:`\kappa`, positive; below one for a ``Residual`` bijector.
        activation: Makes the activations, of slopes at most one and with second derivatives.
        context_shape: A vector's or an image's shape, or None; it moves every layer (see ``GridContext``).
        iterations: As for ``spectral_norm_bound``.

    Raises:
        ValueError: a size or ``lipschitz`` is not positive, or the activation is too steep.

    References:
        Chen, Behrmann, Duvenaud, Jacobsen (2019). Residual flows for invertible generative modeling.
        https://arxiv.org/abs/1906.02735

    Example:
        >>> import torch
        >>> from probgen.nn import LipschitzConvNet
        >>> network = LipschitzConvNet((2, 4, 4), channels=8, lipschitz=0.9)
        >>> matrix = torch.func.jacrev(lambda x: network(x.reshape(1, 2, 4, 4)).flatten())(torch.randn(32))
        >>> bool(torch.linalg.matrix_norm(matrix, 2) <= 0.9)
        True
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        channels: int = 32,
        kernels: Sequence[int] = (3, 1, 3),
        lipschitz: float = 0.97,
        activation: Callable[[], nn.Module] = LipSwish,
        context_shape: Sequence[int] | None = None,
        iterations: int = 6,
    ) -> None:
        super().__init__()
        if len(event_shape) != 3 or min(*event_shape, channels) < 1 or not kernels or not lipschitz > 0:
            raise ValueError(
                f"`event_shape` must be (C, H, W), `kernels` not empty, `channels` and `lipschitz` positive; "
                f"got {tuple(event_shape)}, {tuple(kernels)}, {channels} and {lipschitz}."
            )
        size, self.lipschitz = (event_shape[1], event_shape[2]), float(lipschitz)
        each = self.lipschitz ** (1.0 / len(kernels))
        widths = (event_shape[0], *(channels,) * (len(kernels) - 1), event_shape[0])
        self.layers = nn.ModuleList(
            LipschitzConv2d(n, m, kernel=kernel, size=size, lipschitz=each, iterations=iterations)
            for (n, m), kernel in zip(itertools.pairwise(widths), kernels, strict=True)
        )
        self.activations = nn.ModuleList(require_one_lipschitz(activation()) for _ in kernels[1:])
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.contexts = (
            None
            if self.context_shape is None
            else nn.ModuleList(GridContext(self.context_shape, width, size) for width in widths[1:])
        )

    def bind(self, context: Tensor | None = None) -> LayeredMap:
        """The network for one context, as a function of ``x``; kernels are bounded once, for all calls.

        Args:
            context: ``[N, *context_shape]``, where the network takes one.

        Returns:
            A function from ``[N, C, H, W]`` to ``[N, C, H, W]``, which has its Jacobian by its factors.
        """
        weights: list[Tensor] = [layer.bounded_weight() for layer in self.layers]  # type: ignore[operator]
        biases: list[Tensor] = [layer.bias for layer in self.layers]  # type: ignore[misc]
        shifts = [None] * len(weights) if self.contexts is None else [part(context) for part in self.contexts]

        layers = tuple(functools.partial(_affine, *each) for each in zip(weights, biases, shifts, strict=True))
        transposes = tuple(functools.partial(_transposed, weight) for weight in weights)
        return LayeredMap(layers, transposes, tuple(self.activations))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Map ``x`` ``[N, C, H, W]``, with a context ``[N, *context_shape]`` where one is taken, to ``[N, C, H, W]``."""
        return self.bind(context)(x)


def _affine(weight: Tensor, bias: Tensor, shift: Tensor | None, x: Tensor) -> Tensor:
    value = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
    return value if shift is None else value + shift


def _transposed(weight: Tensor, vectors: Tensor) -> Tensor:
    flat = vectors.reshape(-1, *vectors.shape[-3:])
    product = F.conv_transpose2d(flat, weight, padding=weight.shape[-1] // 2)
    return product.reshape(*vectors.shape[:-3], *product.shape[1:])

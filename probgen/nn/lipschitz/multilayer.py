r"""A perceptron with a Lipschitz constant below a given one: what :math:`x \mapsto x + g(x)` needs to be invertible.

Constants multiply: with activations of slope one at most and :math:`L` linear layers of norm :math:`\kappa^{1/L}`, the whole
network has :math:`|g(x) - g(x')| \le \kappa |x - x'|`. A context moves every layer, and is not bounded: for each context the
network is a contraction of :math:`x`.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions.numerics.layered_map import LayeredMap
from probgen.nn._context import declared_context_shape, flat_context
from probgen.nn.lipschitz.activations import LipSwish, require_one_lipschitz
from probgen.nn.lipschitz.layers import LipschitzLinear

__all__ = ["LipschitzMLP"]


class LipschitzMLP(nn.Module):
    r"""A fully connected network of vectors with Lipschitz constant :math:`\kappa` in :math:`x`.

    Args:
        features: Width :math:`D` of input and output.
        hidden: Widths of the hidden layers.
        lipschitz: The constant :math:`\kappa`, positive; below one for a ``Residual`` bijector.
        activation: Makes the activations, of slopes at most one and with second derivatives.
        context_features: Width of the context, or its shape; 0 for none. Its linear map is added before every activation and
            to the output.
        iterations: As for ``spectral_norm_bound``.

    Raises:
        ValueError: a width or ``lipschitz`` is not positive, or the activation is too steep.

    References:
        Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen (2019). Invertible residual networks. https://arxiv.org/abs/1811.00995

    Example:
        >>> import torch
        >>> from probgen.nn import LipschitzMLP
        >>> network = LipschitzMLP(3, hidden=(16, 16), lipschitz=0.9)
        >>> matrix = torch.func.jacrev(network)(torch.randn(3))
        >>> bool(torch.linalg.matrix_norm(matrix, 2) <= 0.9)
        True
    """

    def __init__(
        self,
        features: int,
        *,
        hidden: Sequence[int] = (128, 128),
        lipschitz: float = 0.97,
        activation: Callable[[], nn.Module] = LipSwish,
        context_features: int | Sequence[int] = 0,
        iterations: int = 6,
    ) -> None:
        super().__init__()
        widths = (features, *hidden, features)
        if min(widths) < 1 or not lipschitz > 0:
            raise ValueError(f"widths and `lipschitz` must be positive; got {widths} and {lipschitz}.")
        self.lipschitz = float(lipschitz)
        each = self.lipschitz ** (1.0 / (len(widths) - 1))
        self.layers = nn.ModuleList(
            LipschitzLinear(n, m, lipschitz=each, iterations=iterations) for n, m in itertools.pairwise(widths)
        )
        self.activations = nn.ModuleList(require_one_lipschitz(activation()) for _ in hidden)
        self.context_shape = declared_context_shape(context_features)
        self.widths = list(widths[1:])
        numbers = 0 if self.context_shape is None else math.prod(self.context_shape)
        self.context = None if self.context_shape is None else nn.Linear(numbers, sum(self.widths), bias=False)

    def bind(self, context: Tensor | None = None) -> LayeredMap:
        """The network for one context, as a function of ``x``; weights are bounded once, for all calls.

        Args:
            context: ``[*batch, *context_shape]``, where the network takes one.

        Returns:
            A function from ``[*batch, D]`` to ``[*batch, D]``, which has its Jacobian by its factors.
        """
        weights = [layer.bounded_weight() for layer in self.layers]  # type: ignore[operator]
        shifts: list[Tensor] = [layer.bias for layer in self.layers]  # type: ignore[misc]
        if self.context is not None:
            rows = flat_context(type(self).__name__, context, self.context_shape, ())
            shifts = [own + more for own, more in zip(shifts, self.context(rows).split(self.widths, -1), strict=True)]

        layers = tuple(functools.partial(_affine, weight, shift) for weight, shift in zip(weights, shifts, strict=True))
        transposes = tuple(functools.partial(_times, weight) for weight in weights)
        return LayeredMap(layers, transposes, tuple(self.activations))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Map ``x`` ``[*batch, D]``, with a context ``[*batch, *context_shape]`` where one is taken, to ``[*batch, D]``."""
        flat_context(type(self).__name__, context, self.context_shape, x.shape[:-1])
        return self.bind(context)(x)


def _affine(weight: Tensor, shift: Tensor, x: Tensor) -> Tensor:
    return F.linear(x, weight, shift) if shift.dim() == 1 else F.linear(x, weight) + shift


def _times(weight: Tensor, vectors: Tensor) -> Tensor:
    return vectors @ weight

r"""Networks made of affine layers and activations in turn, with their Jacobian by its factors.

.. math:: g = A_L \circ \varphi_{L-1} \circ A_{L-1} \circ \dots \circ \varphi_1 \circ A_1, \qquad
    J^\top v = W_1^\top S_1 W_2^\top S_2 \cdots S_{L-1} W_L^\top v,

with the slopes :math:`S_l = \operatorname{diag} \varphi_l'` at the point. The slopes are computed once, by their formula; a
product with :math:`J^\top` then costs one product with each :math:`W_l^\top` and one multiplication for each activation, where
backpropagation would go through every operation of the activations again. All is made of ordinary differentiable operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

__all__ = ["LayeredJacobian", "LayeredMap"]


class LayeredJacobian(NamedTuple):
    r"""The transposed Jacobian at every row of a batch, :math:`v \mapsto J^\top v`, by its factors.

    Attributes:
        transposes: The maps :math:`v \mapsto W_l^\top v`, the last layer's first; they take any leading axes.
        slopes: The diagonals of :math:`S_l`, each ``[N, *hidden]``, the last one first.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.layered_map import LayeredJacobian
        >>> jacobian = LayeredJacobian((lambda v: 3 * v, lambda v: 2 * v), (torch.tensor([[0.5], [1.0]]),))
        >>> jacobian(torch.ones(2, 1)), jacobian.first(1)(torch.ones(1, 1))
        (tensor([[3.],
                [6.]]), tensor([[3.]]))
    """

    transposes: tuple[Callable[[Tensor], Tensor], ...]
    slopes: tuple[Tensor, ...]

    def __call__(self, vectors: Tensor) -> Tensor:
        """The products, for ``[*probes, N, *event]``; ``N`` may be one if the vectors are the same for all rows."""
        vectors = self.transposes[0](vectors)
        for slope, transpose in zip(self.slopes, self.transposes[1:], strict=True):
            vectors = transpose(vectors * slope)
        return vectors

    def ordered(self, order: Tensor) -> LayeredJacobian:
        """The same with rows in another order.

        Args:
            order: Numbers of rows.
        """
        return self._replace(slopes=tuple(slope.index_select(0, order) for slope in self.slopes))

    def first(self, count: int) -> LayeredJacobian:
        """The same for the first rows only.

        Args:
            count: How many.
        """
        return self._replace(slopes=tuple(slope[:count] for slope in self.slopes))


class LayeredMap(NamedTuple):
    """A network of affine layers and activations in turn, as a function of its input alone.

    Attributes:
        layers: The affine maps, first to last.
        transposes: ``v -> W^T v`` for each of them, for any leading axes.
        activations: One fewer: called with a tensor. One that has a method ``value_and_slope`` gives its slope by a formula.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.layered_map import LayeredMap
        >>> double = LayeredMap((lambda x: 2 * x + 1,), (lambda v: 2 * v,), ())
        >>> double(torch.ones(1, 1)), double.linearized(torch.ones(1, 1))[1](torch.ones(1, 1))
        (tensor([[3.]]), tensor([[2.]]))
    """

    layers: tuple[Callable[[Tensor], Tensor], ...]
    transposes: tuple[Callable[[Tensor], Tensor], ...]
    activations: tuple[Callable[[Tensor], Tensor], ...]

    def __call__(self, x: Tensor) -> Tensor:
        """The value."""
        for layer, activation in zip(self.layers, self.activations, strict=False):  # the last layer has none
            x = activation(layer(x))
        return self.layers[-1](x)

    @property
    def has_slopes(self) -> bool:
        """Whether every activation knows its slope, so that there is a linearization."""
        return all(hasattr(activation, "value_and_slope") for activation in self.activations)

    def linearized(self, x: Tensor) -> tuple[Tensor, LayeredJacobian]:
        """The value and the transposed Jacobian, both differentiable.

        Args:
            x: Points ``[N, *event]``.
        """
        slopes: list[Tensor] = []
        for layer, activation in zip(self.layers, self.activations, strict=False):
            x, slope = activation.value_and_slope(layer(x))  # type: ignore[attr-defined]
            slopes.append(slope)
        return self.layers[-1](x), LayeredJacobian(self.transposes[::-1], tuple(slopes[::-1]))

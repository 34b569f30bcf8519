r"""Coordinates with finitely many values: :math:`P(x = k) = e^{a_k} / \sum_j e^{a_j}`."""

from __future__ import annotations

from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.categorical_levels import CategoricalLevels
from probgen.distributions.chains.independent_categorical import IndependentCategorical
from probgen.distributions.elements.element import Element
from probgen.distributions.events import checked
from probgen.distributions.numerics.categories import draw_categories
from probgen.distributions.quantization import Quantization

__all__ = ["CategoricalElement"]


class CategoricalElement(Element):
    r"""A coordinate with a free probability for each of its values; the network gives their logits.

    Args:
        values: A number S: data are the integers 0, ..., S - 1, in any dtype, draws are int64. Or a ``Quantization``: data and
            draws are its bin centers.

    Raises:
        ValueError: there is no value.

    References:
        van den Oord, Kalchbrenner, Kavukcuoglu (2016). Pixel recurrent neural networks. https://arxiv.org/abs/1601.06759

    Example:
        >>> import torch
        >>> from probgen.distributions import Quantization
        >>> from probgen.distributions.elements import CategoricalElement
        >>> CategoricalElement(5)(torch.zeros(3, 5)).mean
        tensor([2., 2., 2.])
        >>> CategoricalElement(Quantization(5, -1.0, 1.0))(torch.zeros(3, 5)).log_prob(torch.tensor([-0.5, 0.0, 1.0])).exp()
        tensor([0.2000, 0.2000, 0.2000])
    """

    def __init__(self, values: int | Quantization) -> None:
        super().__init__()
        if not isinstance(values, Quantization) and values < 1:
            raise ValueError(f"`values` must be positive; got {values}.")
        self.values = values
        self.num_parameters = values.levels if isinstance(values, Quantization) else values

    def _law(self, parameters: Tensor) -> TorchDistribution:
        if isinstance(self.values, Quantization):
            return CategoricalLevels(parameters, self.values, validate_args=checked(parameters))
        return IndependentCategorical(parameters, 0, validate_args=checked(parameters))

    def _draw(self, parameters: Tensor) -> Tensor:
        index = draw_categories(parameters)
        return self.values.decode(index, parameters.dtype) if isinstance(self.values, Quantization) else index

    def extra_repr(self) -> str:
        """The values."""
        return str(self.values)

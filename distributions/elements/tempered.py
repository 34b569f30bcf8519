r"""Tempered elements: :math:`p_T(x) \propto p(x)^{1/T}`, sharper than p for T < 1, flatter for T > 1.

In closed form: a logit is divided by T (binary laws, free levels, the continuous Bernoulli law), a standard deviation
multiplied by :math:`\sqrt T` (normal laws). Laws of levels are tempered by their table of masses.
"""

from __future__ import annotations

import math
from typing import cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.continuous_bernoulli import ContinuousBernoulli
from probgen.distributions.elements.element import Element
from probgen.distributions.elements.tables import as_table, with_log_masses
from probgen.distributions.events import checked

__all__ = ["TemperedElement"]


class TemperedElement(Element):
    r"""Another element's law, tempered: :math:`p_T(x) = p(x)^{1/T} / Z_T`, with mass one again.

    Args:
        element: Binary, categorical, of levels, normal or continuous Bernoulli; a law of single numbers.
        temperature: The temperature :math:`T > 0`; 1 changes nothing.

    Raises:
        TypeError: the element's law cannot be tempered: its numbers depend on each other, or it is of another kind.
        ValueError: the temperature is outside [1e-30, 1e30], beyond which float32 has no numbers; ``TopKElement(element, 1)``
            is the limit T to 0.

    Example:
        >>> import torch
        >>> from probgen.distributions.elements import CategoricalElement, NormalElement, TemperedElement
        >>> logits = torch.tensor([0.5, 0.25, 0.15, 0.1]).log()
        >>> TemperedElement(CategoricalElement(4), 0.5)(logits).probs
        tensor([0.7246, 0.1812, 0.0652, 0.0290])
        >>> TemperedElement(NormalElement(1.0), 4.0)(torch.zeros(1))
        Normal(loc: 0.0, scale: 2.0)
    """

    def __init__(self, element: Element, temperature: float) -> None:
        super().__init__()
        if not 1e-30 <= temperature <= 1e30:
            raise ValueError(f"`temperature` must be positive and lie in [1e-30, 1e30]; got {temperature}.")
        self.element = element
        self.temperature = float(temperature)
        self.num_parameters = element.num_parameters
        self.event_shape = element.event_shape
        self(torch.zeros(self.num_parameters))  # whether it can be tempered

    def _law(self, parameters: Tensor) -> TorchDistribution:
        law = self.element(parameters)
        if isinstance(law, torch.distributions.Bernoulli):
            logits = law.logits / self.temperature
            return cast(TorchDistribution, dist.Bernoulli(logits=logits, validate_args=checked(logits)))
        if isinstance(law, torch.distributions.Normal):
            scale = law.scale * math.sqrt(self.temperature)
            return cast(TorchDistribution, dist.Normal(law.loc, scale, validate_args=checked(law.loc, scale)))
        if isinstance(law, ContinuousBernoulli):
            logits = law.logits / self.temperature
            return ContinuousBernoulli(logits, validate_args=checked(logits))
        table = as_table(law)
        if table is None:
            raise TypeError(f"`element` must have a law that can be tempered; {type(self.element).__name__} has not.")
        return with_log_masses(table, table.log_probs / self.temperature)

    def extra_repr(self) -> str:
        """The temperature."""
        return f"temperature={self.temperature:g}"

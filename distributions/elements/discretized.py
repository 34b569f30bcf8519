r"""Coordinates on levels: a normal or a logistic law rounded to the bin centers of a quantization.

The network sees the levels as if they spanned [-1, 1]: with :math:`m` their middle and :math:`h` half of their range it gives
:math:`(\theta, s)`, and

.. math:: \mu = m + h\,\theta, \qquad \text{scale} = h\, e^s .

So a network that says zeros means the law in the middle of the range that covers it, whether data are bytes or lie in [0, 1].
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.discretized import Discretized, DiscretizedLogistic, DiscretizedNormal
from probgen.distributions.elements.location_scale import LocationScaleElement
from probgen.distributions.events import checked
from probgen.distributions.quantization import Quantization, require_quantization

__all__ = ["DiscretizedLogisticElement", "DiscretizedNormalElement"]


class DiscretizedElement(LocationScaleElement):
    """A coordinate on levels with a location-scale law, rounded (abstract); a subclass names the law.

    Attributes:
        quantization: The levels.
        rounded: The discretized law.

    Args:
        quantization: The levels.
        scale: ``"predicted"``, ``"shared"`` or a number, as in ``NormalElement``; the number is in the units of the data.

    Raises:
        TypeError: ``quantization`` is no ``Quantization``.
        ValueError: the scale is a word of another kind, or not positive.

    Example:
        >>> from probgen.distributions import Quantization
        >>> from probgen.distributions.elements import DiscretizedNormalElement
        >>> from probgen.distributions.elements.discretized import DiscretizedElement
        >>> isinstance(DiscretizedNormalElement(Quantization(5, -2.0, 2.0)), DiscretizedElement)
        True
    """

    rounded: ClassVar[type[Discretized]]

    def __init__(self, quantization: Quantization, scale: Literal["predicted", "shared"] | float = "predicted") -> None:
        super().__init__(scale)
        self.quantization = require_quantization(quantization)

    def _law(self, parameters: Tensor) -> TorchDistribution:
        location, scale = self._on_levels(parameters)
        return self.rounded(location, scale, self.quantization, validate_args=checked(location, scale))

    def _draw(self, parameters: Tensor) -> Tensor:
        location, scale = self._on_levels(parameters)
        return self.quantization.snap(location + scale * self.rounded.noise_like(location))

    def _on_levels(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Location and scale in the units of the data."""
        half = half_range(self.quantization)
        location, scale = self._location_and_scale(parameters, half)
        return middle(self.quantization) + half * location, scale

    def extra_repr(self) -> str:
        """The levels, and how the scale is found."""
        return f"{self.quantization}, {super().extra_repr()}"


class DiscretizedLogisticElement(DiscretizedElement):
    r"""A coordinate on levels with a logistic law: exact masses, outer bins open, so they sum to one.

    .. math:: P(c) = \sigma\Bigl(\frac{c + w/2 - \mu}{s}\Bigr) - \sigma\Bigl(\frac{c - w/2 - \mu}{s}\Bigr)

    Args:
        quantization: The levels.
        scale: ``"predicted"``, ``"shared"`` or a number, as in ``NormalElement``; the number is in the units of the data.

    Raises:
        TypeError: ``quantization`` is no ``Quantization``.
        ValueError: the scale is a word of another kind, or not positive.

    References:
        Kingma et al. (2016). Improving variational inference with inverse autoregressive flow. https://arxiv.org/abs/1606.04934

    Example:
        >>> import torch
        >>> from probgen.distributions import Quantization
        >>> from probgen.distributions.elements import DiscretizedLogisticElement
        >>> law = DiscretizedLogisticElement(Quantization(256, 0.0, 255.0))(torch.zeros(2))
        >>> law.loc, law.scale, law.log_prob(law.enumerate_support()).logsumexp(0).abs() < 1e-5
        (tensor(127.5000), tensor(127.5000), tensor(True))
    """

    rounded = DiscretizedLogistic


class DiscretizedNormalElement(DiscretizedElement):
    r"""A coordinate on levels with a normal law: exact masses, outer bins open, so they sum to one.

    .. math:: P(c) = \Phi\Bigl(\frac{c + w/2 - \mu}{s}\Bigr) - \Phi\Bigl(\frac{c - w/2 - \mu}{s}\Bigr)

    Args:
        quantization: The levels.
        scale: ``"predicted"``, ``"shared"`` or a number, as in ``NormalElement``; the number is in the units of the data.

    Raises:
        TypeError: ``quantization`` is no ``Quantization``.
        ValueError: the scale is a word of another kind, or not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions import Quantization
        >>> from probgen.distributions.elements import DiscretizedNormalElement
        >>> law = DiscretizedNormalElement(Quantization(5, -2.0, 2.0), 1.0)(torch.zeros(1))
        >>> law.log_prob(law.enumerate_support()).exp()
        tensor([0.0668, 0.2417, 0.3829, 0.2417, 0.0668])
    """

    rounded = DiscretizedNormal


def middle(quantization: Quantization) -> float:
    """The middle between the lowest and the highest level."""
    return 0.5 * (quantization.low + quantization.high)


def half_range(quantization: Quantization) -> float:
    """Half of the distance from the lowest to the highest level."""
    return 0.5 * (quantization.high - quantization.low)

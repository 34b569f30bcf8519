r"""Three ways to a scale: predicted by the network, learned and shared by all coordinates, or fixed.

A network may say any number :math:`s` for the logarithm of a scale, and :math:`e^{\pm 100}` overflows or vanishes in float32:
then a likelihood is NaN without a word. The logarithm therefore levels off,

.. math::

    \log\sigma = s \quad (|s| \le 13), \qquad
    \log\sigma = \operatorname{sign}(s)\,\bigl(13 + \arctan(|s| - 13)\bigr) \quad (|s| > 13),

so that :math:`4.6 \cdot 10^{-7} < \sigma < 2.2 \cdot 10^{6}`. It is the identity where scales are of use (2.3e-6 to 4.4e5), has
two continuous derivatives, and the first falls off only as :math:`(|s| - 13)^{-2}`, so that gradients bring a network back. The
gradient of a normal log-density passes through :math:`(x - \mu)^2 / \sigma^4`, which float32 holds up to
:math:`|x - \mu| = 10^6` at the narrowest scale; at :math:`\sigma = 2 \cdot 10^{-9}` it would be infinite from 100 on, and the
gradient NaN.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from probgen.distributions.elements.element import Element

__all__ = ["LocationScaleElement", "leveled_log_scale"]

_EXACT = 13.0


class LocationScaleElement(Element):
    r"""A coordinate with a location and a scale (abstract); a subclass turns them into a law.

    Attributes:
        scale: "predicted", "shared" or the fixed scale.
        log_scale: The learned logarithm of a shared scale, else None.

    Args:
        scale: ``"predicted"``: the network gives location and log-scale, two numbers a coordinate; ``"shared"``: it gives the
            location, one log-scale for all coordinates is learned, from zero; a number: it gives the location, the scale is
            fixed.

    Raises:
        ValueError: the scale is a word of another kind, or not positive.

    Example:
        >>> from probgen.distributions.elements import LocationScaleElement, NormalElement
        >>> isinstance(NormalElement("shared"), LocationScaleElement), NormalElement("shared").log_scale.item()
        (True, 0.0)
    """

    def __init__(self, scale: Literal["predicted", "shared"] | float = "predicted") -> None:
        super().__init__()
        if isinstance(scale, str) and scale not in ("predicted", "shared"):
            raise ValueError(f"`scale` must be 'predicted', 'shared' or a number; got {scale!r}.")
        if not isinstance(scale, str) and not (scale > 0 and math.isfinite(scale)):
            raise ValueError(f"`scale` must be positive and finite; got {scale}.")
        self.scale = scale
        self.num_parameters = 2 if scale == "predicted" else 1
        self.log_scale = nn.Parameter(torch.zeros(())) if scale == "shared" else None

    def _location_and_scale(self, parameters: Tensor, unit: float = 1.0) -> tuple[Tensor, Tensor]:
        """Location and scale, ``[*batch]`` each; a learned scale is in units of ``unit``, a fixed one as it is."""
        if self.scale == "predicted":
            location, log_scale = parameters.unbind(-1)
            scale = leveled_log_scale(log_scale).exp()
            return location, scale if unit == 1.0 else unit * scale
        location = parameters.squeeze(-1)
        if self.log_scale is None:
            return location, torch.full_like(location, float(self.scale))
        return location, (unit * leveled_log_scale(self.log_scale).exp()).to(location.dtype).expand_as(location)

    def extra_repr(self) -> str:
        """How the scale is found."""
        return f"scale={self.scale!r}"


def leveled_log_scale(s: Tensor) -> Tensor:
    """The logarithm of a scale: ``s`` itself up to 13 in size, beyond that leveling off toward 14.57.

    Args:
        s: What a network says, any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.elements.location_scale import leveled_log_scale
        >>> leveled_log_scale(torch.tensor([-1e9, -13.0, 0.5, 14.0]))
        tensor([-14.5708, -13.0000,   0.5000,  13.7854])
    """
    return functional.hardtanh(s, -_EXACT, _EXACT) + torch.atan(functional.softshrink(s, _EXACT))

r"""Mu-law companding: fine steps where sound is soft, coarse steps where it is loud.

.. math:: F(x) = \operatorname{sgn}(x)\, \frac{\log(1 + \mu |x|)}{\log(1 + \mu)}, \qquad
   F^{-1}(y) = \operatorname{sgn}(y)\, \frac{(1 + \mu)^{|y|} - 1}{\mu}

both map [-1, 1] onto itself, with :math:`\log F'(x) = \log \mu - \log\log(1 + \mu) - \log(1 + \mu |x|)`. Equal steps of y are
steps of x in proportion to :math:`1 + \mu |x|`: at full scale 256 times as large as at silence for :math:`\mu = 255`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.elementwise import Elementwise

__all__ = ["MuLaw"]


class MuLaw(Elementwise):
    r""":math:`y = \operatorname{sgn}(x) \log(1 + \mu |x|) / \log(1 + \mu)`.

    FLDJ :math:`= \log \mu - \log \log(1 + \mu) - \log(1 + \mu |x|)`. Domain and codomain: the interval :math:`[-1, 1]`.

    Args:
        mu: The constant :math:`\mu > 0`; telephones in America and Japan have 255.

    Raises:
        ValueError: ``mu`` is not positive.

    References:
        ITU-T (1988). Recommendation G.711: pulse code modulation of voice frequencies. https://www.itu.int/rec/T-REC-G.711

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import MuLaw
        >>> f = MuLaw()
        >>> f(torch.tensor([-1.0, 0.0, 0.5])), f.inverse(torch.tensor(0.87570307))
        (tensor([-1.0000,  0.0000,  0.8757]), tensor(0.5000))
    """

    domain = constraints.interval(-1.0, 1.0)
    codomain = constraints.interval(-1.0, 1.0)

    def __init__(self, mu: float = 255.0) -> None:
        super().__init__()
        if not (mu > 0 and math.isfinite(mu)):
            raise ValueError(f"`mu` must be positive and finite; got {mu}.")
        self.mu = float(mu)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        left, whole = x < 0, math.log1p(self.mu)
        grown = torch.log1p(self.mu * torch.where(left, -x, x))  # abs() has derivative 0 at 0
        size = (grown / whole).clamp(max=1.0)
        return torch.where(left, -size, size), math.log(self.mu / whole) - grown

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        left, whole = y < 0, math.log1p(self.mu)
        grown = whole * torch.where(left, -y, y)
        size = (torch.expm1(grown) / self.mu).clamp(max=1.0)
        return torch.where(left, -size, size), grown - math.log(self.mu / whole)

    def extra_repr(self) -> str:
        """The constant."""
        return f"mu={self.mu:g}"

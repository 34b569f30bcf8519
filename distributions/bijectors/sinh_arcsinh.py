r"""The sinh-arcsinh map: skewness and tail weight by two numbers.

With :math:`a = \operatorname{arsinh} x` and :math:`z = \tau (a + \varepsilon)`, :math:`y = \sinh z`, and since
:math:`\sqrt{1 + x^2} = \cosh a`,

.. math:: \log \frac{dy}{dx} = \log \tau + \log \cosh z - \log \cosh a,

where :math:`\log \cosh z = |z| + \log(1 + e^{-2|z|}) - \log 2` never overflows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.parameters import Parameter, positive_parameter
from probgen.distributions.numerics.stable import arsinh, log_cosh, soft_clip

__all__ = ["SinhArcsinh"]


class SinhArcsinh(Elementwise):
    r""":math:`y = \sinh(\tau (\operatorname{arsinh} x + \varepsilon))`; the identity for :math:`\varepsilon = 0, \tau = 1`.

    Tails grow like :math:`|x|^\tau`; :math:`\varepsilon > 0` skews to the right. Domain and codomain: the real line.

    Args:
        skewness: :math:`\varepsilon`, any shape; None to learn it (then within :math:`\pm 3`).
        tailweight: :math:`\tau > 0`, any shape; None to learn it (then between 1/3 and 3).
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``tailweight`` is not positive.

    References:
        Jones, Pewsey (2009). Sinh-arcsinh distributions. https://doi.org/10.1093/biomet/asp053

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import SinhArcsinh
        >>> f = SinhArcsinh(skewness=0.0, tailweight=0.5)
        >>> f.forward_and_log_det(torch.tensor([0.0, 1e30]))
        (tensor([0.0000e+00, 7.0711e+14]), tensor([ -0.6931, -35.5785]))
    """

    def __init__(
        self,
        skewness: Tensor | float | None = None,
        tailweight: Tensor | float | None = None,
        *,
        shape: Sequence[int] = (),
    ) -> None:
        super().__init__(shape, skewness=skewness, tailweight=tailweight)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``skewness`` (real) and ``tailweight`` (positive)."""
        skewness = Parameter("skewness", constraints.real, lambda raw: soft_clip(raw, 3.0))
        return (skewness, positive_parameter("tailweight", factor=3.0))

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        skewness, tailweight = values
        a = arsinh(x)
        z = tailweight * (a + skewness)
        return torch.sinh(z), tailweight.log() + log_cosh(z) - log_cosh(a)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        skewness, tailweight = values
        z = arsinh(y)
        a = z / tailweight - skewness
        return torch.sinh(a), log_cosh(a) - log_cosh(z) - tailweight.log()

r"""Activations whose slope is at most one, smooth enough for a log-determinant to have a gradient.

The gradient of :math:`\log\det(I + \partial g / \partial x)` contains second derivatives of :math:`g`: an activation made of
straight pieces (ReLU) has none, and one that is flat in its second derivative gives little to learn from. The *LipSwish*

.. math:: \sigma(x) = \frac{x}{1.1\,(1 + e^{-\beta x})}, \qquad \beta = \operatorname{softplus}(\hat\beta) > 0,

is smooth, and its slope is a function of :math:`\beta x` alone, with the range from -0.0908 to 0.99986 for every :math:`\beta`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["LipSwish", "require_one_lipschitz"]

_ONE_LIPSCHITZ: tuple[type[nn.Module], ...] = (
    nn.CELU,
    nn.Identity,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.ReLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Softsign,
    nn.Tanh,
)


class LipSwish(nn.Module):
    r""":math:`x / (1.1\,(1 + e^{-\beta x}))` with a learned :math:`\beta > 0`; Lipschitz constant one.

    Args:
        beta: Where :math:`\beta` starts, positive.

    Raises:
        ValueError: ``beta`` is not positive.

    References:
        Chen, Behrmann, Duvenaud, Jacobsen (2019). Residual flows for invertible generative modeling, section 3.3.
        https://arxiv.org/abs/1906.02735

    Example:
        >>> import torch
        >>> from probgen.nn import LipSwish
        >>> activation = LipSwish()
        >>> slope = torch.func.vmap(torch.func.grad(activation))(torch.linspace(-20, 20, 4001))
        >>> bool(slope.abs().max() < 1), activation.lipschitz
        (True, 1.0)
    """

    lipschitz = 1.0

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        if not 0.0 < beta < math.inf:
            raise ValueError(f"`beta` must be positive; got {beta}.")
        self.beta = nn.Parameter(torch.tensor(beta + math.log(-math.expm1(-beta))))

    def forward(self, x: Tensor) -> Tensor:
        """Map any tensor, element by element."""
        return x * (torch.sigmoid(F.softplus(self.beta) * x) / 1.1)

    def value_and_slope(self, x: Tensor) -> tuple[Tensor, Tensor]:
        r"""The values and the slopes :math:`s\,(1 + \beta x\,(1 - s)) / 1.1`, :math:`s = 1/(1 + e^{-\beta x})`.

        Args:
            x: Any tensor.
        """
        steepness = F.softplus(self.beta) * x
        rise = torch.sigmoid(steepness)
        part = rise / 1.1
        return x * part, part * (1.0 + torch.addcmul(steepness, steepness, rise, value=-1.0))


def require_one_lipschitz(activation: nn.Module) -> nn.Module:
    """Return the activation if its slope is known to be at most one.

    Known are those of torch (``ELU`` and ``LeakyReLU`` by their settings), and any module that declares ``lipschitz``.

    Args:
        activation: The module.

    Raises:
        ValueError: nothing bounds its slope by one.

    Example:
        >>> from torch import nn
        >>> from probgen.nn.lipschitz.activations import require_one_lipschitz
        >>> require_one_lipschitz(nn.Tanh())
        Tanh()
    """
    declared = getattr(activation, "lipschitz", None)
    known = isinstance(activation, _ONE_LIPSCHITZ) or (isinstance(activation, nn.ELU) and activation.alpha <= 1.0)
    if isinstance(activation, nn.LeakyReLU):
        known = abs(activation.negative_slope) <= 1.0
    if not known and (declared is None or not float(declared) <= 1.0):
        raise ValueError(
            f"`activation` must have slopes of at most one, and say so by an attribute `lipschitz`; got {activation}. "
            "SiLU, GELU and Mish have steeper ones: use LipSwish, Tanh or CELU."
        )
    return activation

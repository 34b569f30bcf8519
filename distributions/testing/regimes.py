r"""Parameter regimes: where in parameter space the laws are tried.

A law that holds only at initialization is worth little: training moves the parameters. Three regimes:

=========  =============================================  ==========================================
name       network weights                                an element's own ``raw_*`` parameters
=========  =============================================  ==========================================
as_built   as constructed                                 as constructed
moderate   plus :math:`N(0, 0.5^2 / \mathrm{fan\_in})`    plus :math:`N(0, 1)`
strong     plus :math:`N(0, 1 / \mathrm{fan\_in})`        plus :math:`N(0, 2^2)`
=========  =============================================  ==========================================

The division by the fan-in keeps a network's activations of order one. Noise of order one on every weight of a wide network
makes the map chaotic even in double precision, and a tolerance that follows the conditioning would then accept anything.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

__all__ = ["REGIMES", "Regime", "has_parameters"]

ModuleT = TypeVar("ModuleT", bound=nn.Module)


@dataclass(frozen=True)
class Regime:
    r"""One way to move the parameters of an object.

    Attributes:
        name: As printed in reports.
        network: Factor :math:`s` of the noise on weights, :math:`N(0, s^2/\mathrm{fan\_in})`.
        own: Standard deviation of the noise on ``raw_*`` parameters.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine
        >>> from probgen.distributions.testing import REGIMES
        >>> moved = REGIMES["strong"].apply(Affine(shape=(2,)), seed=0)
        >>> bool((moved.raw_loc != 0).all())
        True
    """

    name: str
    network: float
    own: float

    def apply(self, module: ModuleT, seed: int = 0) -> ModuleT:
        """Return a moved copy of ``module``; the same seed moves it to the same place.

        Args:
            module: Any module; left as it is.
            seed: Seed of the noise.
        """
        moved = copy.deepcopy(module)
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in moved.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            owner = moved.get_submodule(name.rpartition(".")[0])
            size = self.own if _is_own(name) else self.network / math.sqrt(_fan_in(owner, parameter))
            if size and parameter.requires_grad:
                parameter.data.add_((size * noise).to(parameter))
        return moved


REGIMES = {
    regime.name: regime for regime in (Regime("as_built", 0.0, 0.0), Regime("moderate", 0.5, 1.0), Regime("strong", 1.0, 2.0))
}


def has_parameters(module: nn.Module) -> bool:
    """Whether a regime other than "as_built" would change anything.

    Args:
        module: Any module.

    Example:
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.distributions.testing.regimes import has_parameters
        >>> has_parameters(Exp())
        False
    """
    return any(parameter.requires_grad and parameter.numel() for parameter in module.parameters())


def _is_own(name: str) -> bool:
    return name.rpartition(".")[2].startswith("raw_")


def _fan_in(owner: nn.Module, parameter: nn.Parameter) -> int:
    """Number of inputs that one output of the layer sums; for a bias, that of the layer's weight."""
    weight = parameter if parameter.dim() > 1 else getattr(owner, "weight", parameter)
    return max(weight[0].numel() if isinstance(weight, torch.Tensor) and weight.dim() > 1 else 1, 1)

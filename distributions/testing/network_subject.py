"""An incremental network under test, in one dtype and one parameter regime, with the values and contexts to test it at."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from probgen.distributions.bijectors.incremental import IncrementalNetwork
from probgen.distributions.testing.points import Draw, unconstrained
from probgen.distributions.testing.regimes import REGIMES, Regime

__all__ = ["NetworkSubject"]


class NetworkSubject:
    """One network in one (dtype, regime) cell, in evaluation mode.

    Args:
        make: Builds a fresh network, different for a different global seed of torch.
        dtype: float32 or float64.
        regime: Where to move the parameters.
        tolerance: Factor on every numerical tolerance.
        name: For reports.

    Example:
        >>> from probgen.distributions.testing import Draw, NetworkSubject
        >>> from probgen.nn import MADE
        >>> subject = NetworkSubject(lambda: MADE(3, 2, hidden=(8,)))
        >>> subject.values(Draw(), (4,)).shape
        torch.Size([4, 3])
    """

    special: tuple[float, ...] = ()

    def __init__(
        self,
        make: Callable[[], IncrementalNetwork],
        *,
        dtype: torch.dtype = torch.float64,
        regime: Regime = REGIMES["as_built"],
        tolerance: float = 1.0,
        name: str = "",
    ) -> None:
        self.make, self.dtype, self.regime, self.tolerance = make, dtype, regime, tolerance
        self.network = self.build(seed=0)
        self.name = name or type(self.network).__name__

    def build(self, seed: int) -> IncrementalNetwork:
        """A fresh network from another seed, in the subject's regime and dtype, in evaluation mode."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = self.make()
        return self.regime.apply(made, seed).to(self.dtype).eval()

    @property
    def eps(self) -> float:
        """Unit roundoff of the dtype, times two."""
        return float(torch.finfo(self.dtype).eps)

    def values(self, draw: Draw, batch: tuple[int, ...]) -> Tensor:
        """Normal numbers ``[*batch, D * C]``."""
        shape = (*batch, self.network.features * self.network.num_inputs)
        return unconstrained(draw, shape).to(self.dtype)

    def context(self, draw: Draw, batch: tuple[int, ...]) -> Tensor | None:
        """Normal numbers ``[*batch, *context_shape]``, None if the network takes no context."""
        if self.network.context_shape is None:
            return None
        return unconstrained(Draw(seed=draw.seed + 1), (*batch, *self.network.context_shape)).to(self.dtype)

"""A distribution under test, in one dtype and one parameter regime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from probgen.distributions._parts import parts_of
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.regimes import REGIMES, Regime
from probgen.distributions.testing.validation import validation

__all__ = ["DistributionSubject", "default_dtype"]


class DistributionSubject:
    """One distribution in one (dtype, regime) cell.

    The distribution is built while the dtype is torch's default, so its parameters have that dtype.

    Args:
        make: Builds a fresh distribution, different for a different global seed of torch.
        dtype: float32 or float64.
        regime: Where to move the parameters.
        tolerance: Factor on every numerical tolerance.
        name: For reports.
        reference: An independent distribution with the same law, if one exists.
        samples: Draws of a statistical test.

    Example:
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.testing import DistributionSubject
        >>> DistributionSubject(lambda: standard_normal(3)).distribution.event_shape
        torch.Size([3])
    """

    special: tuple[float, ...] = ()

    def __init__(
        self,
        make: Callable[[], Distribution],
        *,
        dtype: torch.dtype = torch.float64,
        regime: Regime = REGIMES["as_built"],
        tolerance: float = 1.0,
        name: str = "",
        reference: object | None = None,
        samples: int = 20_000,
    ) -> None:
        self.make, self.dtype, self.regime, self.tolerance, self.samples = make, dtype, regime, tolerance, samples
        self._reference = reference
        self.distribution: Any = self.build(seed=0)
        self.name = name or type(self.distribution).__name__

    def build(self, seed: int) -> Any:
        """A fresh object from another seed, in the subject's regime and dtype."""
        with torch.random.fork_rng(devices=[]), default_dtype(self.dtype):
            torch.manual_seed(seed)
            distribution: Any = self.make()
            for index, module in enumerate(parts_of(distribution, nn.Module)):
                moved = self.regime.apply(module, seed + index)
                module.load_state_dict(moved.state_dict())
        return distribution

    @cached_property
    def wide(self) -> DistributionSubject:
        """The same in float64 (itself, if that is its dtype): for laws that compare derivatives with differences."""
        if self.dtype == torch.float64:
            return self
        return DistributionSubject(
            self.make, regime=self.regime, tolerance=self.tolerance, name=self.name, samples=self.samples
        )

    @property
    def reference(self) -> Any:
        """The independent distribution; a function is called to build it."""
        built: Any = self._reference
        with default_dtype(self.dtype):
            return built() if callable(built) and not hasattr(built, "log_prob") and not hasattr(built, "logpdf") else built

    @property
    def eps(self) -> float:
        """Unit roundoff of the dtype, times two."""
        return float(torch.finfo(self.dtype).eps)

    @property
    def is_exact(self) -> bool:
        """Whether ``log_prob`` is the log-density."""
        return getattr(self.distribution, "log_prob_kind", "exact") == "exact"

    @property
    def is_discrete(self) -> bool:
        """Whether the support is discrete."""
        return bool(self.distribution.support.is_discrete)

    def sample(self, draw: Draw, shape: tuple[int, ...] | None = None) -> Tensor:
        """Draws ``[*shape, *batch, *event]``, reproducible from the seed."""
        with torch.random.fork_rng(devices=[]), validation(enabled=False), default_dtype(self.dtype):
            torch.manual_seed(draw.seed)
            value: Tensor = self.distribution.sample(torch.Size((draw.count,) if shape is None else shape))
        return value

    @cached_property
    def many(self) -> Tensor:
        """The draws of the statistical tests: drawn once, judged by several laws."""
        return self.sample(Draw(seed=20_240), (self.samples,))

    @property
    def modules(self) -> list[nn.Module]:
        """The modules that the distribution holds."""
        return parts_of(self.distribution, nn.Module)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Learnable parameters of all held modules."""
        return [parameter for module in self.modules for parameter in module.parameters() if parameter.requires_grad]


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Run a block with another default dtype of torch.

    Args:
        dtype: Inside the block.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing.distribution_subject import default_dtype
        >>> with default_dtype(torch.float64):
        ...     torch.ones(1).dtype
        torch.float64
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)

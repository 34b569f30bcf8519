"""The object under test, in one dtype and one parameter regime, with the points to test it at.

Laws see a subject, never a bare bijector: it knows how to make valid inputs and contexts, how to build a second object of the
same kind, and what the special points are.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.distributions import Transform

from probgen.distributions.bijectors import Bijector, Lift
from probgen.distributions.testing.points import Draw, points_in, unconstrained
from probgen.distributions.testing.regimes import REGIMES, Regime

__all__ = ["BijectorSubject", "special_values"]

KNOT_ATTRIBUTES = ("bound", "low", "high", "knots", "interval")


class BijectorSubject:
    """One bijector in one (dtype, regime) cell.

    Args:
        make: Builds a fresh bijector, different for a different global seed of torch.
        event_shape: Shape of one event of ``x``.
        dtype: float32 or float64.
        regime: Where to move the parameters.
        tolerance: Factor on every numerical tolerance.
        name: For reports.
        context_scale: Standard deviation of the contexts.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.distributions.testing import BijectorSubject, Draw
        >>> subject = BijectorSubject(Exp)
        >>> subject.points(Draw(count=4)).shape
        torch.Size([4])
    """

    def __init__(
        self,
        make: Callable[[], Transform],
        event_shape: tuple[int, ...] = (),
        *,
        dtype: torch.dtype = torch.float64,
        regime: Regime = REGIMES["as_built"],
        tolerance: float = 1.0,
        name: str = "",
        context_scale: float = 1.0,
    ) -> None:
        self.make, self.event_shape, self.dtype, self.regime, self.tolerance = (
            make,
            tuple(event_shape),
            dtype,
            regime,
            tolerance,
        )
        self.context_scale = context_scale
        self.bijector = self.build(seed=0)
        self.name = name or type(self.bijector).__name__

    def build(self, seed: int) -> Bijector:
        """A fresh object from another seed, moved to the subject's regime and dtype."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = self.make()
        bijector = made if isinstance(made, Bijector) else Lift(made)
        return self.regime.apply(bijector, seed).to(self.dtype)

    # ---------------------------------------------------------------------------------------------------------------- geometry

    @property
    def event_dim(self) -> int:
        """Rank of one event of ``x``."""
        return int(self.bijector.domain.event_dim)

    @property
    def output_dim(self) -> int:
        """Rank of one event of ``y``."""
        return int(self.bijector.codomain.event_dim)

    @cached_property
    def input_event(self) -> tuple[int, ...]:
        """Event of ``x``: the last ``event_dim`` axes of the given event shape."""
        return self.event_shape[len(self.event_shape) - self.event_dim :]

    @cached_property
    def _mapped(self) -> tuple[int, ...]:
        return tuple(self.bijector.forward_shape(self.event_shape))

    @cached_property
    def batch(self) -> tuple[int, ...]:
        """The batch shape that the parameters have, which every batch of points ends with."""
        return self._mapped[: len(self._mapped) - self.output_dim]

    @cached_property
    def output_event(self) -> tuple[int, ...]:
        """Event of ``y``."""
        return self._mapped[len(self._mapped) - self.output_dim :]

    @property
    def context_shape(self) -> tuple[int, ...] | None:
        """Trailing shape of a context, None if there is none."""
        return self.bijector.context_shape

    # ------------------------------------------------------------------------------------------------------------------ points

    def points(self, draw: Draw, batch: tuple[int, ...] | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Inputs ``[*batch, *self.batch, *event]`` in the domain, to the rounding of ``dtype`` (that of the subject)."""
        leading = (draw.count,) if batch is None else batch
        return points_in(self.bijector.domain, self.input_event, (*leading, *self.batch), draw, dtype or self.dtype)

    def outputs(self, draw: Draw, batch: tuple[int, ...] | None = None) -> Tensor:
        """Values ``[*batch, *self.batch, *event]`` in the declared codomain."""
        leading = (draw.count,) if batch is None else batch
        return points_in(self.bijector.codomain, self.output_event, (*leading, *self.batch), draw, self.dtype)

    def context(self, draw: Draw, batch: tuple[int, ...] | None = None) -> Tensor | None:
        """A context ``[*batch, *self.batch, *context_shape]`` of order one, None if the map takes none."""
        if self.context_shape is None:
            return None
        leading = (draw.count,) if batch is None else batch
        recipe = Draw(seed=draw.seed + 1, scale=self.context_scale, decimals=draw.decimals)
        return unconstrained(recipe, (*leading, *self.batch, *self.context_shape)).to(self.dtype)

    # ------------------------------------------------------------------------------------------------------------------ others

    @cached_property
    def double(self) -> Bijector:
        """The same map in float64: an independent evaluation of a float32 result."""
        return copy.deepcopy(self.bijector).double()

    @property
    def eps(self) -> float:
        """Unit roundoff of the dtype, times two."""
        return float(torch.finfo(self.dtype).eps)

    @property
    def slack(self) -> float:
        """The constant C of ``T = C eps (1 + |x| + kappa)``, times the row's factor."""
        return self.tolerance * (64.0 if self.dtype == torch.float64 else 256.0)

    @cached_property
    def special(self) -> tuple[float, ...]:
        """Exact values at which maps tend to break."""
        return special_values(self.bijector, self.dtype)


def special_values(bijector: Bijector, dtype: torch.dtype) -> tuple[float, ...]:
    """Zero, a subnormal number, units, knots and bounds of all parts, and points in the tails.

    Args:
        bijector: The map; the attributes ``bound``, ``low``, ``high``, ``knots`` and ``interval`` of its parts are read.
        dtype: Decides what is subnormal.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.distributions.testing import special_values
        >>> 30.0 in special_values(Exp(), torch.float64)
        True
    """
    tiny = float(torch.finfo(dtype).tiny) / 16
    values = [0.0, tiny, -tiny, 1.0, -1.0, 0.5, 30.0, -30.0]
    for part in bijector.modules():
        for name in KNOT_ATTRIBUTES:
            values.extend(_numbers(getattr(part, name, None)))
    return tuple(dict.fromkeys(value for value in values if math.isfinite(value)))


def _numbers(value: object) -> list[float]:
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, (int, float)):
        return [float(value), -float(value)]
    if isinstance(value, Tensor) and value.numel() <= 64:
        return [float(entry) for entry in value.detach().reshape(-1)]
    if isinstance(value, (tuple, list)):
        return [number for entry in value for number in _numbers(entry)]
    return []

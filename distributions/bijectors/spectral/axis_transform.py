"""What orthonormal transforms along axes share: the domain, the axes, and a log-determinant of exactly 0."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.numerics.linear import full_precision

__all__ = ["AxisTransform"]


class AxisTransform(Bijector):
    """An orthonormal linear map along some axes of events of any size (abstract).

    A subclass writes ``_analyze`` and ``_synthesize``, its inverse.

    Args:
        dims: The axes, negative: counted from the right. The event has as many axes as the first of them needs.

    Raises:
        ValueError: an axis is not negative or occurs twice, or there is none.

    Example:
        >>> from probgen.distributions.bijectors import AxisTransform, DiscreteCosine
        >>> f = DiscreteCosine((-2, -1))
        >>> isinstance(f, AxisTransform), f.domain.event_dim
        (True, 2)
    """

    constant_log_det = True

    def __init__(self, dims: Sequence[int] = (-1,)) -> None:
        super().__init__()
        self.dims = tuple(int(dim) for dim in dims)
        if not self.dims or max(self.dims) >= 0 or len(set(self.dims)) < len(self.dims):
            raise ValueError(f"`dims` must be different negative axes; got {tuple(dims)}.")

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Real events with axes up to the first of ``dims``."""
        return constraints.independent(constraints.real, -min(self.dims))

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """As the domain."""
        return self.domain

    def extra_repr(self) -> str:
        """The axes."""
        return f"dims={self.dims}"

    def _analyze(self, x: Tensor) -> Tensor:
        """Coefficients of ``x``, of the same shape."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_analyze`.")

    def _synthesize(self, y: Tensor) -> Tensor:
        """The event with coefficients ``y``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_synthesize`.")

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with full_precision(x):
            return self._analyze(x), x.new_zeros(x.shape[: x.dim() + min(self.dims)])

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with full_precision(y):
            return self._synthesize(y), y.new_zeros(y.shape[: y.dim() + min(self.dims)])

r"""Maps from the reals onto a support, and block by block over a product of supports."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.distributions import Transform, biject_to, constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.lift import Lift
from probgen.distributions.constraints import Product, is_real
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Blocks", "ToSupport"]


class ToSupport(Bijector):
    r"""The registered map from :math:`\mathbb R^n` onto a constraint, whose codomain *is* that constraint.

    Torch's ``biject_to(interval(a, b))`` says that its codomain is the real line; a flow that ends with it would then report a
    wrong support, and a sampler would leave the interval.

    Args:
        support: A constraint that ``biject_to`` knows.

    Raises:
        NotImplementedError: ``biject_to`` does not know the constraint.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.bijectors import ToSupport
        >>> f = ToSupport(constraints.interval(0.0, 4.0))
        >>> f(torch.tensor(0.0)), f.codomain
        (tensor(2.), Interval(lower_bound=0.0, upper_bound=4.0))
    """

    def __init__(self, support: Constraint) -> None:
        super().__init__()
        transform: Transform = biject_to(support)
        self.support = copy.copy(support)
        self.map = transform if isinstance(transform, Bijector) else Lift(transform)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """All real numbers, with the event rank of the registered map."""
        rank = self.map.domain.event_dim
        return constraints.independent(constraints.real, rank) if rank else constraints.real

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The support."""
        return self.support

    @property
    def domain_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """As that of the registered map."""
        return self.map.domain_shape

    @property
    def codomain_shape(self) -> tuple[int, ...] | None:
        """As that of the registered map."""
        return self.map.codomain_shape

    @property
    def sign(self) -> int:
        """As that of the registered map."""
        return self.map.sign

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:  # type: ignore[override]
        """As that of the registered map."""
        return self.map.forward_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:  # type: ignore[override]
        """As that of the registered map."""
        return self.map.inverse_shape(shape)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.map._forward_and_log_det(x)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.map._inverse_and_log_det(y)

    def _apply(self, fn: Callable[[Any], Any], recurse: bool = True) -> Self:  # noqa: FBT001, FBT002
        for name, value in vars(self.support).items():
            if isinstance(value, Tensor):
                setattr(self.support, name, fn(value))
        return super()._apply(fn, recurse)  # type: ignore[no-any-return]


class Blocks(Bijector):
    r"""One bijector for each block of consecutive coordinates: :math:`f(x_1, \dots, x_k) = (f_1(x_1), \dots, f_k(x_k))`.

    A block's bijector may change its length (as the simplex does). The log-determinant is the sum over the blocks.

    Args:
        parts: Bijectors without context, of event dimension 0 or 1.
        sizes: Lengths of the blocks of ``x``.

    Raises:
        ValueError: the numbers of parts and sizes differ, or a part couples more than one axis or takes a context.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Blocks, Exp, Shift
        >>> Blocks([Exp(), Shift(1.0)], [1, 2])(torch.zeros(3))
        tensor([1., 1., 1.])
    """

    def __init__(self, parts: Sequence[Bijector], sizes: Sequence[int]) -> None:
        super().__init__()
        if len(parts) != len(sizes) or not parts:
            raise ValueError(f"`parts` and `sizes` must pair up; got {len(parts)} and {len(sizes)}.")
        for part in parts:
            if max(part.domain.event_dim, part.codomain.event_dim) > 1 or part.context_shape is not None:
                raise ValueError(f"`parts` must have event dimension 0 or 1 and take no context; got {type(part).__name__}.")
        self.parts = nn.ModuleList(parts)
        self.sizes = tuple(sizes)
        self.image_sizes = tuple(part.forward_shape((size,))[-1] for part, size in zip(parts, sizes, strict=True))

    @property
    def _parts(self) -> list[Bijector]:
        return list(self.parts)  # type: ignore[arg-type]

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The product of the parts' domains."""
        return _product([part.domain for part in self._parts], self.sizes)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The product of the parts' codomains."""
        return _product([part.codomain for part in self._parts], self.image_sizes)

    @property
    def domain_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """The total length of the blocks of ``x``."""
        return (sum(self.sizes),)

    @property
    def codomain_shape(self) -> tuple[int, ...] | None:
        """The total length of the blocks of ``y``."""
        return (sum(self.image_sizes),)

    @property
    def exact_inverse(self) -> bool:  # type: ignore[override]
        """True if every part's inverse is exact."""
        return all(part.exact_inverse for part in self._parts)

    @property
    def constant_log_det(self) -> bool:  # type: ignore[override]
        """True if every part's log-determinant is constant."""
        return all(part.constant_log_det for part in self._parts)

    @property
    def static_graph(self) -> bool:  # type: ignore[override]
        """True if every part's graph is static."""
        return all(part.static_graph for part in self._parts)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mapped = [part._forward_and_log_det(block) for part, block in zip(self._parts, x.split(self.sizes, -1), strict=True)]
        return _joined(mapped, [part.domain.event_dim for part in self._parts])

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        blocks = y.split(self.image_sizes, -1)
        mapped = [part._inverse_and_log_det(block) for part, block in zip(self._parts, blocks, strict=True)]
        return _joined(mapped, [part.codomain.event_dim for part in self._parts])


def _product(factors: list[Constraint], sizes: Sequence[int]) -> Constraint:
    return constraints.real_vector if all(is_real(factor) for factor in factors) else Product(factors, sizes)


def _joined(mapped: list[tuple[Tensor, Tensor]], ranks: list[int]) -> tuple[Tensor, Tensor]:
    log_dets = [sum_rightmost(log_det, 1 - rank) for (_, log_det), rank in zip(mapped, ranks, strict=True)]
    return torch.cat([value for value, _ in mapped], -1), torch.stack(log_dets).sum(0)

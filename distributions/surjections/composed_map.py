r"""Maps one after another, bijectors among them: their contributions add up.

For :math:`z_0 \to z_1 \to \dots \to z_n = x`, scored from the data back to the base,

.. math:: \log w = \log p(z_0) + \sum_{k=1}^n \mathcal V_k(z_k, z_{k-1}),

where the :math:`z_k` come, from the last to the first, from functions and from guides. Draws multiply only once: the parts
between the data and the first guide are evaluated once a datum, whatever the number of draws.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Transform
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors._chain import common_context_shape, event_ranks, total_of, widened
from probgen.distributions.bijectors.base import Bijector, LogDetKind
from probgen.distributions.bijectors.combined import context_for
from probgen.distributions.bijectors.lift import as_bijector
from probgen.distributions.constraints import is_real
from probgen.distributions.numerics.stable import sum_rightmost
from probgen.distributions.surjections.stochastic_map import StochasticMap

__all__ = ["BijectiveMap", "ComposedMap", "as_map"]


class BijectiveMap(StochasticMap):
    r"""A bijector as a map both of whose directions are functions: :math:`\mathcal V = \log|\det \partial z / \partial x|`.

    Args:
        bijector: The bijector, from the base to the data; its parameters are shared.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Scale
        >>> from probgen.distributions.surjections import BijectiveMap
        >>> BijectiveMap(Scale(2.0)).inverse_and_contribution(torch.tensor(4.0))
        (tensor(2.), tensor(-0.6931))
    """

    def __init__(self, bijector: Bijector) -> None:
        super().__init__()
        self.bijector = bijector

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """As that of the bijector."""
        return self.bijector.domain

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """As that of the bijector."""
        return self.bijector.codomain

    @property
    def context_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """As that of the bijector."""
        return self.bijector.context_shape

    @property
    def contribution_kind(self) -> LogDetKind:  # type: ignore[override]
        """What the log-determinant is."""
        return self.bijector.log_det_kind

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """As the bijector has it."""
        return self.bijector.forward_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """As the bijector has it."""
        return self.bijector.inverse_shape(shape)

    def _forward_and_contribution(
        self, z: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        x, log_det = self.bijector._forward_and_log_det(z, context)
        return x, -log_det

    def _inverse_and_contribution(
        self, x: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        return self.bijector._inverse_and_log_det(x, context)

    def _forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return self.bijector._forward(z, context)

    def _inverse(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.bijector._inverse(x, context)


def as_map(part: StochasticMap | Transform) -> StochasticMap:
    """A stochastic map as it is, a bijector or torch transform as one whose directions are both functions.

    Args:
        part: The map.

    Raises:
        TypeError: it is neither.

    Example:
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.distributions.surjections import as_map
        >>> as_map(Exp()).draws_inverse
        False
    """
    return part if isinstance(part, StochasticMap) else BijectiveMap(as_bijector(part))


class ComposedMap(StochasticMap):
    """From the base to the data, part after part; ``f >> g`` is the same. Nested compositions are flattened.

    The context is passed only to parts that declare one; all such parts must declare the same shape. Parts may have events of
    different rank, as in ``Compose``.

    Args:
        *parts: Stochastic maps and bijectors, at least one.

    Raises:
        ValueError: no parts; parts that declare different context shapes; or a part that gives any real number in front of one
            whose domain is smaller, so that mass would be lost.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Scale
        >>> from probgen.distributions.surjections import ComposedMap, Rounding
        >>> f = ComposedMap(Scale(4.0), Rounding())
        >>> f(torch.tensor(0.9)), f.draws_inverse, len(f)
        (tensor(3.), True, 2)
    """

    def __init__(self, *parts: StochasticMap | Transform) -> None:
        super().__init__()
        flat = [piece for part in parts for piece in _flatten(as_map(part))]
        if not flat:
            raise ValueError("`parts` must hold at least one map; got none.")
        self.parts = nn.ModuleList(flat)
        self._context_shape = common_context_shape(flat)
        ranks = event_ranks(flat)
        self._extra = [rank - part.domain.event_dim for rank, part in zip(ranks, flat, strict=False)]
        for left, right in itertools.pairwise(flat):
            require_no_lost_mass(type(left).__name__, left.codomain, right)

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def _parts(self) -> list[StochasticMap]:
        return list(self.parts)  # type: ignore[arg-type]

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The first part's domain, widened to the event of the whole."""
        return widened(self._parts[0].domain, self._extra[0])

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The last part's codomain, widened to the event of the whole."""
        return widened(self._parts[-1].codomain, self._extra[-1])

    @property
    def inverse_support(self) -> Constraint:
        """Where the first part's inverse lies."""
        return widened(self._parts[0].inverse_support, self._extra[0])

    @property
    def context_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """The context shape that the parts declare, if any does."""
        return self._context_shape

    @property
    def draws_forward(self) -> bool:  # type: ignore[override]
        """Whether some part does."""
        return any(part.draws_forward for part in self._parts)

    @property
    def draws_inverse(self) -> bool:  # type: ignore[override]
        """Whether some part does."""
        return any(part.draws_inverse for part in self._parts)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether every part is differentiable forward."""
        return all(part.has_rsample for part in self._parts)

    @property
    def inverse_has_rsample(self) -> bool:  # type: ignore[override]
        """Whether every part is differentiable backward."""
        return all(part.inverse_has_rsample for part in self._parts)

    @property
    def contribution_kind(self) -> LogDetKind:  # type: ignore[override]
        """Exact if every part's contribution is, biased if one is."""
        kinds = {part.contribution_kind for part in self._parts}
        return "biased" if "biased" in kinds else "unbiased" if "unbiased" in kinds else "exact"

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of ``x``, part after part."""
        for part in self._parts:
            shape = part.forward_shape(shape)
        return torch.Size(shape)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of ``z``, part after part from the last."""
        for part in reversed(self._parts):
            shape = part.inverse_shape(shape)
        return torch.Size(shape)

    def _forward_and_contribution(
        self, z: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        terms: list[Tensor] = []
        for part, extra in zip(self._parts, self._extra, strict=True):
            shape, sample_shape = _taken(sample_shape, draws=part.draws_forward)
            z, term = part._forward_and_contribution(z, context_for(part, context, extra), shape)
            terms.append(sum_rightmost(term, extra))
        return z, total_of(terms)

    def _inverse_and_contribution(
        self, x: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        terms: list[Tensor] = []
        for part, extra in reversed(list(zip(self._parts, self._extra, strict=True))):
            shape, sample_shape = _taken(sample_shape, draws=part.draws_inverse)
            x, term = part._inverse_and_contribution(x, context_for(part, context, extra), shape)
            terms.append(sum_rightmost(term, extra))
        return x, total_of(terms)

    def _forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        for part, extra in zip(self._parts, self._extra, strict=True):
            z = part._forward(z, context_for(part, context, extra))
        return z

    def _inverse(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        for part, extra in reversed(list(zip(self._parts, self._extra, strict=True))):
            x = part._inverse(x, context_for(part, context, extra))
        return x


def require_no_lost_mass(left: str, made: Constraint, right: StochasticMap) -> None:
    """Check that real numbers are not handed to a map that is defined on a part of them.

    Raises:
        ValueError: they are; draws would leave the support of the density.
    """
    if is_real(made) and not is_real(right.domain):
        name = right._get_name()  # type: ignore[no-untyped-call]
        raise ValueError(
            f"{name} is defined on {right.domain} only, but {left} gives all real numbers: mass would be lost. "
            "Put a bijector onto that set between them (`ToSupport`, `Exp`, `Softplus`)."
        )


def _flatten(part: StochasticMap) -> list[StochasticMap]:
    return part._parts if isinstance(part, ComposedMap) else [part]


def _taken(sample_shape: Sequence[int], *, draws: bool) -> tuple[Sequence[int], Sequence[int]]:
    """The draws that a part makes, and those left to the parts after it."""
    return (sample_shape, ()) if draws else ((), sample_shape)

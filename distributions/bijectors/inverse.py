r"""The inverse of a bijector: forward and inverse change places, :math:`\mathrm{FLDJ}_{f^{-1}} = \mathrm{ILDJ}_f`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector, Direction
from probgen.distributions.bijectors.wrapper import Wrapper

__all__ = ["Inverse"]

_SWAPPED: dict[Direction, Direction] = {"both": "both", "forward": "inverse", "inverse": "forward"}


class Inverse(Wrapper):
    r""":math:`y = f^{-1}(x)` with the parameters of :math:`f`; what ``f.inv`` returns.

    Domain, codomain, context and capability flags are those of ``base``, swapped.

    Args:
        base: The bijector :math:`f`.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Exp, Inverse
        >>> log = Inverse(Exp())
        >>> log(torch.tensor(1.0)), log.inv is log.base
        (tensor(0.), True)
    """

    @property
    def inv(self) -> Bijector:
        """The bijector that this one inverts."""
        return self.base

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The codomain of ``base``."""
        return self.base.codomain

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The domain of ``base``."""
        return self.base.domain

    @property
    def domain_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """The codomain shape of ``base``."""
        return self.base.codomain_shape

    @property
    def codomain_shape(self) -> tuple[int, ...] | None:
        """The domain shape of ``base``."""
        return self.base.domain_shape

    @property
    def exact_inverse(self) -> bool:  # type: ignore[override]
        """True: the inverse of this map is the forward map of ``base``, which every bijector has in closed form."""
        return True

    @property
    def fast_direction(self) -> Direction:  # type: ignore[override]
        """As that of ``base``, swapped."""
        return _SWAPPED[self.base.fast_direction]

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of the inverse map's value."""
        return self.base.inverse_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of the forward map's value."""
        return self.base.forward_shape(shape)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        value, log_det = self.base._inverse_and_log_det(x, context)
        return self.base._check_inverse(value), log_det

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.base._forward_and_log_det(y, context)

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.base._check_inverse(self.base._inverse(x, context))

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return self.base._forward(y, context)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Inverse) and _base_of(other) == _base_of(self)

    def __hash__(self) -> int:
        return hash((Inverse, _base_of(self)))


def _base_of(inverse: Inverse) -> object:
    """The wrapped bijector, past attribute access: torch.export replaces that while it traces, and asks there for a hash."""
    return vars(inverse)["_modules"]["base"]

r"""Linear bijectors: :math:`y = b + W x` on vectors.

The log-determinant :math:`\log|\det W|` does not depend on :math:`x`. A subclass chooses a factorization of :math:`W` in
which products, solves and the determinant are cheap, and whose diagonal is bounded, so that training cannot make it singular.
Products, solves and log-determinants run in full precision under autocast.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.numerics.linear import full_precision
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["Linear", "bounded_diagonal_log"]

Start = Literal["identity", "rotation"]
"""Where a linear map begins: at the identity, or at a random rotation."""

_DIAGONAL_BOUND = math.log(1e2)


class Linear(Bijector):
    r""":math:`y = b + W x` for vectors of ``features`` numbers (abstract).

    A subclass writes ``_multiply``, ``_solve`` and ``_log_determinant``, and names one of its parameters in ``_weight_name``.

    Args:
        features: Length of the vectors, at least 1.
        loc: Learn the translation :math:`b`, started at zero; otherwise there is none.

    Raises:
        ValueError: ``features`` is less than 1.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Linear, LowerTriangular
        >>> f = LowerTriangular(2)
        >>> isinstance(f, Linear), f.matrix.tolist()
        (True, [[1.0, 0.0], [0.0, 1.0]])
    """

    domain = constraints.real_vector
    codomain = constraints.real_vector
    constant_log_det = True
    loc: nn.Parameter | None
    _weight_name: ClassVar[str]

    def __init__(self, features: int, *, loc: bool = True) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"`features` must be at least 1; got {features}.")
        self.features = features
        self.domain_shape = (features,)
        self.register_parameter("loc", nn.Parameter(torch.zeros(features)) if loc else None)

    # ------------------------------------------------------------------------------------------------ what an author writes

    def _multiply(self, x: Tensor) -> Tensor:
        """``W x`` for ``x`` ``[*batch, features]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_multiply`.")

    def _solve(self, y: Tensor) -> Tensor:
        """The solution of ``W x = y`` for ``y`` ``[*batch, features]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_solve`.")

    def _log_determinant(self, like: Tensor) -> Tensor:
        """``log |det W|``, a scalar with the dtype of ``like``."""
        return torch.zeros((), dtype=like.dtype, device=like.device)

    # ------------------------------------------------------------------------------------------------------------ the bijector

    @property
    def matrix(self) -> Tensor:
        """The matrix ``W``, shape ``[features, features]``."""
        like: Tensor = getattr(self, self._weight_name)
        with full_precision(like):
            return self._multiply(torch.eye(self.features, dtype=like.dtype, device=like.device)).mT

    def extra_repr(self) -> str:
        """Number of features."""
        return f"features={self.features}"

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with full_precision(x):
            x = self._promoted(x)
            y = self._multiply(x)
            y = y if self.loc is None else y + self.loc
            return y, self._log_determinant(x).expand(y.shape[:-1])

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with full_precision(y):
            y = self._promoted(y)
            x = self._solve(y if self.loc is None else y - self.loc)
            return x, -self._log_determinant(x).expand(x.shape[:-1])

    def _promoted(self, value: Tensor) -> Tensor:
        """``value`` in the parameters' dtype, if that is wider (a bfloat16 activation under autocast)."""
        weight: Tensor = getattr(self, self._weight_name)
        return value.to(torch.promote_types(value.dtype, weight.dtype))


def bounded_diagonal_log(raw: Tensor) -> Tensor:
    """Logarithms of a positive diagonal within a factor 100 of one; zero goes to one.

    Args:
        raw: Unconstrained numbers of any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.linear import bounded_diagonal_log
        >>> bounded_diagonal_log(torch.tensor([0.0, 1e6])).exp()
        tensor([  1.0000, 100.0000])
    """
    return soft_clip(raw, _DIAGONAL_BOUND)


def require_start(start: str) -> str:
    """Check where a linear map begins.

    Raises:
        ValueError: it is neither "identity" nor "rotation".
    """
    if start not in ("identity", "rotation"):
        raise ValueError(f'`start` must be "identity" or "rotation"; got {start!r}.')
    return start

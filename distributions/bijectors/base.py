r"""The bijector contract.

A *bijector* is a smooth invertible map :math:`y = f(x)` between two sets with a tractable log-determinant. With
:math:`J_f(x) = \partial f / \partial x`, its two log-determinants are

.. math::

    \mathrm{FLDJ}(x) = \log|\det J_f(x)|, \qquad \mathrm{ILDJ}(y) = \log|\det J_{f^{-1}}(y)| = -\mathrm{FLDJ}(f^{-1}(y)),

each summed over the event, so its shape is the batch shape. An author writes two private hooks on valid input, each
returning value *and* log-determinant; everything else is derived here, once. Nothing is cached: a bijector holds
parameters, never values, so no answer can go stale. The derivation stands in ``docs/derivations/change-of-variables.md``.

A concrete bijector is final: vary it by wrapping, not by subclassing (``PyroModule[...]`` excepted).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints

from probgen.distributions._checks import (
    InversionError,
    require_context,
    require_event_shape,
    require_values,
    value_checks_active,
)

if TYPE_CHECKING:
    from probgen.distributions.bijectors.compose import Compose
    from probgen.distributions.bijectors.conditioned import Conditioned

__all__ = ["Bijector", "Direction", "LogDetKind"]

Direction = Literal["both", "forward", "inverse"]

LogDetKind = Literal["exact", "unbiased", "biased"]
"""What a log-determinant is: the number, a random estimate of it with the right expectation, or with a wrong one."""


class Bijector(nn.Module, Transform):
    r"""An invertible map :math:`y = f(x)` with value and log-determinant in one pass (abstract).

    A subclass sets ``domain`` and ``codomain`` (torch constraints; their ``event_dim`` is the rank of one event) and writes
    ``_forward_and_log_det`` and ``_inverse_and_log_det``. It may also set the attributes below, and override ``_forward`` and
    ``_inverse`` where the value alone is cheaper.

    Attributes:
        context_shape: Trailing shape of the context, or None if the map takes none. The leading dimensions of a context
            broadcast with the batch.
        domain_shape: Event shape of ``x`` if the map works for one only, else None.
        codomain_shape: Event shape of ``y``, like ``domain_shape``.
        exact_inverse: False if the inverse is iterative; then an element that did not converge is NaN (and an
            ``InversionError`` while validation is on).
        fast_direction: Which direction costs one pass: "both", "forward" or "inverse".
        constant_log_det: True if the log-determinant does not depend on ``x``.
        data_dependent: True if ``initialize_from`` sets parameters of this very map.
        static_graph: False if the number of operations depends on values (adaptive solvers); such a map cannot be
            compiled whole.
        log_det_kind: "exact", or "unbiased" if the log-determinant is a random estimate; a density made of it is one, too.
            "biased" if its expectation is wrong, as that of a truncated series: no density is made of it.

    Raises:
        ValueError: a wrong event shape; while validation is on, also a value outside ``domain`` or ``codomain``.
        ContextError: a missing, unwanted or mis-sized context.

    References:
        Papamakarios, Nalisnick, Rezende, Mohamed, Lakshminarayanan (2021). Normalizing flows for probabilistic modeling and
        inference. https://arxiv.org/abs/1912.02762

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.bijectors import Bijector
        >>> class Cube(Bijector):
        ...     domain = codomain = constraints.real
        ...
        ...     def _forward_and_log_det(self, x, context=None):
        ...         return x**3, (3 * x**2).log()
        ...
        ...     def _inverse_and_log_det(self, y, context=None):
        ...         x = y.sign() * y.abs() ** (1 / 3)
        ...         return x, -(3 * x**2).log()
        >>> y, log_det = Cube().forward_and_log_det(torch.tensor(2.0))
        >>> y, log_det.exp()
        (tensor(8.), tensor(12.0000))
    """

    bijective = True
    _cache_size: int = 0
    _inv: None = None

    context_shape: tuple[int, ...] | None = None
    domain_shape: tuple[int, ...] | None = None
    exact_inverse: bool = True
    fast_direction: Direction = "both"
    constant_log_det: bool = False
    data_dependent: bool = False
    static_graph: bool = True
    log_det_kind: LogDetKind = "exact"

    # ------------------------------------------------------------------------------------------------ what an author writes

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map valid ``x`` ``[*batch, *event]`` to ``y`` and FLDJ ``[*batch]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_forward_and_log_det`.")

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map valid ``y`` ``[*batch, *event]`` to ``x`` and ILDJ ``[*batch]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_inverse_and_log_det`.")

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self._forward_and_log_det(x, context)[0]

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return self._inverse_and_log_det(y, context)[0]

    # ------------------------------------------------------------------------------------------------------ what users call

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return :math:`y = f(x)`; ``f(x)`` is the same, with module hooks."""
        self._check_input("x", x, self.domain, self.domain_shape, context)
        return self._forward(x, context)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Return :math:`x = f^{-1}(y)`."""
        self._check_input("y", y, self.codomain, self.codomain_shape, context)
        return self._check_inverse(self._inverse(y, context))

    def forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        r"""Return :math:`f(x)` and :math:`\mathrm{FLDJ}(x)` (shape ``[*batch]``, nats) from one pass."""
        self._check_input("x", x, self.domain, self.domain_shape, context)
        return self._forward_and_log_det(x, context)

    def inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        r"""Return :math:`f^{-1}(y)` and :math:`\mathrm{ILDJ}(y)` (shape ``[*batch]``, nats) from one pass."""
        self._check_input("y", y, self.codomain, self.codomain_shape, context)
        x, ildj = self._inverse_and_log_det(y, context)
        return self._check_inverse(x), ildj

    def forward_log_det_jacobian(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return FLDJ at ``x``: shape ``[*batch]``, nats."""
        return self.forward_and_log_det(x, context)[1]

    def inverse_log_det_jacobian(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Return ILDJ at ``y``: shape ``[*batch]``, nats."""
        return self.inverse_and_log_det(y, context)[1]

    def condition(self, context: Tensor) -> Conditioned:
        """Return this bijector with its context bound; the parameters stay shared."""
        from probgen.distributions.bijectors.conditioned import Conditioned

        return Conditioned(self, context)

    def initialize_from(self, y: Tensor, context: Tensor | None = None) -> None:
        """Start the parameters from data at the output, where the map has a rule for that (``ActNorm``); else do nothing.

        Args:
            y: Outputs ``[*batch, *event]``: for a whole flow a batch of data, the first one of the training.
            context: The context, where the map takes one.

        Raises:
            NotImplementedError: the map cannot say what the data are at the outputs of a part that has such a rule.
        """
        rules = [type(part).__name__ for part in self.modules() if isinstance(part, Bijector) and part.data_dependent]
        if rules:
            raise NotImplementedError(
                f"{type(self).__name__} cannot start its parts {rules} from data: start them by themselves."
            )

    def __rshift__(self, other: Transform) -> Compose:
        """``(f >> g)(x) = g(f(x))``."""
        if not isinstance(other, Transform):
            return NotImplemented  # a map that is no bijector may know what to do
        from probgen.distributions.bijectors.compose import Compose

        return Compose(self, other)

    # ------------------------------------------------------------------------------------------- torch.distributions.Transform

    @property
    def codomain_shape(self) -> tuple[int, ...] | None:
        """Event shape of ``y`` if the map works for one only, else None."""
        return self.domain_shape

    @property
    def inv(self) -> Bijector:
        """The inverse map, sharing parameters; ``f.inv.inv is f``."""
        from probgen.distributions.bijectors.inverse import Inverse

        return Inverse(self)

    @property
    def sign(self) -> int:
        """+1 or -1 for a scalar map that increases or decreases."""
        raise NotImplementedError(f"{type(self).__name__} has no sign: it is not a monotone scalar map.")

    def with_cache(self, cache_size: int = 1) -> Bijector:
        """Return this bijector: it holds no cache."""
        return self

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """FLDJ at ``x`` where ``y = f(x)``, from whichever of the two is cheaper to start from."""
        if self.fast_direction == "inverse":
            return -self.inverse_and_log_det(y)[1]
        return self.forward_and_log_det(x)[1]

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of ``f(x)`` for ``x`` of the given shape."""
        return self._mapped_shape(shape, self.domain, self.domain_shape, self.codomain_shape)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of :math:`f^{-1}(y)` for ``y`` of the given shape."""
        return self._mapped_shape(shape, self.codomain, self.codomain_shape, self.domain_shape)

    def _call(self, x: Tensor) -> Tensor:
        return self(x)  # type: ignore[no-any-return]

    def _inv_call(self, y: Tensor) -> Tensor:
        return self.inverse(y)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = nn.Module.__hash__

    def __repr__(self) -> str:
        return nn.Module.__repr__(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy parameters and buffers; a buffer with a history (a context from a network) is copied without it."""
        for value in self._buffers.values():
            if value is not None and value.grad_fn is not None and id(value) not in memo:
                memo[id(value)] = value.detach().clone()
                memo.setdefault(id(memo), []).append(value)  # keeps the key's owner alive, as the copy module does
        result = self.__class__.__new__(self.__class__)
        memo[id(self)] = result
        result.__dict__ = copy.deepcopy(self.__dict__, memo)
        return result

    # ------------------------------------------------------------------------------------------------------------------ checks

    def _check_input(
        self,
        name: str,
        value: Tensor,
        constraint: constraints.Constraint,
        event_shape: tuple[int, ...] | None,
        context: Tensor | None,
    ) -> None:
        owner = type(self).__name__
        event_dim = constraint.event_dim
        require_event_shape(name, value, event_dim, event_shape)
        require_context(owner, context, self.context_shape, value.shape[: value.dim() - event_dim])
        require_values(name, value, constraint, owner)
        if context is not None:
            require_values("context", context, constraints.real, owner)

    def _check_inverse(self, x: Tensor) -> Tensor:
        if not self.exact_inverse and value_checks_active(x) and bool(x.isnan().any()):
            raise InversionError(
                f"the inverse of {type(self).__name__} did not converge for {int(x.isnan().sum())} of {x.numel()} element(s)."
            )
        return x

    @staticmethod
    def _mapped_shape(
        shape: Sequence[int],
        source: constraints.Constraint,
        source_shape: tuple[int, ...] | None,
        target_shape: tuple[int, ...] | None,
    ) -> torch.Size:
        cut = len(shape) - source.event_dim
        if cut < 0:
            raise ValueError(f"`shape` needs at least {source.event_dim} event dimension(s); got {tuple(shape)}.")
        batch, event = tuple(shape[:cut]), tuple(shape[cut:])
        if source_shape is not None and event != source_shape:
            raise ValueError(f"`shape` must end with the event shape {source_shape}; got {tuple(shape)}.")
        return torch.Size(batch + (event if target_shape is None else target_shape))

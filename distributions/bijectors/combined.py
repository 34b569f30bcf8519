"""What bijectors made of several parts share: capability flags, the context, and how it reaches a part."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from probgen.distributions.bijectors._chain import Link, common_context_shape
from probgen.distributions.bijectors.base import Bijector, Direction, LogDetKind

__all__ = ["Combined", "context_for"]


class Combined(Bijector):
    """A bijector made of parts (abstract): exact, static or constant if every part is.

    The context is passed only to parts that declare one; all such parts must declare the same shape.

    Args:
        parts: At least one bijector. A part may occur several times; its parameters are then shared.

    Raises:
        ValueError: no parts, or parts that declare different context shapes.

    Example:
        >>> from probgen.distributions.bijectors import Combined, Exp, Scale
        >>> f = Exp() >> Scale(2.0)
        >>> isinstance(f, Combined), len(f), f.exact_inverse
        (True, 2, True)
    """

    def __init__(self, parts: Sequence[Bijector]) -> None:
        super().__init__()
        if not parts:
            raise ValueError("`parts` must hold at least one bijector; got none.")
        self.parts = nn.ModuleList(parts)
        self._context_shape = common_context_shape(parts)

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def _parts(self) -> list[Bijector]:
        return list(self.parts)  # type: ignore[arg-type]

    @property
    def context_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """The context shape that the parts declare, if any does."""
        return self._context_shape

    @property
    def exact_inverse(self) -> bool:  # type: ignore[override]
        """True if every part's inverse is exact."""
        return all(part.exact_inverse for part in self._parts)

    @property
    def fast_direction(self) -> Direction:  # type: ignore[override]
        """The direction in which all parts cost one pass ("both" if every part does; mixed chains name "forward")."""
        slow = {part.fast_direction for part in self._parts} - {"both"}
        return "both" if not slow else slow.pop() if len(slow) == 1 else "forward"

    @property
    def constant_log_det(self) -> bool:  # type: ignore[override]
        """True if every part's log-determinant is constant."""
        return all(part.constant_log_det for part in self._parts)

    @property
    def static_graph(self) -> bool:  # type: ignore[override]
        """True if every part's graph is static."""
        return all(part.static_graph for part in self._parts)

    @property
    def log_det_kind(self) -> LogDetKind:  # type: ignore[override]
        """Exact if every part's log-determinant is, biased if one is."""
        kinds = {part.log_det_kind for part in self._parts}
        return "biased" if "biased" in kinds else "unbiased" if "unbiased" in kinds else "exact"


def context_for(part: Link, context: Tensor | None, extra: int) -> Tensor | None:
    """The context as ``part`` needs it: None, or with its batch aligned to the batch of the part.

    To a part whose event has ``extra`` axes fewer than the event of the whole, those axes are batch axes; the context gets as
    many axes of length one between its batch and its own shape.

    Args:
        part: The part that receives the context.
        context: The context of the whole, shape ``[*batch, *part.context_shape]``.
        extra: Number of axes, at least 0.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine, ConditionalElementwise
        >>> from probgen.distributions.bijectors.combined import context_for
        >>> part = ConditionalElementwise(Affine(), torch.nn.Linear(2, 2), context_shape=(2,))
        >>> context_for(part, torch.zeros(5, 2), extra=1).shape
        torch.Size([5, 1, 2])
    """
    if part.context_shape is None or context is None:
        return None
    cut = context.dim() - len(part.context_shape)
    return context.reshape(*context.shape[:cut], *(1,) * extra, *context.shape[cut:])

"""Hypothesis strategies: batches of points by constraint, shapes, dtypes.

A tensor is not drawn number by number (hypothesis would spend its time on that) but as a recipe, a ``Draw``: hypothesis
explores and shrinks the recipe. Install with ``pip install probgen[testing]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

from probgen.distributions.testing.points import Draw, points_in

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["BATCH_SHAPES", "batch_shapes", "draws", "dtypes", "points"]

BATCH_SHAPES: tuple[tuple[int, ...], ...] = ((), (1,), (3,), (2, 3), (3, 1), (0,))


def _strategies() -> Any:
    try:
        import hypothesis.strategies
    except ImportError:
        raise ImportError(
            "the law kit draws its inputs with hypothesis; install it with `pip install probgen[testing]`."
        ) from None
    return hypothesis.strategies


def draws(
    scales: Sequence[float] = (0.0, 1.0, 3.0), special: Sequence[float] = (), *, most_special: int = 2, count: int = 8
) -> SearchStrategy[Draw]:
    """Recipes of batches.

    Args:
        scales: Standard deviations of the unconstrained numbers, the simplest first.
        special: Exact values that may be put in.
        most_special: At most so many of them in one batch.
        count: Points in a batch.

    Example:
        >>> from hypothesis import given
        >>> from probgen.distributions.testing import draws
        >>> @given(draws(scales=(1.0,)))
        ... def test_scale(draw):
        ...     assert draw.scale == 1.0
        >>> print(test_scale())
        None
    """
    st = _strategies()
    chosen = st.lists(st.sampled_from(tuple(special)), max_size=most_special).map(tuple) if special else st.just(())
    return st.builds(  # type: ignore[no-any-return]
        Draw,
        seed=st.integers(0, 2**16),
        scale=st.sampled_from(tuple(scales)),
        special=chosen,
        decimals=st.sampled_from((0, 1, None)),
        count=st.just(count),
    )


def points(
    constraint: Constraint,
    event_shape: Sequence[int] = (),
    batch_shape: Sequence[int] = (8,),
    *,
    dtype: torch.dtype = torch.float64,
    scales: Sequence[float] = (0.0, 1.0, 3.0),
    special: Sequence[float] = (),
) -> SearchStrategy[Tensor]:
    """Tensors that satisfy a constraint: drawn unconstrained, pushed through ``biject_to``; nothing is filtered.

    Args:
        constraint: A torch constraint.
        event_shape: Shape of one event.
        batch_shape: Leading shape.
        dtype: Floating-point type.
        scales: Standard deviations of the unconstrained numbers.
        special: Exact unconstrained values that may be put in.

    Example:
        >>> from hypothesis import given
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.testing import points
        >>> @given(points(constraints.positive, batch_shape=(4,)))
        ... def test_positive(x):
        ...     assert (x > 0).all()
        >>> print(test_positive())
        None
    """
    return draws(scales, special).map(lambda draw: points_in(constraint, event_shape, batch_shape, draw, dtype))


def batch_shapes() -> SearchStrategy[tuple[int, ...]]:
    """Batch shapes of zero to two dimensions, an empty one among them.

    Example:
        >>> from hypothesis import given
        >>> from probgen.distributions.testing import batch_shapes
        >>> @given(batch_shapes())
        ... def test_rank(shape):
        ...     assert len(shape) <= 2
        >>> print(test_rank())
        None
    """
    return _strategies().sampled_from(BATCH_SHAPES)  # type: ignore[no-any-return]


def dtypes() -> SearchStrategy[torch.dtype]:
    """float32 and float64.

    Example:
        >>> from hypothesis import given
        >>> from probgen.distributions.testing import dtypes
        >>> @given(dtypes())
        ... def test_floating(dtype):
        ...     assert dtype.is_floating_point
        >>> print(test_floating())
        None
    """
    return _strategies().sampled_from((torch.float32, torch.float64))  # type: ignore[no-any-return]

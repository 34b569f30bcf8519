"""A flow as the chain of bijectors that it is, for objectives that treat its continuous parts in a way of their own."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Size, Tensor, broadcast_shapes
from torch.distributions import Distribution

from probgen.distributions._checks import require_context, require_event_shape
from probgen.distributions.bijectors import Bijector, Compose, ContinuousFlow
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["chain_of", "checked_batch", "end_shapes", "inverse_through", "only_continuous_part", "require_base"]


def chain_of(flow: Bijector) -> list[Bijector]:
    """The parts of a composition, or the flow itself, from the base to the data.

    Args:
        flow: Any bijector.

    Raises:
        TypeError: it is none.

    Example:
        >>> from probgen.distributions.bijectors import Exp, Scale
        >>> from probgen.infer.flow_chain import chain_of
        >>> [type(part).__name__ for part in chain_of(Scale(2.0) >> Exp())]
        ['Scale', 'Exp']
    """
    if not isinstance(flow, Bijector):
        raise TypeError(f"`flow` must be a Bijector; got {type(flow).__name__}.")
    return [flow[index] for index in range(len(flow))] if isinstance(flow, Compose) else [flow]


def only_continuous_part(flow: Bijector) -> int:
    """Where in its chain a flow has its one continuous part.

    Args:
        flow: A ``ContinuousFlow``, or a composition with one in it.

    Raises:
        ValueError: there is none, or more than one: between two of them nobody says what the law in the middle should be.

    Example:
        >>> from probgen.distributions.bijectors import Scale
        >>> from probgen.flows import continuous_flow
        >>> from probgen.infer.flow_chain import only_continuous_part
        >>> only_continuous_part(Scale(2.0) >> continuous_flow(2, hidden=(4,)))
        1
    """
    found = [index for index, part in enumerate(chain_of(flow)) if isinstance(part, ContinuousFlow)]
    if len(found) != 1:
        raise ValueError(f"`flow` must have exactly one ContinuousFlow in its chain; it has {len(found)}.")
    return found[0]


def end_shapes(flow: Bijector) -> tuple[Size, Size]:
    """The event shapes of the base and of the data, as the continuous parts of a flow fix them.

    Args:
        flow: A bijector with a ``ContinuousFlow`` in its chain.

    Raises:
        ValueError: it has none.

    Example:
        >>> from probgen.flows import continuous_image_flow
        >>> from probgen.infer.flow_chain import end_shapes
        >>> [tuple(shape) for shape in end_shapes(continuous_image_flow((1, 2, 3), hidden=(4,)))]
        [(6,), (1, 2, 3)]
    """
    chain = chain_of(flow)
    places = [index for index, part in enumerate(chain) if isinstance(part, ContinuousFlow)]
    if not places:
        raise ValueError("`flow` must have a ContinuousFlow in its chain; it has none.")
    known = chain[places[0]]
    first = last = Size(known.event_shape) if isinstance(known, ContinuousFlow) else Size()
    for part in reversed(chain[: places[0]]):
        first = part.inverse_shape(first)
    for part in chain[places[0] :]:
        last = part.forward_shape(last)
    return first, last


def require_base(base: Distribution | None, flow: Bijector) -> None:
    """Check that draws of the base are what a flow takes; None stands for a base that is made to fit.

    Args:
        base: The law that the flow starts from, or None.
        flow: A bijector with a ``ContinuousFlow`` in its chain.

    Raises:
        ValueError: the events of the base have another shape, or the flow has no continuous part.

    Example:
        >>> from probgen.distributions import standard_normal
        >>> from probgen.flows import continuous_flow
        >>> from probgen.infer.flow_chain import require_base
        >>> require_base(standard_normal(3), continuous_flow(2, hidden=(4,)))
        Traceback (most recent call last):
        ...
        ValueError: `base` must have events of shape (2,); got (3,) with batch shape ().
    """
    shape = tuple(end_shapes(flow)[0])
    if base is not None and tuple(base.event_shape) != shape:
        raise ValueError(
            f"`base` must have events of shape {shape}; got {tuple(base.event_shape)} "
            f"with batch shape {tuple(base.batch_shape)}."
        )


def checked_batch(flow: Bijector, x: Tensor, context: Tensor | None) -> Size:
    """The batch shape of data and context together, after a check of both.

    Args:
        flow: A bijector with a ``ContinuousFlow`` in its chain.
        x: Data ``[*batch, *event]``.
        context: Shape ``[*batch, *context_shape]``, if the flow takes one.

    Raises:
        ValueError: a wrong event shape.
        ContextError: a missing, mis-sized or unused context.

    Example:
        >>> import torch
        >>> from probgen.flows import continuous_flow
        >>> from probgen.infer.flow_chain import checked_batch
        >>> checked_batch(continuous_flow(2, hidden=(4,)), torch.zeros(5, 3, 2), None)
        torch.Size([5, 3])
    """
    shape = end_shapes(flow)[1]
    require_event_shape("x", x, len(shape), shape)
    batch = x.shape[: x.dim() - len(shape)]
    require_context(type(flow).__name__, context, flow.context_shape, batch)
    return batch if context is None else broadcast_shapes(batch, context.shape[: context.dim() - len(flow.context_shape or ())])


def inverse_through(
    parts: Sequence[Bijector], y: Tensor, context: Tensor | None, batch_dims: int
) -> tuple[Tensor, Tensor | float]:
    """From the data through parts of a chain, with the log-determinant summed over everything but the batch.

    Args:
        parts: From the base to the data; perhaps none.
        y: Values ``[*batch, *event]``.
        context: Given to parts that take one.
        batch_dims: How many axes the batch has.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Scale
        >>> from probgen.infer.flow_chain import inverse_through
        >>> inverse_through([Scale(2.0)], torch.ones(3, 2), None, 1)[1].shape
        torch.Size([3])
    """
    total: Tensor | float = 0.0
    for part in reversed(parts):
        y, log_det = part.inverse_and_log_det(y, None if part.context_shape is None else context)
        total = total + sum_rightmost(log_det, log_det.dim() - batch_dims)
    return y, total

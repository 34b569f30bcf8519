r"""The causality certificate: does every position of an autoregressive network see earlier positions only, and which of them?

A product of conditionals :math:`\prod_i p(x_i \mid \theta_i(x))` has mass one if :math:`\theta_i` depends only on what comes
before :math:`i` in some order. A network that breaks this trains all the better (it predicts a value from itself), and nothing
but samples shows that something is wrong. ``check_causality`` finds it in any network, ours or not, and on the way draws the
map of what each position sees: receptive fields and blind spots. It looks at several inputs, in double precision and in
evaluation mode, with the weights as built and moved twice (a head that starts at zero hides everything).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from probgen.distributions.autoregressive import Autoregressive, AutoregressiveLaw
from probgen.distributions.bijectors.incremental import IncrementalNetwork
from probgen.distributions.testing.causality_report import CausalityReport
from probgen.distributions.testing.dependence import Function, jacobian_dependence, perturbation_dependence
from probgen.distributions.testing.law import LawViolation
from probgen.distributions.testing.points import Draw, unconstrained
from probgen.distributions.testing.regimes import REGIMES, has_parameters

__all__ = ["check_causality", "raster_order"]

METHODS = ("jacobian", "perturbation")


class _Layout(NamedTuple):
    """What a network takes, and to which positions its inputs and outputs belong."""

    event: tuple[int, ...]
    grid: tuple[int, ...]
    rank: Tensor
    sources: Tensor
    rows_of_parameters: bool = False


def check_causality(
    model: nn.Module | Autoregressive | Callable[..., Tensor],
    event_shape: Sequence[int] | None = None,
    *,
    order: Tensor | None = None,
    values: Tensor | None = None,
    context: Tensor | None = None,
    inputs: int = 3,
    methods: Sequence[str] = METHODS,
    dtype: torch.dtype = torch.float64,
    name: str = "",
    strict: bool = True,
) -> CausalityReport:
    r"""Certify that the parameters of each position depend on the values of earlier positions only.

    Args:
        model: An ``IncrementalNetwork``, an ``Autoregressive`` or an ``AutoregressiveLaw`` (their network is certified, in its
            own order), or any module or function from values ``[N, *event]`` to parameters. A module is copied, never changed.
        event_shape: Shape of the values of one row, needed for a module that is none of ours; for an incremental network the
            shape in which its positions are named and drawn, as in ``(8, 8)`` for 64 coordinates.
        order: Rank of each position, integers that broadcast to ``event_shape`` and to the trailing dimensions of the
            parameters (or to all but the last). The positions are the entries of ``order``: ``raster_order((8, 8))`` for pixels
            whose channels ``[N, C, 8, 8]`` belong together, ``raster_order((3, 8, 8))`` where each color is a position.
            None: raster order of ``event_shape``.
        values: Inputs ``[n, *event]`` to use, at least two rows: codes for networks that embed integers. None: normal numbers.
        context: A context, the second argument of the model, expanded over the rows. None: normal numbers where an
            incremental network takes one.
        inputs: How many normal inputs.
        methods: "jacobian", "perturbation" or both; the union counts. What has no derivative is only moved.
        dtype: In which the copy of a module computes.
        name: For the report.
        strict: Raise if something leaks.

    Returns:
        The report: leaks, what is reached, blind spots.

    Raises:
        LawViolation: something leaks and ``strict`` is True, or the model is random in evaluation mode.
        ValueError: shapes or methods do not fit.

    References:
        van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu (2016). Conditional image generation with PixelCNN
        decoders (blind spots). https://arxiv.org/abs/1606.05328

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from probgen.distributions.testing import check_causality
        >>> print(check_causality(nn.Conv1d(1, 1, 3, padding="same"), (1, 4), order=torch.arange(4), strict=False))
        Conv1d, positions (4,): 7 leaks; 3 of 6 reached (50.0%)
          0 sees 0
          0 sees 1
          1 sees 1
          1 sees 2
          2 sees 2
          and 2 more
          by jacobian and perturbation; 3 inputs, 3 sets of weights
    """
    if not methods or not set(methods) <= set(METHODS):
        raise ValueError(f"`methods` must be some of {METHODS}; got {tuple(methods)}.")
    network = model.network if isinstance(model, (Autoregressive, AutoregressiveLaw)) else model
    layout = _layout(model, network, event_shape, order)
    rows = _inputs(layout, values, inputs, dtype)
    copies = _copies(network, dtype)
    depends, used = torch.zeros(len(layout.rank), len(layout.rank), dtype=torch.bool), []
    for seed, moved in enumerate(copies):
        function = _function(moved, context, dtype, seed)
        targets = _targets(function, rows, layout)
        found = {method: _dependence(method, function, rows, layout.sources, targets) for method in methods}
        if all(map_ is None for map_ in found.values()):
            found["perturbation"] = _dependence("perturbation", function, rows, layout.sources, targets)
        used = [method for method, map_ in found.items() if map_ is not None]
        depends |= torch.stack([map_ for map_ in found.values() if map_ is not None]).any(0)
    title = name or (type(network).__name__ if isinstance(network, nn.Module) else getattr(network, "__name__", "function"))
    report = CausalityReport(title, layout.grid, layout.rank, depends, tuple(used), len(rows), len(copies))
    if strict:
        report.raise_if_leaking()
    return report


def raster_order(shape: Sequence[int], *, colors_first: bool = True) -> Tensor:
    """Ranks of the positions of an image with colors: pixels in raster order, and in a pixel red, green, blue.

    Args:
        shape: ``(T,)``, ``(H, W)``, or ``(C, H, W)`` where each color is a position.
        colors_first: Whether the first of three dimensions holds the colors; False: the last, ``(H, W, C)``.

    Returns:
        Integers of that shape.

    Example:
        >>> from probgen.distributions.testing import raster_order
        >>> raster_order((2, 1, 2)).tolist()
        [[[0, 2]], [[1, 3]]]
    """
    count = torch.arange(math.prod(shape))
    if len(shape) != 3 or not colors_first:
        return count.reshape(tuple(shape))
    colors, height, width = shape
    return count.reshape(height, width, colors).movedim(-1, 0).contiguous()


# ------------------------------------------------------------------------------------------------------------------- layouts


def _layout(model: object, network: object, event_shape: Sequence[int] | None, order: Tensor | None) -> _Layout:
    if isinstance(network, IncrementalNetwork):
        if order is not None:
            raise ValueError("`order` must be None: an incremental network has an order of its own.")
        return _incremental_layout(model, network, event_shape)
    if event_shape is None:
        raise ValueError("`event_shape` must be given for a model that is no incremental network.")
    event = tuple(event_shape)
    order = torch.arange(math.prod(event)).reshape(event) if order is None else order
    numbers = torch.arange(order.numel()).reshape(order.shape)
    try:
        sources = numbers.expand(event)
    except RuntimeError:
        raise ValueError(f"`order` must broadcast to the event shape {event}; got shape {tuple(order.shape)}.") from None
    return _Layout(event, tuple(order.shape), order.flatten(), sources)


def _incremental_layout(model: object, network: IncrementalNetwork, shape: Sequence[int] | None) -> _Layout:
    rank = torch.empty(network.features, dtype=torch.long)
    for place, level in enumerate(network.levels):
        rank[list(level)] = place
    grid = tuple(shape) if shape is not None else _own_grid(model, network)
    if math.prod(grid) != network.features:
        raise ValueError(f"`event_shape` must hold the {network.features} positions of the network; got {grid}.")
    sources = torch.arange(network.features).repeat_interleave(network.num_inputs)
    return _Layout((network.features * network.num_inputs,), grid, rank, sources, rows_of_parameters=True)


def _own_grid(model: object, network: IncrementalNetwork) -> tuple[int, ...]:
    """The shape that a law gives its positions, or that a network on a grid has."""
    if isinstance(model, (Autoregressive, AutoregressiveLaw)):
        return tuple(model.event_shape[len(model.element.event_shape) :])
    grid = tuple(getattr(network, "grid", (network.features,)))
    colors = network.features // max(math.prod(grid), 1)
    return grid if colors <= 1 else (colors, *grid)


def _inputs(layout: _Layout, values: Tensor | None, inputs: int, dtype: torch.dtype) -> Tensor:
    if values is None:
        return unconstrained(Draw(seed=1), (max(inputs, 2), *layout.event)).to(dtype)
    if tuple(values.shape[1:]) != layout.event or len(values) < 2:
        raise ValueError(f"`values` must have the shape [n, *{layout.event}] with n > 1; got {tuple(values.shape)}.")
    return values.to(dtype) if values.is_floating_point() else values


def _targets(function: Function, rows: Tensor, layout: _Layout) -> Tensor:
    """To which position each number of an output row belongs; the function must not be random."""
    with torch.no_grad():
        output, again = function(rows), function(rows)
    if not torch.equal(output.nan_to_num(), again.nan_to_num()):
        raise LawViolation("evaluation_is_deterministic", "two passes in evaluation mode", output, again)
    shape, numbers = tuple(output.shape[1:]), torch.arange(len(layout.rank)).reshape(layout.grid)
    if layout.rows_of_parameters:
        return numbers.reshape(-1, 1).expand(shape)
    fitting = [
        candidate
        for candidate, leading in ((numbers, len(shape) - numbers.dim()), (numbers.unsqueeze(-1), 0))
        if candidate.dim() == len(shape) - leading and _broadcasts(candidate, shape[leading:])
    ]
    if len(fitting) != 1:
        reason = "both fit" if fitting else "neither fits"
        raise ValueError(
            f"the parameters must end with the shape {layout.grid} of the positions, or with it and one more dimension; "
            f"{reason} [N, {', '.join(map(str, shape))}]."
        )
    return fitting[0].expand(shape)


def _broadcasts(numbers: Tensor, shape: Sequence[int]) -> bool:
    return all(own in (1, size) for own, size in zip(numbers.shape, shape, strict=True))


# ------------------------------------------------------------------------------------------------------------------ networks


def _copies(network: object, dtype: torch.dtype) -> list[Callable[..., Tensor]]:
    """The network in evaluation mode with the weights as built and moved; a function as it is."""
    if not isinstance(network, nn.Module):
        return [network]  # type: ignore[list-item]
    if not has_parameters(network):
        return [copy.deepcopy(network).to(dtype).eval()]
    return [regime.apply(network, seed=7).to(dtype).eval() for regime in REGIMES.values()]


def _function(network: Callable[..., Tensor], context: Tensor | None, dtype: torch.dtype, seed: int) -> Function:
    """Rows to parameters, with a context if there is one."""
    if context is None and isinstance(network, IncrementalNetwork) and network.context_shape is not None:
        context = unconstrained(Draw(seed=100 + seed), network.context_shape)
    if context is None:
        return network
    given = context.to(dtype) if context.is_floating_point() else context
    return lambda rows: network(rows, given.expand(len(rows), *given.shape))


def _dependence(method: str, function: Function, rows: Tensor, sources: Tensor, targets: Tensor) -> Tensor | None:
    if method == "perturbation":
        return perturbation_dependence(function, rows, sources, targets)
    return jacobian_dependence(function, rows, sources, targets) if rows.is_floating_point() else None

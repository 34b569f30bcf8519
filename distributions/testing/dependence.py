r"""Which outputs of a function depend on which inputs: by derivatives, and by moving one input at a time.

.. math::

    S^{\mathrm{Jacobian}}_{ij} = \bigvee_{n} \Bigl[\frac{\partial\, v_i^\top f_i(x^{(n)})}{\partial x_j} \ne 0\Bigr], \qquad
    S^{\mathrm{perturbation}}_{ij} = \bigvee_{n} \bigl[f_i(x^{(n)}) \ne f_i(x^{(n)} \text{ with } x_j = x_j^{(n+1)})\bigr],

with random weights :math:`v_i` over the numbers of output :math:`i`, which cancel with probability zero. Derivatives are exact
zeros where nothing depends (a mask multiplies by zero), however small they are where something does; moved inputs also find
what has no derivative: codes, rounding, an argmax. Both look at several inputs and see what happens at these inputs only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

__all__ = ["jacobian_dependence", "perturbation_dependence"]

_ROWS = 512

Function = Callable[[Tensor], Tensor]


def jacobian_dependence(function: Function, inputs: Tensor, sources: Tensor, targets: Tensor) -> Tensor | None:
    """Dependence by derivatives.

    Args:
        function: From ``[n, *event]`` to ``[n, *output]``, one row independent of another.
        inputs: Floating-point inputs ``[n, *event]``.
        sources: Number of the position to which each input belongs, integers of shape ``event``.
        targets: Number of the position to which each output belongs, integers of shape ``output``.

    Returns:
        Booleans ``[outputs, inputs]`` over positions, a NaN counted as dependence; None if there is no derivative.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing.dependence import jacobian_dependence
        >>> jacobian_dependence(lambda x: x.cumsum(-1), torch.randn(2, 3), torch.arange(3), torch.arange(3)).int()
        tensor([[1, 0, 0],
                [1, 1, 0],
                [1, 1, 1]], dtype=torch.int32)
    """
    positions = int(max(sources.max(), targets.max())) + 1
    weights = torch.randn(targets.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(inputs)
    depends = torch.zeros(positions, positions, dtype=torch.bool)
    for chunk in _chunks(positions, len(inputs)):
        rows = inputs.detach().repeat(len(chunk), *(1,) * (inputs.dim() - 1)).requires_grad_()
        with torch.enable_grad():
            output = function(rows)
            if not output.requires_grad:
                return None
            chosen = (targets == chunk.reshape(-1, *(1,) * targets.dim())) * weights
            total = (output * chosen.repeat_interleave(len(inputs), 0)).sum()
        slopes: tuple[Tensor | None, ...] = torch.autograd.grad(total, rows, allow_unused=True)
        slope = slopes[0]
        if slope is None:
            return None
        moved = ~(slope == 0).unflatten(0, (len(chunk), len(inputs)))
        depends[chunk] = _gathered(moved.any(1).flatten(1), sources, positions)
    return depends


def perturbation_dependence(
    function: Function, inputs: Tensor, sources: Tensor, targets: Tensor, *, tolerance: float = 1e-9
) -> Tensor:
    """Dependence by moving the inputs of one position to the values of the next row.

    Args:
        function: From ``[n, *event]`` to ``[n, *output]``, one row independent of another.
        inputs: Inputs ``[n, *event]`` of any dtype, at least two rows.
        sources: Number of the position to which each input belongs, integers of shape ``event``.
        targets: Number of the position to which each output belongs, integers of shape ``output``.
        tolerance: Changes up to this, relative to the largest output, are rounding.

    Returns:
        Booleans ``[outputs, inputs]`` over positions, a NaN counted as dependence.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing.dependence import perturbation_dependence
        >>> codes = torch.tensor([[0, 1, 2], [3, 4, 5]])
        >>> perturbation_dependence(lambda x: x.cumsum(-1).float(), codes, torch.arange(3), torch.arange(3)).int()
        tensor([[1, 0, 0],
                [1, 1, 0],
                [1, 1, 1]], dtype=torch.int32)
    """
    positions = int(max(sources.max(), targets.max())) + 1
    depends = torch.zeros(positions, positions, dtype=torch.bool)
    with torch.no_grad():
        base, others = function(inputs), inputs.roll(-1, 0)
        room = tolerance * (1 + base.abs().max())
        for chunk in _chunks(positions, len(inputs)):
            chosen = sources == chunk.reshape(-1, *(1,) * (sources.dim() + 1))
            rows = torch.where(chosen, others, inputs).flatten(0, 1)
            change = function(rows).unflatten(0, (len(chunk), len(inputs))) - base
            moved = ~(change.abs() <= room)
            depends[:, chunk] = _gathered(moved.any(1).flatten(1), targets, positions).mT
    return depends


def _chunks(positions: int, inputs: int) -> Iterator[Tensor]:
    """Numbers of positions, few enough at a time that the rows fit."""
    return iter(torch.arange(positions).split(max(_ROWS // max(inputs, 1), 1)))


def _gathered(moved: Tensor, owners: Tensor, positions: int) -> Tensor:
    """From booleans ``[k, numbers]`` to ``[k, positions]``: whether any number of a position moved."""
    counts = torch.zeros(len(moved), positions, dtype=torch.float32).index_add_(1, owners.flatten(), moved.float())
    return counts > 0

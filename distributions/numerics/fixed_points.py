r"""Fixed points of contractions by Anderson's acceleration, with a fixed number of evaluations.

Let :math:`\Phi` be a contraction, :math:`|\Phi(x) - \Phi(x')| \le \kappa |x - x'|` with :math:`\kappa < 1`. Picard's iteration
:math:`x \leftarrow \Phi(x)` shrinks the residual :math:`r = \Phi(x) - x` by :math:`\kappa` a step, which is slow for
:math:`\kappa` near one. Anderson's method keeps the last :math:`m` differences :math:`\Delta r, \Delta \Phi` and steps to

.. math:: x \leftarrow \Phi(x) - \Delta\Phi\, \alpha, \qquad \alpha = \arg\min_\alpha |r - \Delta r\, \alpha|^2 ,

the point at which the residual would vanish if :math:`\Phi` were affine on the span of the last points (for an affine
:math:`\Phi` it is GMRES). Every row has its own :math:`\alpha`. The least squares problem is solved by its normal equations on
columns of length one, with a ridge of ten units of rounding. A row whose residual has more than doubled is sent back to the
best point so far and takes a plain step from there; the best point is what is returned. Nothing branches on values in function
transforms and compiled programs; elsewhere a search may stop when every row is done, and takes Picard's steps, which cost
nothing but the evaluation, as long as their rate brings the worst row to its goal within half of the evaluations left.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from probgen.distributions._checks import values_readable

__all__ = ["accelerated_fixed_point"]


def accelerated_fixed_point(
    function: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    evaluations: int = 22,
    memory: int = 8,
    tolerance: float | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Look for :math:`x = \Phi(x)`, row by row.

    Args:
        function: The contraction :math:`\Phi`, ``[*batch, D] -> [*batch, D]``; rows must not depend on each other. It is called
            at most ``evaluations`` times.
        start: Where to start, ``[*batch, D]``.
        evaluations: How often ``function`` is called, at least 2.
        memory: How many differences are kept, at least 1.
        tolerance: Where values may be read (eager mode, no function transform), stop as soon as every residual is at most this
            many units of rounding, relative to one plus the point's length, and take plain steps while they are fast enough.
            None: never stop early.

    Returns:
        The best point that was visited, ``[*batch, D]``, and the length of its residual, ``[*batch]``.

    Raises:
        ValueError: too few evaluations, or no memory.

    References:
        Anderson (1965). Iterative procedures for nonlinear integral equations. https://doi.org/10.1145/321296.321305
        Walker, Ni (2011). Anderson acceleration for fixed-point iterations. https://doi.org/10.1137/10078356X

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.fixed_points import accelerated_fixed_point
        >>> x, residual = accelerated_fixed_point(torch.cos, torch.zeros(1, 1), evaluations=8)
        >>> x, bool(residual < 1e-6)
        (tensor([[0.7391]]), True)
    """
    if evaluations < 2 or memory < 1:
        raise ValueError(f"`evaluations` must be at least 2 and `memory` at least 1; got {evaluations} and {memory}.")
    ridge = 10.0 * float(torch.finfo(start.dtype).eps)
    x = start
    images: list[Tensor] = []
    residuals: list[Tensor] = []
    best = best_image = start
    least = torch.full_like(start[..., 0], torch.inf) if start.shape[-1] else start.new_zeros(start.shape[:-1])
    worst = math.inf
    for count in range(evaluations):
        image = function(x)
        residual = image - x
        size = torch.linalg.vector_norm(residual, dim=-1)
        better = (size < least).unsqueeze(-1)
        best, best_image = torch.where(better, x, best), torch.where(better, image, best_image)
        least = torch.where(better.squeeze(-1), size, least)
        plain = count == 0
        if tolerance is not None and values_readable(start):
            limit = tolerance * torch.finfo(start.dtype).eps * (1.0 + torch.linalg.vector_norm(best, dim=-1))
            previous, (worst, reached) = worst, _largest(size / limit, least / limit)
            if reached <= 1.0:
                break
            plain = plain or _soon(worst, previous, evaluations - count - 1)
        images, residuals = [*images, image][-memory - 1 :], [*residuals, residual][-memory - 1 :]
        if plain:
            x = image
            continue
        step = _mixed(images, residuals, ridge)
        lost = ~(size <= 2.0 * least).unsqueeze(-1) | ~step.isfinite().all(-1, keepdim=True)
        x = torch.where(lost, best_image, step)
    return best, least


def _largest(*sizes: Tensor) -> list[float]:
    return torch.stack([size.max() if size.numel() else size.new_zeros(()) for size in sizes]).tolist()


def _soon(worst: float, previous: float, left: int) -> bool:
    """Whether plain steps at the last rate bring the worst residual (goal: one) home in half of what is left."""
    if not 1.0 < worst < previous < math.inf:
        return worst <= 1.0
    return math.log(worst) <= 0.5 * left * math.log(previous / worst)


def _mixed(images: list[Tensor], residuals: list[Tensor], ridge: float) -> Tensor:
    r""":math:`\Phi(x) - \Delta\Phi\,\alpha` for the last point."""
    tiny = torch.finfo(images[-1].dtype).tiny
    slopes = torch.stack([residuals[-1] - earlier for earlier in residuals[:-1]], -1)
    lengths = torch.linalg.vector_norm(slopes, dim=-2, keepdim=True).clamp(min=tiny)
    slopes = slopes / lengths
    moves = torch.stack([images[-1] - earlier for earlier in images[:-1]], -1) / lengths
    gram = slopes.mT @ slopes
    gram = gram + ridge * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    alpha = torch.linalg.solve(gram, slopes.mT @ residuals[-1].unsqueeze(-1))
    step: Tensor = images[-1] - (moves @ alpha).squeeze(-1)
    return step

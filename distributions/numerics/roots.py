r"""Inversion of increasing functions: :math:`f(x) = y` solved elementwise, differentiably, honestly.

**Search.** Brackets are kept and Newton steps are taken in warped coordinates :math:`u = \operatorname{asinh} x` and
:math:`r(u) = \operatorname{asinh} f(\sinh u) - \operatorname{asinh} y`, in which linear maps, powers and roots are straight
lines far out: from zero to :math:`10^{4}` is ten units. While one end of the bracket is missing, the step outwards is twice
the Newton step, within limits that grow fourfold each time. Once there is a bracket, the next point is the Newton step from
the end with the smaller residual if that moves, and by no more than half of the bracket; its midpoint otherwise. The number of
evaluations is fixed and nothing branches on values, so ``vmap``, ``torch.compile`` and forward-mode differentiation work.

**Derivatives.** The search is detached. Two attached Newton steps :math:`x \leftarrow x - (f(x) - y) / f'(x)` follow. Expand
in a perturbation of :math:`y` and of the parameters: the first step makes the linear terms right, the second those up to the
third order, because Newton's method doubles the order. So ordinary reverse- or forward-mode differentiation gives the implicit
derivative :math:`\partial x / \partial \theta = -f_\theta / f'` and its derivative, for every captured tensor.

**Honesty.** The last evaluation measures the residual. With machine precision :math:`\epsilon` and the declared factor
:math:`C`, an element is accepted if :math:`|f(x) - y| \le C \epsilon (1 + |y| + (1 + |x|) f'(x))`, which is what rounding of
:math:`x` and :math:`f` may cause, or if the bracket is as narrow as rounding allows; else it is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["ValueAndLogDerivative", "invert_increasing"]

ValueAndLogDerivative = Callable[[Tensor], tuple[Tensor, Tensor]]

_ATTACHED = 3  # two Newton steps and the final residual
_LARGEST_LOG = 60.0


class _Bracket(NamedTuple):
    """Ends of the bracket in the warped coordinate; at each, the warped residual (infinite if unknown) and 1 / slope."""

    low: Tensor
    high: Tensor
    low_residual: Tensor
    high_residual: Tensor
    low_inverse_slope: Tensor
    high_inverse_slope: Tensor


def invert_increasing(
    function: ValueAndLogDerivative,
    y: Tensor,
    *,
    bounds: tuple[Tensor, Tensor] | None = None,
    evaluations: int = 30,
    tolerance: float = 64.0,
) -> tuple[Tensor, Tensor]:
    r"""Solve :math:`f(x) = y` elementwise for a strictly increasing :math:`f`, with derivatives of first and second order.

    Args:
        function: Maps ``x`` ``[*batch]`` to :math:`f(x)` and :math:`\log f'(x)`, both of the same shape. It is called exactly
            ``evaluations`` times.
        y: Targets, shape ``[*batch]`` (already broadcast with the parameters that ``function`` captures).
        bounds: Lower and upper bounds of every root, if known, broadcastable with ``y``; otherwise the bracket grows from zero.
        evaluations: How often ``function`` is evaluated, at least 6.
        tolerance: The factor :math:`C` on machine precision in the acceptance test above.

    Returns:
        ``x`` and :math:`\log f'(x)`, shape ``[*batch]``; NaN where the residual exceeds the tolerance.

    Raises:
        ValueError: ``evaluations`` is less than 6.

    References:
        Christianson (1994). Reverse accumulation and attractive fixed points. https://doi.org/10.1080/10556789408805572
        Press, Teukolsky, Vetterling, Flannery (2007). Numerical recipes, section 9.4 (safeguarded Newton). https://numerical.recipes

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.roots import invert_increasing
        >>> y = torch.tensor([-1e4, 0.5, 1e4], dtype=torch.float64)
        >>> x, log_slope = invert_increasing(lambda x: (x**3 + x, (3 * x**2 + 1).log()), y)
        >>> x**3 + x
        tensor([-1.0000e+04,  5.0000e-01,  1.0000e+04], dtype=torch.float64)
    """
    if evaluations < 6:
        raise ValueError(f"`evaluations` must be at least 6; got {evaluations}.")
    with torch.no_grad():
        target = y.detach()
        bracket = _search(_detached(function), target, bounds, evaluations - _ATTACHED)
        start, low, high = _best_point(bracket)
    x = start
    for _ in range(_ATTACHED - 1):
        x = _attached_newton_step(function, x, y, low, high)
    value, log_derivative = function(x)
    accepted = _accepted(x.detach(), target, value.detach(), log_derivative.detach(), high - low, tolerance)
    nan = torch.full_like(target, math.nan)
    return torch.where(accepted, x, nan), torch.where(accepted, log_derivative, nan)


def _detached(function: ValueAndLogDerivative) -> ValueAndLogDerivative:
    """Cut forward-mode tangents too, which ``no_grad`` leaves alone."""

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        value, log_derivative = function(x)
        return value.detach(), log_derivative.detach()

    return evaluate


def _search(function: ValueAndLogDerivative, y: Tensor, bounds: tuple[Tensor, Tensor] | None, evaluations: int) -> _Bracket:
    info = torch.finfo(y.dtype)
    limit = math.asinh(info.max / 8.0)
    one = torch.ones_like(y)
    bracket = _Bracket(-limit * one, limit * one, -math.inf * one, math.inf * one, one, one)
    if bounds is None:
        bracket = _updated(bracket, torch.zeros_like(y), function, y)
        spent = 1
    else:
        for bound, outwards in zip(bounds, (-4.0, 4.0), strict=True):
            u = torch.asinh(bound.detach().to(y.dtype).expand(y.shape))
            bracket = _updated(bracket, u + outwards * info.eps * (1.0 + u.abs()), function, y)
        spent = 2
    for count in range(evaluations - spent):
        limit_now = 0.5 * 4.0 ** min(count, 5)
        u = _next_point(bracket, limit_now).clamp(-limit, limit)
        bracket = _updated(bracket, u, function, y)
    return bracket


def _next_point(bracket: _Bracket, longest: float) -> Tensor:
    low, high, low_residual, high_residual, low_inverse_slope, high_inverse_slope = bracket
    from_low = -low_residual < high_residual
    newton = torch.where(from_low, -low_residual * low_inverse_slope, -high_residual * high_inverse_slope)
    end = torch.where(from_low, low, high)
    outwards = torch.sign(newton) * (2.0 * newton.abs()).clamp(longest / 8.0, longest)
    closed = torch.isfinite(low_residual) & torch.isfinite(high_residual)
    useful = (newton.abs() <= 0.5 * (high - low)) & (end + newton != end)
    inside = torch.where(useful, end + newton, 0.5 * (low + high))
    return torch.where(closed, inside, end + outwards)


def _updated(bracket: _Bracket, u: Tensor, function: ValueAndLogDerivative, y: Tensor) -> _Bracket:
    """Evaluate at ``u`` and move the end of the bracket on whose side it lies."""
    x = torch.sinh(u)
    value, log_derivative = function(x)
    largest = torch.finfo(y.dtype).max / 16.0
    finite = value.clamp(-largest, largest)
    residual = torch.where(finite == value, torch.asinh(finite) - torch.asinh(y), finite)
    log_slope = log_derivative + torch.log(torch.cosh(u)) - torch.log(torch.hypot(torch.ones_like(finite), finite))
    inverse_slope = torch.exp(-log_slope.clamp(-_LARGEST_LOG, _LARGEST_LOG))
    below = value < y
    residual = torch.where(below, residual.clamp(max=0.0), residual.clamp(min=0.0))
    low, high, low_residual, high_residual, low_inverse_slope, high_inverse_slope = bracket
    return _Bracket(
        torch.where(below, u, low),
        torch.where(below, high, u),
        torch.where(below, residual, low_residual),
        torch.where(below, high_residual, residual),
        torch.where(below, inverse_slope, low_inverse_slope),
        torch.where(below, high_inverse_slope, inverse_slope),
    )


def _best_point(bracket: _Bracket) -> tuple[Tensor, Tensor, Tensor]:
    """The end with the smaller residual, and both ends, unwarped."""
    low, high = torch.sinh(bracket.low), torch.sinh(bracket.high)
    return torch.where(-bracket.low_residual < bracket.high_residual, low, high), low, high


def _attached_newton_step(function: ValueAndLogDerivative, x: Tensor, y: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """One differentiable Newton step; its value (not its derivative) is held inside the bracket."""
    value, log_derivative = function(x)
    stepped = x - (value - y) * torch.exp(-log_derivative)
    fixed = stepped.detach()
    return (stepped - fixed) + torch.minimum(torch.maximum(fixed, low), high)


def _accepted(x: Tensor, y: Tensor, value: Tensor, log_derivative: Tensor, width: Tensor, tolerance: float) -> Tensor:
    eps = torch.finfo(y.dtype).eps
    allowed = tolerance * eps * (1.0 + y.abs() + (1.0 + x.abs()) * torch.exp(log_derivative))
    narrow = width <= 16.0 * eps * (1.0 + x.abs())
    return torch.isfinite(x) & (((value - y).abs() <= allowed) | narrow)

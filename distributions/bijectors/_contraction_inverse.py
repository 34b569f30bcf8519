r"""The root of :math:`x + g(x) = y` for a contraction :math:`g`, with derivatives.

**Search.** :math:`x \mapsto y - g(x)` is a contraction; Anderson's acceleration finds its fixed point, detached.

**Derivatives.** For small events two attached Newton steps :math:`x \leftarrow x - (I + J)^{-1}(x + g(x) - y)` follow, with the
whole Jacobian: the first makes first derivatives right, the second also those up to the third order, as in
``numerics/roots.py``. For large events the Jacobian is too much; there the implicit function theorem gives first derivatives:
the gradient :math:`w` of a loss by :math:`y` solves :math:`w = \bar x - J^\top w`, a contraction again, and parameters get
:math:`-w^\top \partial g / \partial \theta`. It refuses second derivatives, forward mode and ``torch.func``.

**Honesty.** An event is accepted if :math:`|x + g(x) - y| \le C \epsilon\, (1 + |x| + |y| + |g(x)|)`, each in its largest
coordinate, with machine precision :math:`\epsilon`; else it is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.autograd.function import once_differentiable

from probgen.distributions._checks import values_readable
from probgen.distributions.bijectors._contraction import Contraction
from probgen.distributions.numerics.fixed_points import accelerated_fixed_point
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["invert_implicitly", "invert_with_newton"]

_ATTACHED = 3  # two Newton steps and the final residual
_TOLERANCE = 64.0
_STOP = 2.0


def invert_with_newton(contraction: Contraction, y: Tensor, context: Tensor | None, evaluations: int) -> Tensor:
    """The roots ``[N, *event]``, with derivatives of first and second order in everything.

    Args:
        contraction: The network.
        y: Targets ``[N, *event]``.
        context: Their context.
        evaluations: How often the network is evaluated in all, at most.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._contraction import Contraction
        >>> from probgen.distributions.bijectors._contraction_inverse import invert_with_newton
        >>> invert_with_newton(Contraction(lambda x: 0.5 * torch.sin(x), 1), torch.tensor([[1.0]]), None, 30)
        tensor([[0.6840]])
    """
    x = _search(contraction, y, context, evaluations - _ATTACHED)
    if not torch.is_grad_enabled() and forward_ad._current_level < 0 and values_readable(y):
        found = _accepted(contraction, x, y, context)  # nothing is differentiated: Newton's steps are for the stragglers
        if not bool(found.isnan().any()):
            return found
    for _ in range(_ATTACHED - 1):
        value, matrix = contraction.jacobian(x, context)
        residual = (x + value - y).flatten(1) if x.dim() > 1 else (x + value - y).unsqueeze(-1)
        step = torch.linalg.solve_ex(matrix, residual.unsqueeze(-1))[0].squeeze(-1)
        x = x - step.reshape(x.shape)
    return _accepted(contraction, x, y, context)


def invert_implicitly(
    contraction: Contraction, y: Tensor, context: Tensor | None, evaluations: int, held: Sequence[nn.Parameter]
) -> Tensor:
    """The roots ``[N, *event]``, with first derivatives by backpropagation.

    Args:
        contraction: The network.
        y: Targets ``[N, *event]``.
        context: Their context.
        evaluations: How often the network is evaluated in all, and its products in the backward pass.
        held: The parameters of the network.

    Raises:
        NotImplementedError: a derivative is asked for by forward mode or ``torch.func``.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._contraction import Contraction
        >>> from probgen.distributions.bijectors._contraction_inverse import invert_implicitly
        >>> y = torch.tensor([[3.0]], requires_grad=True)
        >>> x = invert_implicitly(Contraction(lambda x: 0.5 * x, 1), y, None, 30, ())
        >>> x.data, torch.autograd.grad(x.sum(), y)[0]
        (tensor([[2.]]), tensor([[0.6667]]))
    """
    if not torch.is_grad_enabled() and forward_ad._current_level < 0:
        return _accepted(contraction, _search(contraction, y, context, evaluations - 1), y, context)
    if forward_ad._current_level >= 0 or not (torch.compiler.is_compiling() or values_readable(y)):
        raise NotImplementedError(
            "the inverse of a large event has first derivatives by backpropagation only; build `Residual` with `newton=True`."
        )
    return _Implicit.apply(contraction, evaluations, y, context, *held)  # type: ignore[no-any-return,no-untyped-call]


class _Implicit(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, contraction: Contraction, evaluations: int, y: Tensor, context: Tensor | None, *held: Tensor
    ) -> Tensor:
        x = _accepted(contraction, _search(contraction, y, context, evaluations - 1), y, context)
        ctx.contraction, ctx.evaluations = contraction, evaluations
        ctx.save_for_backward(x, context, *held)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, context, *held = ctx.saved_tensors
        with torch.enable_grad():
            bound = None if context is None else context.detach().requires_grad_(context.is_floating_point())
            value, pull_back = ctx.contraction.pulled_back(x.detach(), bound)
            with torch.no_grad():
                weights = _fixed_point(lambda w: gradient - pull_back(w), gradient, ctx.evaluations)
            inputs = [tensor for tensor in (bound, *held) if tensor is not None and tensor.requires_grad]
            found = torch.autograd.grad(value, inputs, -weights, allow_unused=True) if inputs else ()
        gradients = {id(tensor): one for tensor, one in zip(inputs, found, strict=True)}
        return None, None, weights, *(None if tensor is None else gradients.get(id(tensor)) for tensor in (bound, *held))


def _search(contraction: Contraction, y: Tensor, context: Tensor | None, evaluations: int) -> Tensor:
    with torch.no_grad():
        target, function = y.detach(), contraction.at(None if context is None else context.detach())
        return _fixed_point(lambda x: target - function(x).to(x.dtype), target, evaluations)


def _fixed_point(function: Any, start: Tensor, evaluations: int) -> Tensor:
    shape = start.shape
    found, _ = accelerated_fixed_point(
        lambda flat: function(flat.reshape(shape)).reshape(flat.shape),
        start.reshape(shape[0], math.prod(shape[1:])),
        evaluations=evaluations,
        tolerance=_STOP,
    )
    return found.reshape(shape)


def _accepted(contraction: Contraction, x: Tensor, y: Tensor, context: Tensor | None) -> Tensor:
    """The roots, NaN where the residual is too large."""
    with torch.no_grad():
        point, target = x.detach(), y.detach()
        value = contraction.at(None if context is None else context.detach())(point)
        size = 1.0 + _largest(point) + _largest(target) + _largest(value)
        accepted = _largest(point + value - target) <= _TOLERANCE * torch.finfo(y.dtype).eps * size
    return torch.where(accepted.reshape(-1, *(1,) * (x.dim() - 1)), x, torch.full_like(x, math.nan))


def _largest(rows: Tensor) -> Tensor:
    """The largest absolute coordinate of every event, ``[N]``; NaN if there is one."""
    flat = rows.abs().reshape(rows.shape[0], math.prod(rows.shape[1:]))
    return flat.amax(-1) if flat.shape[-1] else sum_rightmost(flat, 1)

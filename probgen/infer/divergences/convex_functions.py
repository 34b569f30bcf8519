r"""Convex functions that make f-divergences, with conjugates and output activations.

.. math:: D_f(p \,\|\, q) = \int q\, f\!\Bigl(\frac pq\Bigr), \qquad
    f^*(t) = \sup_{u > 0}\, u t - f(u), \qquad f(u) + f^*(t) \ge u t \text{ with equality at } t = f'(u)

An *activation* maps a critic's output :math:`v \in \mathbb R` into the domain of :math:`f^*`, so that any network will do:

* ``kl``: :math:`f = u \log u`, :math:`f^* = e^{t - 1}` on :math:`\mathbb R`, :math:`T(v) = v`;
* ``reverse_kl``: :math:`f = -\log u`, :math:`f^* = -1 - \log(-t)` for :math:`t < 0`, :math:`T(v) = -e^{-v}`;
* ``pearson``: :math:`f = (u - 1)^2`, :math:`f^* = t^2/4 + t` on :math:`\mathbb R`, :math:`T(v) = v`;
* ``hellinger``: :math:`f = (\sqrt u - 1)^2`, :math:`f^* = t/(1 - t)` for :math:`t < 1`, :math:`T(v) = 1 - e^{-v}`;
* ``jensen_shannon``: :math:`f = \tfrac12 [u \log u - (1 + u) \log \tfrac{1 + u}{2}]`,
  :math:`f^* = -\tfrac12 \log(2 - e^{2t})` for :math:`t < \tfrac12 \log 2`, :math:`T(v) = \tfrac12 [\log 2 + \log \sigma(v)]`.

(Pearson's conjugate is that of the square on all of :math:`\mathbb R`, as in the paper: not less than the one for
:math:`u > 0`, and smooth.)

An exponential of an output overflows at 89 in float32. Where one stands in the list, :math:`v` is first *damped*: beyond
:math:`|v| = 30` it grows as a logarithm, so :math:`e^{\pm v}` becomes a straight line there. Any function with values in the
domain gives a lower bound, so the bound stays one; ratios of :math:`e^{30}` are beyond what a critic can learn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, relu, softplus

__all__ = ["CONVEX_FUNCTIONS", "ConvexFunction", "damped", "undamped"]

Elementwise: TypeAlias = Callable[[Tensor], Tensor]

LINEAR = 30.0  # |v| up to which damping changes nothing
LARGEST = 80.0  # log of what still fits into float32 with room to multiply


def damped(output: Tensor) -> Tensor:
    r"""An odd, increasing, differentiable function: :math:`v` for :math:`|v| \le 30`, a logarithm beyond.

    Args:
        output: Any shape.

    Example:
        >>> import torch
        >>> from probgen.infer.divergences.convex_functions import damped
        >>> damped(torch.tensor([-1.0, 30.0, 1e4])).exp().isfinite()
        tensor([True, True, True])
    """
    return output.clamp(-LINEAR, LINEAR) + torch.sign(output) * torch.log1p(relu(output.abs() - LINEAR))


def undamped(value: Tensor) -> Tensor:
    """The inverse of ``damped``; finite for any value.

    Args:
        value: Any shape.

    Example:
        >>> import torch
        >>> from probgen.infer.divergences.convex_functions import damped, undamped
        >>> undamped(damped(torch.tensor([-100.0, 2.0])))
        tensor([-100.0000,    2.0000])
    """
    excess = (value.abs() - LINEAR).clamp(0, LARGEST)
    return value.clamp(-LINEAR, LINEAR) + torch.sign(value) * torch.expm1(excess)


@dataclass(frozen=True)
class ConvexFunction:
    r"""A convex function with what adversarial training needs of it; all are elementwise.

    Attributes:
        value: :math:`f(u)` for :math:`u > 0`, with :math:`f(1) = 0`.
        slope: Its derivative :math:`f'(u)`: the best :math:`T` where the ratio of densities is u.
        conjugate: :math:`f^*(t)` on its domain.
        bound: The upper end of that domain.
        activation: :math:`T(v)`, from outputs into the domain.
        conjugate_of_activation: :math:`f^*(T(v))`, without the cancellations of doing one after the other.
        log_ratio: The log-ratio :math:`\log (f')^{-1}(T(v))` for which an output is the best one.
        best_output: Its inverse.

    Example:
        >>> import torch
        >>> from probgen.infer.divergences.convex_functions import CONVEX_FUNCTIONS
        >>> kl, u = CONVEX_FUNCTIONS["kl"], torch.tensor([0.5, 2.0])
        >>> t = kl.slope(u)
        >>> torch.allclose(kl.value(u) + kl.conjugate(t), u * t)  # Fenchel's equality
        True
    """

    value: Elementwise
    slope: Elementwise
    conjugate: Elementwise
    bound: float
    activation: Elementwise
    conjugate_of_activation: Elementwise
    log_ratio: Elementwise
    best_output: Elementwise


KL = ConvexFunction(
    value=lambda u: u * u.log(),
    slope=lambda u: 1 + u.log(),
    conjugate=lambda t: (t - 1).exp(),
    bound=math.inf,
    activation=damped,
    conjugate_of_activation=lambda v: (damped(v) - 1).exp(),
    log_ratio=lambda v: damped(v) - 1,
    best_output=lambda r: undamped(r + 1),
)

REVERSE_KL = ConvexFunction(
    value=lambda u: -u.log(),
    slope=lambda u: -1 / u,
    conjugate=lambda t: -1 - (-t).log(),
    bound=0.0,
    activation=lambda v: -(-damped(v)).exp(),
    conjugate_of_activation=lambda v: damped(v) - 1,
    log_ratio=damped,
    best_output=undamped,
)

PEARSON = ConvexFunction(
    value=lambda u: (u - 1).square(),
    slope=lambda u: 2 * (u - 1),
    conjugate=lambda t: t.square() / 4 + t,
    bound=math.inf,
    activation=lambda v: v,
    conjugate_of_activation=lambda v: v.square() / 4 + v,
    log_ratio=lambda v: (1 + v / 2).clamp_min(torch.finfo(v.dtype).tiny).log(),
    best_output=lambda r: 2 * torch.expm1(r.clamp_max(LARGEST)),
)

HELLINGER = ConvexFunction(
    value=lambda u: (u.sqrt() - 1).square(),
    slope=lambda u: 1 - u.rsqrt(),
    conjugate=lambda t: t / (1 - t),
    bound=1.0,
    activation=lambda v: -torch.expm1(-damped(v)),
    conjugate_of_activation=lambda v: torch.expm1(damped(v)),
    log_ratio=lambda v: 2 * damped(v),
    best_output=lambda r: undamped(r / 2),
)

JENSEN_SHANNON = ConvexFunction(
    value=lambda u: (u * u.log() - (1 + u) * ((1 + u) / 2).log()) / 2,
    slope=lambda u: (2 * u / (1 + u)).log() / 2,
    conjugate=lambda t: -(2 - (2 * t).exp()).log() / 2,
    bound=math.log(2) / 2,
    activation=lambda v: (math.log(2) + logsigmoid(v)) / 2,
    conjugate_of_activation=lambda v: (softplus(v) - math.log(2)) / 2,
    log_ratio=lambda v: v,
    best_output=lambda r: r,
)

CONVEX_FUNCTIONS: Mapping[str, ConvexFunction] = MappingProxyType(
    {"kl": KL, "reverse_kl": REVERSE_KL, "pearson": PEARSON, "hellinger": HELLINGER, "jensen_shannon": JENSEN_SHANNON}
)

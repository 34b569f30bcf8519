r"""How much rounding a correct program may show: tolerances that follow the conditioning of the map.

A backward-stable evaluation of :math:`y = f(x)` returns :math:`f(x) + \delta` with :math:`|\delta| \le c\,\varepsilon (1 +
|y|)`; the inverse :math:`g` turns that into an error :math:`J_g \delta` of :math:`x`. A map applied in layers rounds after
each one: with :math:`z_k` the values on the way back, :math:`z_0 = y`,

.. math::

    T = C \varepsilon (1 + |x| + \kappa), \qquad \kappa = \sum_k \left|\frac{\partial x}{\partial z_k}\right| (1 + |z_k|),

element by element, in float64, by autograd. :math:`C` is 64 for float64 and 256 for float32. The Jacobian is that of the map
applied *second*: if the first one clips, nothing is ill-conditioned on the way back and the loss shows. Where
:math:`\kappa\varepsilon > 0.1` no digit is left to compare; such a value is skipped and *counted*. Layers that are networks
round inside, too: that part is measured by moving all parameters by one unit of rounding, independently there and back.

The tolerance is computed only where the strict bound :math:`C\varepsilon(1+|x|)` is missed: it costs nothing for most maps.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from probgen.distributions.bijectors import Bijector, Compose, Conditioned, Inverse, Repeat
from probgen.distributions.bijectors.combined import context_for
from probgen.distributions.testing.jacobians import jacobian

__all__ = ["amplification", "parameter_noise", "steps"]

Map = Callable[[Tensor], Tensor]
MAX_FLAT = 64


def steps(bijector: Bijector, context: Tensor | None = None) -> list[tuple[str, Bijector, Tensor | None]]:
    """The layers of a composed map in the order of ``forward``: label, bijector, its context.

    Args:
        bijector: Any bijector; compositions, repeated layers, inverses and conditioned maps are opened.
        context: Its context.

    Example:
        >>> from probgen.distributions.bijectors import Affine, Compose, Exp
        >>> from probgen.distributions.testing.conditioning import steps
        >>> [label for label, *_ in steps(Compose(Affine(0.0, 2.0), Exp()).inv)]
        ['1 Exp (inverse)', '0 Affine (inverse)']
    """
    if isinstance(bijector, Conditioned):
        return steps(bijector.base, bijector.context)
    if isinstance(bijector, Repeat):
        return steps(bijector.unstacked(), context)
    if isinstance(bijector, Compose):
        found: list[tuple[str, Bijector, Tensor | None]] = []
        for index in range(len(bijector)):
            part = bijector[index]
            extra = bijector._event_dims[index] - part.domain.event_dim
            inner = steps(part, context_for(part, context, extra))
            found.extend((f"{index} {label}", layer, layer_context) for label, layer, layer_context in inner)
        return found
    if isinstance(bijector, Inverse):
        inner = steps(bijector.base, context)
        return [(f"{label} (inverse)", layer.inv, layer_context) for label, layer, layer_context in reversed(inner)]
    return [(type(bijector).__name__, bijector, context)]


def amplification(bijector: Bijector, x: Tensor, context: Tensor | None = None) -> Tensor:
    r"""Return :math:`\kappa = \sum_k |\partial f(x) / \partial z_k| (1 + |z_k|)` for every element of :math:`f(x)`.

    Here :math:`z_0 = x` and :math:`z_k` is the value after layer :math:`k`: how far rounding on the way moves the result.

    Args:
        bijector: A float64 map.
        x: Points, float64, shape ``[*batch, *event]``.
        context: Its context.

    Returns:
        Shape of ``f(x)``; infinite where a Jacobian is not finite.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Scale
        >>> from probgen.distributions.testing.conditioning import amplification
        >>> amplification(Scale(2.0).double(), torch.tensor([3.0], dtype=torch.float64))
        tensor([8.], dtype=torch.float64)
    """
    layers = steps(bijector, context)
    with torch.no_grad():
        y = bijector._forward(x, context)
        batch = y.dim() - bijector.codomain.event_dim
        total = torch.zeros((*y.shape[:batch], y[(0,) * batch].numel() if y.numel() else 1), dtype=y.dtype)
    z, rank = x.expand(*y.shape[:batch], *x.shape[x.dim() - bijector.domain.event_dim :]), bijector.domain.event_dim
    for index, (_, layer, layer_context) in enumerate(layers):
        if index == 0 or total.shape[-1] <= MAX_FLAT:
            matrix = jacobian(_suffix(layers[index:]), z, rank, bijector.codomain.event_dim).abs()
            size = 1 + z.reshape(*z.shape[:batch], -1).abs()
            total = total + (matrix @ size.unsqueeze(-1)).squeeze(-1)
        with torch.no_grad():
            z = layer._forward(z, layer_context)
        rank += layer.codomain.event_dim - layer.domain.event_dim
    return torch.where(total.isfinite(), total, torch.full_like(total, torch.inf)).reshape(y.shape)


def _suffix(layers: list[tuple[str, Bijector, Tensor | None]]) -> Map:
    def run(value: Tensor) -> Tensor:
        for _, layer, context in layers:
            value = layer._forward(value, context)
        return value

    return run


def parameter_noise(bijector: Bijector, size: float, seed: int) -> Bijector:
    """A copy whose parameters and buffers are moved by relative noise of the given size.

    Args:
        bijector: Any bijector.
        size: Relative size, a few units of rounding.
        seed: Seed of the noise.

    Example:
        >>> from probgen.distributions.bijectors import Affine
        >>> from probgen.distributions.testing.conditioning import parameter_noise
        >>> parameter_noise(Affine(1.0, 1.0), 0.0, seed=0).loc
        tensor(1.)
    """
    moved = copy.deepcopy(bijector)
    generator = torch.Generator().manual_seed(seed)
    for tensor in [*moved.parameters(), *moved.buffers()]:
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            tensor.data.mul_((1 + size * noise).to(tensor))
    return moved

r"""How much rounding a correct program may show: tolerances that follow the conditioning of the map.

A backward-stable evaluation of :math:`y = f(x)` returns :math:`f(x) + \delta` with :math:`|\delta| \le c\,\varepsilon (1 + |y|)`; the inverse
turns that into an error :math:`J^{-1}\delta` of :math:`x`. A map applied in layers rounds after each one: with :math:`z_k` the value
after layer :math:`k` and :math:`J_{\le k} = \partial z_k / \partial x`,

.. math::

    T = C \varepsilon (1 + |x| + \kappa), \qquad \kappa = \sum_k |J_{\le k}^{-1}| (1 + |z_k|),

element by element, in float64, by autograd. :math:`C` is 64 for float64 and 256 for float32. Where :math:`\kappa\varepsilon > 0.1`
no digit is left to compare; such a value is skipped and *counted*. Layers that are networks round inside, too: that part
is measured by moving all parameters by one unit of rounding, independently on the way there and back.

The tolerance is computed only where the strict bound :math:`C\varepsilon(1+|x|)` is missed, so it costs nothing where a map is well conditioned.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from probgen.distributions.bijectors import Bijector, Compose, Conditioned, Inverse
from probgen.distributions.testing.jacobians import jacobian

__all__ = ["condition_of_inverse", "parameter_noise", "prefixes", "steps"]

Map = Callable[[Tensor], Tensor]
MAX_FLAT = 64


def steps(bijector: Bijector, context: Tensor | None = None) -> list[tuple[str, Bijector, Tensor | None]]:
    """The layers of a composed map in the order of ``forward``: label, bijector, its context.

    Args:
        bijector: Any bijector; compositions, inverses and conditioned maps are opened.
        context: Its context.

    Example:
        >>> from probgen.distributions.bijectors import Affine, Compose, Exp
        >>> from probgen.distributions.testing.conditioning import steps
        >>> [label for label, *_ in steps(Compose(Affine(0.0, 2.0), Exp()).inv)]
        ['1 Exp (inverse)', '0 Affine (inverse)']
    """
    if isinstance(bijector, Conditioned):
        return steps(bijector.base, bijector.context)
    if isinstance(bijector, Compose):
        found = []
        for index in range(len(bijector)):
            part = bijector[index]
            inner = steps(part, None if part.context_shape is None else context)
            found.extend((f"{index} {label}", layer, layer_context) for label, layer, layer_context in inner)
        return found
    if isinstance(bijector, Inverse):
        inner = steps(bijector.base, context)
        return [(f"{label} (inverse)", layer.inv, layer_context) for label, layer, layer_context in reversed(inner)]
    return [(type(bijector).__name__, bijector, context)]


def prefixes(bijector: Bijector, context: Tensor | None = None) -> list[tuple[Map, int]]:
    """For each layer the map from ``x`` to the value after it, and the rank of an event there.

    Args:
        bijector: Any bijector.
        context: Its context.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine, Compose, Exp
        >>> from probgen.distributions.testing.conditioning import prefixes
        >>> [f(torch.tensor(0.0)).item() for f, _ in prefixes(Compose(Affine(1.0, 2.0), Exp()))]
        [1.0, 2.7182817459106445]
    """
    layers = steps(bijector, context)
    rank = bijector.domain.event_dim
    result: list[tuple[Map, int]] = []
    for count in range(1, len(layers) + 1):
        part = layers[count - 1][1]
        rank += part.codomain.event_dim - part.domain.event_dim

        def prefix(x: Tensor, count: int = count) -> Tensor:
            for _, layer, layer_context in layers[:count]:
                x = layer._forward(x, layer_context)
            return x

        result.append((prefix, rank))
    return result


def condition_of_inverse(bijector: Bijector, x: Tensor, context: Tensor | None = None) -> Tensor:
    r"""Return :math:`\kappa = \sum_k |J_{\le k}^{-1}| (1 + |z_k|)` for every element of ``x``.

    Args:
        bijector: A float64 map.
        x: Points, float64, shape ``[*batch, *event]``.
        context: Its context.

    Returns:
        Shape of ``x``; infinite where a Jacobian is singular or not finite.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine
        >>> from probgen.distributions.testing.conditioning import condition_of_inverse
        >>> condition_of_inverse(Affine(0.0, 0.5).double(), torch.tensor([2.0], dtype=torch.float64))
        tensor([4.], dtype=torch.float64)
    """
    rank = bijector.domain.event_dim
    total = torch.zeros(x.shape[: x.dim() - rank] + (x[(0,) * (x.dim() - rank)].numel() if rank else 1,), dtype=x.dtype)
    chosen = prefixes(bijector, context)
    for prefix, output_rank in chosen if total.shape[-1] <= MAX_FLAT else chosen[-1:]:
        matrix = jacobian(prefix, x, rank, output_rank)
        with torch.no_grad():
            z = prefix(x)
        size = 1 + z.reshape(*z.shape[: z.dim() - output_rank], -1).abs()
        total = total + (_inverse_abs(matrix) @ size.unsqueeze(-1)).squeeze(-1)
    return torch.where(total.isfinite(), total, torch.full_like(total, torch.inf)).reshape(x.shape)


def _inverse_abs(matrix: Tensor) -> Tensor:
    finite = matrix.isfinite().all(-1).all(-1)[..., None, None]
    eye = torch.eye(matrix.shape[-2], matrix.shape[-1], dtype=matrix.dtype)
    safe = torch.where(finite, matrix, eye)
    if matrix.shape[-1] == matrix.shape[-2]:
        inverse, info = torch.linalg.inv_ex(safe)
        broken = (info != 0)[..., None, None] | ~finite
    else:
        inverse, broken = torch.linalg.pinv(safe), ~finite
    return torch.where(broken, torch.full_like(inverse, torch.inf), inverse.abs())


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

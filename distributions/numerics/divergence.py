r"""The divergence of a vector function, exactly or by an unbiased estimate.

For :math:`f : \mathbb R^D \to \mathbb R^D` with Jacobian :math:`J`,

.. math::

    \nabla \cdot f = \operatorname{tr} J = \sum_{i=1}^D e_i^\top J e_i
    = \mathbb E_\varepsilon\big[\varepsilon^\top J \varepsilon\big], \qquad \mathbb E[\varepsilon \varepsilon^\top] = I .

The sum costs :math:`D` products with the transposed Jacobian; Hutchinson's estimate costs one for each probe
:math:`\varepsilon`. A probe's estimate is the *sum* over the coordinates of :math:`\varepsilon \odot J^\top \varepsilon`; only
probes are averaged. With the symmetric part :math:`S = (J + J^\top)/2`, its variance is

.. math::

    2 \sum_{i \ne j} S_{ij}^2 \quad \text{(Rademacher: signs)}, \qquad 2 \sum_{i, j} S_{ij}^2 \quad \text{(Gaussian)},

so signs are never worse, and exact where :math:`S` is diagonal. The derivation and what it means for a flow stand in
``docs/derivations/continuous-flows.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import vjp, vmap

from probgen.distributions._checks import values_readable
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = [
    "ProbeKind",
    "coordinate_probes",
    "draw_probes",
    "exact_divergence",
    "hutchinson_divergence",
    "jacobian_products",
    "pulled_back",
]

ProbeKind = Literal["rademacher", "gaussian"]
"""The law of the probes of Hutchinson's estimate."""

Function = Callable[[Tensor], Tensor]


def exact_divergence(
    function: Function, x: Tensor, event_dim: int = 1, *, chunk_size: int | None = None
) -> tuple[Tensor, Tensor]:
    r"""Return :math:`f(x)` and :math:`\nabla \cdot f(x)`.

    Args:
        function: The vector function, ``[*batch, *event] -> [*batch, *event]``; rows must not depend on each other.
        x: Points ``[*batch, *event]``, an event of any shape.
        event_dim: The rank of an event.
        chunk_size: How many coordinates are differentiated at once; all by default. Smaller values take less memory.

    Returns:
        Values ``[*batch, *event]`` and divergences ``[*batch]``.

    Raises:
        ValueError: the function changes the shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.divergence import exact_divergence
        >>> exact_divergence(lambda x: x**3, torch.tensor([[1.0, 2.0]]))
        (tensor([[1., 8.]]), tensor([15.]))
    """
    value, products = jacobian_products(function, x, coordinate_probes(x, event_dim), chunk_size=chunk_size)
    batch = x.shape[: x.dim() - event_dim]
    return value, products.reshape(len(products), *batch, len(products)).diagonal(dim1=0, dim2=-1).sum(-1)


def hutchinson_divergence(function: Function, x: Tensor, probes: Tensor, event_dim: int = 1) -> tuple[Tensor, Tensor]:
    r"""Return :math:`f(x)` and one estimate of :math:`\nabla \cdot f(x)` for each probe.

    Args:
        function: The vector function, as for ``exact_divergence``.
        x: Points ``[*batch, *event]``.
        probes: The :math:`\varepsilon`, shape ``[k, *batch, *event]``.
        event_dim: The rank of an event.

    Returns:
        Values ``[*batch, *event]`` and estimates ``[k, *batch]``: their mean is the estimate, their spread its error.

    Raises:
        ValueError: the function changes the shape.

    References:
        Hutchinson (1990). A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines.
        https://doi.org/10.1080/03610919008812866
        Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019). FFJORD. https://arxiv.org/abs/1810.01367

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.divergence import hutchinson_divergence
        >>> probes = torch.tensor([[[1.0, -1.0]], [[-1.0, -1.0]]])
        >>> hutchinson_divergence(lambda x: x**3, torch.tensor([[1.0, 2.0]]), probes)[1]
        tensor([[15.],
                [15.]])
    """
    value, products = jacobian_products(function, x, probes)
    return value, sum_rightmost(products * probes, event_dim)


def jacobian_products(
    function: Function, x: Tensor, weights: Tensor, *, chunk_size: int | None = None
) -> tuple[Tensor, Tensor]:
    r"""Return :math:`f(x)` and :math:`J^\top w` for each weight :math:`w`.

    Args:
        function: The vector function, as for ``exact_divergence``.
        x: Points ``[*batch, *event]``.
        weights: The :math:`w`, shape ``[k, *batch, *event]``, or with ones where they do not depend on the sample.
        chunk_size: How many are multiplied at once; all by default.

    Returns:
        Values ``[*batch, *event]`` and products ``[k, *batch, *event]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.divergence import jacobian_products
        >>> jacobian_products(lambda x: x.flip(-1) ** 2, torch.tensor([[1.0, 2.0]]), torch.ones(1, 1, 2))[1]
        tensor([[[2., 4.]]])
    """
    value, pull_back = pulled_back(function, x)
    if len(weights) == 1:
        return value, pull_back(weights[0].expand_as(x))[0].unsqueeze(0)
    return value, vmap(lambda weight: pull_back(weight.expand_as(x))[0], chunk_size=chunk_size)(weights)


def coordinate_probes(x: Tensor, event_dim: int) -> Tensor:
    """The unit vectors of an event, shape ``[D, *ones, *event]``: products with all of them are the whole Jacobian.

    Args:
        x: Points ``[*batch, *event]``.
        event_dim: The rank of an event.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.divergence import coordinate_probes
        >>> coordinate_probes(torch.zeros(5, 2), 1)
        tensor([[[1., 0.]],
        <BLANKLINE>
                [[0., 1.]]])
    """
    event = x.shape[x.dim() - event_dim :]
    count = math.prod(event)
    return torch.eye(count, dtype=x.dtype, device=x.device).reshape(count, *(1,) * (x.dim() - event_dim), *event)


def draw_probes(
    num_probes: int,
    shape: Sequence[int],
    kind: ProbeKind = "rademacher",
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw probes with independent coordinates of mean zero and variance one.

    Args:
        num_probes: Their number ``k``.
        shape: Shape of the points, ``[*batch, *event]``.
        kind: "rademacher" (signs) or "gaussian".
        dtype: Floating-point type; torch's default if None.
        device: Where to draw.
        generator: The source of randomness; torch's global one if None.

    Returns:
        Probes ``[k, *batch, *event]``.

    Raises:
        ValueError: no probes, or a law that is not known.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.divergence import draw_probes
        >>> draw_probes(4, (5, 3), generator=torch.Generator().manual_seed(0)).abs().unique()
        tensor([1.])
    """
    if num_probes < 1:
        raise ValueError(f"`num_probes` must be at least 1; got {num_probes}.")
    full = (num_probes, *shape)
    if kind == "gaussian":
        return torch.randn(full, dtype=dtype, device=device, generator=generator)
    if kind != "rademacher":
        raise ValueError(f"`kind` must be 'rademacher' or 'gaussian'; got {kind!r}.")
    signs = torch.randint(0, 2, full, device=device, generator=generator)
    return signs.to(dtype or torch.get_default_dtype()) * 2 - 1


def pulled_back(function: Function, x: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor]]]:
    r"""Return :math:`f(x)`, in the dtype of ``x``, and the map from a weight :math:`w` to :math:`(J^\top w,)`.

    Products can be differentiated where gradients are on, also those of ``torch.func``; inside ``torch.no_grad`` they keep no
    history, so many of them take the memory of one.

    Args:
        function: The vector function, as for ``exact_divergence``.
        x: Points ``[*batch, *event]``.

    Raises:
        ValueError: the function changes the shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.divergence import pulled_back
        >>> value, product = pulled_back(lambda x: x.flip(-1) ** 2, torch.tensor([[1.0, 2.0]]))
        >>> value, product(torch.ones(1, 2))[0]
        (tensor([[4., 1.]]), tensor([[2., 4.]]))
    """
    result: Any
    if not torch.is_grad_enabled() and values_readable(x) and forward_ad._current_level < 0:
        result = _pulled_back_without_history(function, x)
    else:
        result = vjp(lambda point: function(point).to(x.dtype), x)
    value, pull_back = result
    if value.shape != x.shape:
        raise ValueError(f"`function` must keep the shape {tuple(x.shape)}; it gave {tuple(value.shape)}.")
    return value, pull_back


def _pulled_back_without_history(function: Function, x: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor]]]:
    """The same where nothing is differentiated afterwards: ``vjp`` would record the products for a second derivative.

    Inference mode, where nothing can be differentiated at all, is left for the moment.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        point = (x.clone() if x.is_inference() else x.detach()).requires_grad_()
        value = function(point).to(x.dtype)

    def pull_back(weight: Tensor) -> tuple[Tensor]:
        if not value.requires_grad:
            return (torch.zeros_like(weight),)
        with torch.inference_mode(mode=False):
            plain = weight.clone() if weight.is_inference() else weight
            found: tuple[Tensor | None, ...] = torch.autograd.grad(value, point, plain, retain_graph=True, allow_unused=True)
        product = found[0]
        return (torch.zeros_like(weight) if product is None else product,)

    return value.detach(), pull_back

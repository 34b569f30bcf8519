r"""Coupling of blocks that live on different sets: angles, heights, real numbers, points of a sphere.

With :math:`x = (x_1, \ldots, x_K)`, block :math:`j` is transformed and the others decide how,

.. math::

    y_j = f\big(x_j; g(\phi(x_{-j}), c)\big), \qquad y_k = x_k \ (k \ne j),

as in ``coupling.py``, but each block keeps its own constraint, and the network sees an embedding :math:`\phi` of the others
that respects it: :math:`(\cos, \sin)` of an angle, so that what it emits is continuous on the circle; an interval carried to
:math:`[-1, 1]`; points of a sphere as they are; anything else clipped smoothly.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors._conditioning import (
    DEFAULT_INPUT_BOUND,
    flat_context,
    in_precision_of,
    prepared_element,
    require_width,
)
from probgen.distributions.bijectors._element_owner import ElementOwner
from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.constraints import Circular, Product, UnitSphere
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["ProductCoupling", "embedding_size"]


class ProductCoupling(ElementOwner):
    r"""Transform one block of a product of sets with parameters computed from the other blocks.

    Args:
        element: The elementwise map :math:`f` of the block; domain and codomain are the block's constraint.
        conditioner: Any network from ``[*batch, embedding_size(domain, index) + context.numel()]`` to
            ``[*batch, sizes[index] * element.num_free]``.
        domain: The product of constraints, as ``probgen.distributions.constraints.product`` makes it.
        index: Which block is transformed.
        context_shape: Trailing shape of the context, None if there is none. It is not clipped: standardize it.

    Raises:
        TypeError: ``element`` is not an elementwise bijector.
        ValueError: there is no such block, the element does not map the block's set to itself, or the conditioner's output has
            another width.

    References:
        Rezende, Papamakarios, Racanière, Albergo, Kanwar, Shanahan, Cranmer (2020). Normalizing flows on tori and spheres.
        https://arxiv.org/abs/2002.02428

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.bijectors import CircularSpline, ProductCoupling
        >>> from probgen.distributions.constraints import circular, product
        >>> domain = product((constraints.interval(-1.0, 1.0), 1), (circular, 1))
        >>> f = ProductCoupling(CircularSpline(4), torch.nn.Linear(1, 12), domain, index=1)
        >>> f(torch.tensor([0.5, 2.0]))[0].detach(), f.codomain
        (tensor(0.5000), Product(Interval(lower_bound=-1.0, upper_bound=1.0) x 1, Circular() x 1))
    """

    def __init__(
        self,
        element: Elementwise,
        conditioner: nn.Module,
        domain: Product,
        index: int,
        *,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= index < len(domain.sizes):
            raise ValueError(f"`index` must name one of {len(domain.sizes)} blocks; got {index}.")
        self.element = prepared_element("ProductCoupling", element)
        factor = repr(domain.factors[index])
        if repr(element.domain) != factor or repr(element.codomain) != factor:
            raise ValueError(f"`element` must map {factor} to itself; got {element.domain} and {element.codomain}.")
        self.conditioner = conditioner
        self.index = index
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self._product = domain
        self.domain_shape = (sum(domain.sizes),)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The product."""
        return self._product

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The product."""
        return self._product

    def extra_repr(self) -> str:
        """The block that is transformed."""
        return f"index={self.index}"

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        blocks = list(x.split(list(self._product.sizes), dim=-1))
        moved, log_det = self.element.element_forward(blocks[self.index], self._raw(blocks, context))
        return self._merged(blocks, moved), log_det.expand(moved.shape).sum(-1)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        blocks = list(y.split(list(self._product.sizes), dim=-1))
        moved, log_det = self.element.element_inverse(blocks[self.index], self._raw(blocks, context))
        return self._merged(blocks, moved), log_det.expand(moved.shape).sum(-1)

    def _raw(self, blocks: list[Tensor], context: Tensor | None) -> Tensor:
        """The conditioner's output ``[*batch, size, num_free]``."""
        seen = [
            _embedded(block, factor)
            for place, (block, factor) in enumerate(zip(blocks, self._product.factors, strict=True))
            if place != self.index
        ]
        batch = blocks[0].shape[:-1]
        if context is not None and self.context_shape is not None:
            extra = flat_context(context, self.context_shape)
            batch = torch.broadcast_shapes(batch, extra.shape[:-1])
            seen.append(extra.to(blocks[0].dtype))
        empty = blocks[0].new_zeros((*batch, 0))
        count, free = self._product.sizes[self.index], self.element.num_free
        joined = torch.cat([empty, *(piece.expand(*batch, -1) for piece in seen)], -1)
        raw: Tensor = self.conditioner(in_precision_of(self.conditioner, joined))
        return require_width("ProductCoupling", raw, count * free).unflatten(-1, (count, free))  # type: ignore[no-any-return]

    def _merged(self, blocks: list[Tensor], moved: Tensor) -> Tensor:
        pieces = [moved if place == self.index else block for place, block in enumerate(blocks)]
        return torch.cat([piece.expand(*moved.shape[:-1], -1) for piece in pieces], -1)


def embedding_size(domain: Product, index: int) -> int:
    """How many numbers the conditioner of a ``ProductCoupling`` sees of the other blocks.

    Args:
        domain: The product of constraints.
        index: The block that is transformed, and not seen.

    Example:
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.bijectors import embedding_size
        >>> from probgen.distributions.constraints import circular, product
        >>> domain = product((constraints.real, 3), (circular, 2))
        >>> embedding_size(domain, 0), embedding_size(domain, 1)
        (4, 3)
    """
    sizes = [
        size * (2 if isinstance(factor, Circular) else 1) for factor, size in zip(domain.factors, domain.sizes, strict=True)
    ]
    return sum(size for place, size in enumerate(sizes) if place != index)


def _embedded(block: Tensor, factor: Constraint) -> Tensor:
    if isinstance(factor, Circular):
        return torch.cat([block.cos(), block.sin()], -1)
    if isinstance(factor, type(constraints.unit_interval)):
        low, high = factor.lower_bound, factor.upper_bound
        return (2 * block - (low + high)) / (high - low)  # type: ignore[no-any-return]
    if isinstance(factor, UnitSphere):
        return block
    return soft_clip(block, DEFAULT_INPUT_BOUND)

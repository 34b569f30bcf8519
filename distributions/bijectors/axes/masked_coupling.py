r"""Coupling by a mask of any pattern: the network sees the copied coordinates in place, zeros elsewhere.

With a mask :math:`b` (one where copied),

.. math:: y = b\, x + (1 - b)\, f(x; g(b\, x, c)), \qquad
    \log|\det J| = \sum_i (1 - b_i) \log\left|\frac{\partial f(x_i; \theta_i)}{\partial x_i}\right| .

The checkerboard of Real NVP is such a mask: every pixel is predicted from its four neighbors. Half of what the network emits is
thrown away; where the mask is a block of channels, ``SplitCoupling`` does not waste it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors._conditioning import (
    DEFAULT_INPUT_BOUND,
    prepared_element,
    require_bound,
    require_same_sets,
)
from probgen.distributions.bijectors._element_owner import ElementOwner
from probgen.distributions.bijectors.axes._conditioner import call_conditioner
from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["MaskedCoupling", "checkerboard_mask"]


class MaskedCoupling(ElementOwner):
    r"""Transform the coordinates where the mask is False, given those where it is True.

    Args:
        element: The elementwise map :math:`f`, of equal domain and codomain; its free parameters are what the network emits.
        conditioner: Any network, called with one batch axis: from ``[N, c, *lengths]``, and the context ``[N,
            *context_shape]`` if there is one, to ``[N, c * element.num_free, *lengths]``, where the first ``c`` channels are
            the first number of every coordinate.
        mask: Booleans of the event's shape ``[c, *lengths]``, True where copied; at least one is False.
        context_shape: Trailing shape of the context, None if there is none. The context is not clipped: standardize it.
        input_bound: The bound :math:`\beta` of what the network sees, :math:`\beta \tanh(x / \beta)`.

    Raises:
        TypeError: ``element`` is not an elementwise bijector, or the mask is not of booleans.
        ValueError: no coordinate is transformed, the element changes its domain or emits nothing; on a call, the network's
            output has another shape.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP, section 3.4. https://arxiv.org/abs/1605.08803

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine, MaskedCoupling, checkerboard_mask
        >>> f = MaskedCoupling(Affine(), torch.nn.Conv2d(1, 2, 3, padding=1), checkerboard_mask((1, 4, 4)))
        >>> f(torch.zeros(5, 1, 4, 4)).shape
        torch.Size([5, 1, 4, 4])
    """

    mask: Tensor

    def __init__(
        self,
        element: Elementwise,
        conditioner: nn.Module,
        mask: Tensor,
        *,
        context_shape: Sequence[int] | None = None,
        input_bound: float = DEFAULT_INPUT_BOUND,
    ) -> None:
        super().__init__()
        if getattr(mask, "dtype", None) is not torch.bool:
            raise TypeError(f"`mask` must be a tensor of booleans; got {getattr(mask, 'dtype', type(mask).__name__)}.")
        if mask.dim() < 1 or bool(mask.all()):
            raise ValueError(f"`mask` must have an axis, and be False somewhere; got shape {tuple(mask.shape)}.")
        require_same_sets(element)
        self.element = prepared_element("MaskedCoupling", element)
        self.conditioner = conditioner
        self.input_bound = require_bound(input_bound)
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.domain_shape = tuple(mask.shape)
        self.register_buffer("mask", mask)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Events of the element's domain."""
        return constraints.independent(self.element.domain, self.mask.dim())

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """As the domain."""
        return self.domain

    def extra_repr(self) -> str:
        """The event shape and how many coordinates are copied."""
        return f"{self.domain_shape}, copied={int(self.mask.sum())}"

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._kept(x, *self.element.element_forward(x, self._raw(x, context)))

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._kept(y, *self.element.element_inverse(y, self._raw(y, context)))

    def _kept(self, x: Tensor, moved: Tensor, log_det: Tensor) -> tuple[Tensor, Tensor]:
        """The transformed coordinates beside the copied ones."""
        moved_log_det = torch.where(self.mask, torch.zeros_like(moved), log_det.expand(moved.shape))
        return torch.where(self.mask, x.to(moved.dtype), moved), sum_rightmost(moved_log_det, self.mask.dim())

    def _raw(self, x: Tensor, context: Tensor | None) -> Tensor:
        """The parameters of all coordinates, ``[*batch, *event, num_free]``."""
        seen = torch.where(self.mask, x, torch.zeros_like(x))
        context_rank, free = len(self.context_shape or ()), self.element.num_free
        return call_conditioner(
            self.conditioner, seen, self.mask.dim(), self.input_bound, context, context_rank, free, self.mask.shape[0]
        )


def checkerboard_mask(shape: Sequence[int], *, flip: bool = False) -> Tensor:
    """Copy every second position, as on a chessboard; all channels alike.

    Args:
        shape: Event shape ``(c, *lengths)``.
        flip: Exchange the roles.

    Returns:
        Booleans of that shape, True where the sum of the positions' indices is even (odd with ``flip``).

    Raises:
        ValueError: there is no axis after the channels.

    Example:
        >>> from probgen.distributions.bijectors import checkerboard_mask
        >>> checkerboard_mask((1, 2, 3))
        tensor([[[ True, False,  True],
                 [False,  True, False]]])
    """
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"`shape` must have channels and at least one more axis, no size negative; got {tuple(shape)}.")
    indices = torch.meshgrid(*(torch.arange(length) for length in shape[1:]), indexing="ij")
    even = sum(indices, torch.zeros((), dtype=torch.long)) % 2 == (1 if flip else 0)
    return even.expand(tuple(shape)).clone()

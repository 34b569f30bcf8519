r"""Coupling: one part of the coordinates is copied and decides how the other part is transformed.

With :math:`x = (x_a, x_b)`, an elementwise map :math:`f(\cdot; \theta)` and any network :math:`g`,

.. math::

    y_a = x_a, \qquad y_b = f(x_b; g(x_a, c)), \qquad
    \log|\det J| = \sum_{i \in b} \log\left|\frac{\partial f(x_i; \theta_i)}{\partial x_i}\right|.

The Jacobian is block triangular and :math:`g` is never inverted, so both directions cost one evaluation of :math:`g`. The
network sees :math:`\beta \tanh(x_a / \beta)`, and the element bounds what it emits: an input of :math:`10^3` is still inverted
to :math:`10^{-3}` in float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors._conditioning import (
    DEFAULT_INPUT_BOUND,
    bounded_inputs,
    in_precision_of,
    prepared_element,
    require_bound,
    require_same_sets,
    require_width,
    vector_of,
)
from probgen.distributions.bijectors._element_owner import ElementOwner
from probgen.distributions.bijectors.elementwise import Elementwise

__all__ = ["Coupling", "alternating_mask", "half_mask"]


class Coupling(ElementOwner):
    r"""Transform some coordinates with parameters computed from the others, :math:`y_b = f(x_b; g(x_a, c))`.

    Args:
        element: The elementwise map :math:`f`, of equal domain and codomain; its free parameters are what the conditioner emits
            (own values of free parameters are ignored, given values must be scalars and stay).
        conditioner: Any network that maps ``[*batch, n_a + context.numel()]`` to ``[*batch, n_b * element.num_free]``. With an
            empty :math:`x_a` it sees the context alone.
        mask: For each coordinate, True if it is copied (belongs to :math:`a`). At least one must be False.
        context_shape: Trailing shape of the context, None if there is none. The context is not clipped: standardize it.
        input_bound: The bound :math:`\beta` on what the conditioner sees of :math:`x_a`; infinite (no clipping) for an element
            whose domain is bounded.

    Raises:
        TypeError: ``element`` is not an elementwise bijector.
        ValueError: no coordinate is transformed, the element changes its domain or emits nothing, or the conditioner's output
            has another width.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP. https://arxiv.org/abs/1605.08803
        Durkan, Bekasov, Murray, Papamakarios (2019). Neural spline flows. https://arxiv.org/abs/1906.04032

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine, Coupling
        >>> f = Coupling(Affine(), torch.nn.Linear(1, 4), mask=[True, False, False])
        >>> x = torch.tensor([[1.0, 2.0, 3.0]])
        >>> f(x)[:, 0], torch.allclose(f.inverse(f(x)), x)
        (tensor([1.], grad_fn=<SelectBackward0>), True)
    """

    _copied_index: Tensor
    _moved_index: Tensor
    _merge_index: Tensor

    def __init__(
        self,
        element: Elementwise,
        conditioner: nn.Module,
        mask: Sequence[bool],
        *,
        context_shape: Sequence[int] | None = None,
        input_bound: float = DEFAULT_INPUT_BOUND,
    ) -> None:
        super().__init__()
        self.mask = tuple(bool(flag) for flag in mask)
        if all(self.mask):
            raise ValueError(f"`mask` must be False for at least one coordinate; got {self.mask}.")
        require_same_sets(element)
        self.element = prepared_element("Coupling", element)
        self.conditioner = conditioner
        self.input_bound = require_bound(input_bound)
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self._copied = sum(self.mask)
        self._layout = _layout(self.mask)
        copied = [index for index, flag in enumerate(self.mask) if flag]
        moved = [index for index, flag in enumerate(self.mask) if not flag]
        merge = torch.tensor(copied + moved).argsort()
        for name, index in (("_copied_index", torch.tensor(copied, dtype=torch.long)), ("_moved_index", torch.tensor(moved))):
            self.register_buffer(name, index if self._layout == "scattered" else None, persistent=False)
        self.register_buffer("_merge_index", merge if self._layout == "scattered" else None, persistent=False)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Vectors of the element's domain."""
        return vector_of(self.element.domain)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """As the domain."""
        return vector_of(self.element.codomain)

    @property
    def domain_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """One coordinate for each entry of the mask."""
        return (len(self.mask),)

    @property
    def dependence(self) -> Tensor:
        """Which outputs (rows) may depend on which inputs (columns): booleans ``[D, D]``."""
        copied = torch.tensor(self.mask)
        return torch.eye(len(self.mask), dtype=torch.bool) | (~copied[:, None] & copied[None, :])

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        copied, moved = self._split(x)
        value, log_det = self.element.element_forward(moved, self._raw(copied, context))
        return self._merge(copied, value), log_det.expand(value.shape).sum(-1)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        copied, moved = self._split(y)
        value, log_det = self.element.element_inverse(moved, self._raw(copied, context))
        return self._merge(copied, value), log_det.expand(value.shape).sum(-1)

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        copied, moved = self._split(x)
        return self._merge(copied, self.element.element_forward_value(moved, self._raw(copied, context)))

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        copied, moved = self._split(y)
        return self._merge(copied, self.element.element_inverse_value(moved, self._raw(copied, context)))

    def _raw(self, copied: Tensor, context: Tensor | None) -> Tensor:
        """The conditioner's output ``[*batch, n_b, num_free]``."""
        count, free = len(self.mask) - self._copied, self.element.num_free
        seen = bounded_inputs(copied, self.input_bound, context, self.context_shape)
        raw: Tensor = self.conditioner(in_precision_of(self.conditioner, seen))
        return require_width("Coupling", raw, count * free).unflatten(-1, (count, free))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The copied and the transformed coordinates; slices where the mask is one block."""
        if self._layout == "copied first":
            return x[..., : self._copied], x[..., self._copied :]
        if self._layout == "copied last":
            cut = len(self.mask) - self._copied
            return x[..., cut:], x[..., :cut]
        return x.index_select(-1, self._copied_index), x.index_select(-1, self._moved_index)

    def _merge(self, copied: Tensor, moved: Tensor) -> Tensor:
        copied = copied.expand(*moved.shape[:-1], -1)
        if self._layout == "copied last":
            return torch.cat([moved, copied], dim=-1)
        merged = torch.cat([copied, moved], dim=-1)
        return merged if self._layout == "copied first" else merged.index_select(-1, self._merge_index)


def half_mask(features: int, *, flip: bool = False) -> tuple[bool, ...]:
    """Copy the first half (the smaller one), or with ``flip`` the rest. One coordinate is always transformed.

    Args:
        features: How many coordinates.
        flip: Exchange the roles of the halves.

    Example:
        >>> from probgen.distributions.bijectors import half_mask
        >>> half_mask(3), half_mask(3, flip=True), half_mask(1, flip=True)
        ((True, False, False), (False, True, True), (False,))
    """
    first = features // 2
    flip = flip and features > 1
    return tuple((index < first) != flip for index in range(features))


def alternating_mask(features: int, *, flip: bool = False) -> tuple[bool, ...]:
    """Copy every second coordinate: the odd ones, or with ``flip`` the even ones. One coordinate is always transformed.

    Args:
        features: How many coordinates.
        flip: Exchange the roles.

    Example:
        >>> from probgen.distributions.bijectors import alternating_mask
        >>> alternating_mask(3), alternating_mask(3, flip=True), alternating_mask(1, flip=True)
        ((False, True, False), (True, False, True), (False,))
    """
    flip = flip and features > 1
    return tuple((index % 2 == 1) != flip for index in range(features))


def _layout(mask: tuple[bool, ...]) -> str:
    """Whether the copied coordinates stand in one block at the start or at the end, or anywhere."""
    count = sum(mask)
    if all(mask[:count]):
        return "copied first"
    return "copied last" if all(mask[len(mask) - count :]) else "scattered"

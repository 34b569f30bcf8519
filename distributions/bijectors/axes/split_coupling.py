r"""Coupling of channels: some channels are copied and decide how the others are transformed.

With :math:`x = (x_a, x_b)` cut along the channels, an elementwise map :math:`f(\cdot; \theta)` and any network :math:`g`,

.. math::

    y_a = x_a, \qquad y_b = f(x_b; g(x_a, c)), \qquad
    \log|\det J| = \sum_{i \in b} \log\left|\frac{\partial f(x_i; \theta_i)}{\partial x_i}\right| .

The network is usually convolutional. It sees :math:`\beta \tanh(x_a / \beta)`. Right after ``FactorOut``, with the coarse
channels as :math:`x_a`, an affine coupling is the learned Gaussian prior of the channels that left the flow.
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
from probgen.distributions.bijectors.affine import Shift
from probgen.distributions.bijectors.axes._conditioner import call_conditioner
from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["SplitCoupling"]


class SplitCoupling(ElementOwner):
    r"""Transform some channels with parameters computed from the others, :math:`y_b = f(x_b; g(x_a, c))`.

    Args:
        element: The elementwise map :math:`f`, of equal domain and codomain; its free parameters are what the network emits.
        conditioner: Any network, called with one batch axis: from ``[N, n_a, *lengths]``, and the context ``[N,
            *context_shape]`` if there is one, to ``[N, n_b * element.num_free, *lengths]``, where the first ``n_b`` channels
            are the first number of every coordinate.
        sizes: ``(n_a, n_b)``: how many channels are copied, and how many transformed.
        dim: The axis of the channels, negative: -3 for images ``[c, h, w]``, -2 for waves ``[c, t]``. The event has ``-dim``
            axes.
        flip: The copied channels stand last.
        context_shape: Trailing shape of the context, None if there is none. The context is not clipped: standardize it.
        input_bound: The bound :math:`\beta` on what the network sees of :math:`x_a`.

    Raises:
        TypeError: ``element`` is not an elementwise bijector.
        ValueError: a size or ``dim`` is out of range, the element changes its domain or emits nothing; on a call, the channels
            don't sum up, or the network's output has another shape.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP. https://arxiv.org/abs/1605.08803
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions. https://arxiv.org/abs/1807.03039

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine, SplitCoupling
        >>> f = SplitCoupling(Affine(), torch.nn.Conv2d(1, 4, 3, padding=1), sizes=(1, 2))
        >>> y, log_det = f.forward_and_log_det(torch.zeros(5, 3, 8, 8))
        >>> y.shape, log_det.shape
        (torch.Size([5, 3, 8, 8]), torch.Size([5]))
    """

    def __init__(
        self,
        element: Elementwise,
        conditioner: nn.Module,
        sizes: tuple[int, int],
        *,
        dim: int = -3,
        flip: bool = False,
        context_shape: Sequence[int] | None = None,
        input_bound: float = DEFAULT_INPUT_BOUND,
    ) -> None:
        super().__init__()
        if len([*sizes]) != 2 or min(sizes) < 1 or dim >= 0:
            raise ValueError(f"`sizes` must be two positive numbers and `dim` negative; got {sizes} and {dim}.")
        self.sizes, self.dim, self.flip = (int(sizes[0]), int(sizes[1])), dim, flip
        require_same_sets(element)
        self.element = prepared_element("SplitCoupling", element)
        self.conditioner = conditioner
        self.input_bound = require_bound(input_bound)
        self.context_shape = None if context_shape is None else tuple(context_shape)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Events of the element's domain."""
        return constraints.independent(self.element.domain, -self.dim)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """As the domain."""
        return self.domain

    @property
    def constant_log_det(self) -> bool:  # type: ignore[override]
        """True for an additive coupling, whose element only shifts."""
        return isinstance(self.element, Shift)

    def extra_repr(self) -> str:
        """How many channels are copied and transformed."""
        return f"sizes={self.sizes}, dim={self.dim}, flip={self.flip}"

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        copied, moved = self._split(x)
        value, log_det = self.element.element_forward(moved, self._raw(copied, context))
        return self._merge(copied, value), sum_rightmost(log_det.expand(value.shape), -self.dim)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        copied, moved = self._split(y)
        value, log_det = self.element.element_inverse(moved, self._raw(copied, context))
        return self._merge(copied, value), sum_rightmost(log_det.expand(value.shape), -self.dim)

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        copied, moved = self._split(x)
        return self._merge(copied, self.element.element_forward_value(moved, self._raw(copied, context)))

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        copied, moved = self._split(y)
        return self._merge(copied, self.element.element_inverse_value(moved, self._raw(copied, context)))

    def _raw(self, copied: Tensor, context: Tensor | None) -> Tensor:
        """The parameters of the transformed channels, ``[*batch, n_b, *lengths, num_free]``."""
        context_rank, free = len(self.context_shape or ()), self.element.num_free
        return call_conditioner(
            self.conditioner, copied, -self.dim, self.input_bound, context, context_rank, free, self.sizes[1]
        )

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The copied and the transformed channels."""
        if x.shape[self.dim] != sum(self.sizes):
            raise ValueError(f"events of SplitCoupling must have {sum(self.sizes)} channels; got shape {tuple(x.shape)}.")
        first, second = x.split(self.sizes[::-1] if self.flip else self.sizes, dim=self.dim)
        return (second, first) if self.flip else (first, second)

    def _merge(self, copied: Tensor, moved: Tensor) -> Tensor:
        batch = moved.shape[: moved.dim() + self.dim]
        copied = copied.to(moved.dtype).expand(*batch, *copied.shape[copied.dim() + self.dim :])
        return torch.cat([moved, copied] if self.flip else [copied, moved], dim=self.dim)

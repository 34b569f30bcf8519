r"""Autoregressive bijectors: every coordinate is transformed with parameters computed from those before it.

With an elementwise map :math:`f(\cdot; \theta)` and a network whose output :math:`\theta_i` sees only coordinates before
:math:`i` in some order,

.. math::

    \text{parallel inverse (MAF):}\quad y_i = f(x_i; \theta_i(y_{<i})), \qquad
    \text{parallel forward (IAF):}\quad y_i = f(x_i; \theta_i(x_{<i})).

Both have a Jacobian that is triangular in that order, with :math:`\log|\det J| = \sum_i \log|\partial y_i / \partial x_i|`. The
direction in which the network's input is known costs one parallel pass. The other one goes through the coordinates in order;
the network is evaluated incrementally (see ``incremental.py``), so it costs the arithmetic of one pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors._conditioning import DEFAULT_INPUT_BOUND, prepared_element, require_bound, vector_of
from probgen.distributions.bijectors.base import Bijector, Direction
from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.incremental import IncrementalNetwork
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["MaskedAutoregressive"]

_Apply = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
_ApplyInOrder = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]


class MaskedAutoregressive(Bijector):
    r"""Any elementwise bijector with parameters from the coordinates before, :math:`y_i = f(x_i; \theta_i(y_{<i}, c))`.

    The network sees :math:`\beta \tanh(\cdot / \beta)` of the coordinates and the element bounds what it emits.

    Args:
        element: The elementwise map :math:`f`; its free parameters are what the network emits.
        network: An incremental network, for example ``probgen.nn.MADE``, with ``num_outputs == element.num_free``.
        parallel: The direction that costs one parallel pass: "inverse" (masked autoregressive flow: densities are fast) or
            "forward" (inverse autoregressive flow: sampling is fast; parameters then depend on :math:`x_{<i}`).
        input_bound: The bound :math:`\beta` on what the network sees; infinite (no clipping) for an element whose domain is
            bounded. The context is not clipped: standardize it.

    Raises:
        TypeError: ``element`` or ``network`` is of another kind.
        ValueError: the network's outputs do not fit the element, or ``parallel`` is unknown.

    References:
        Papamakarios, Pavlakou, Murray (2017). Masked autoregressive flow for density estimation. https://arxiv.org/abs/1705.07057
        Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling (2016). Improving variational inference with inverse
        autoregressive flow. https://arxiv.org/abs/1606.04934

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine, MaskedAutoregressive
        >>> from probgen.nn import MADE
        >>> f = MaskedAutoregressive(Affine(), MADE(features=3, num_outputs=2, hidden=(16,)))
        >>> x = torch.tensor([[1.0, 2.0, 3.0]])
        >>> f.fast_direction, torch.allclose(f.inverse(f(x)), x, atol=1e-5)
        ('inverse', True)
    """

    _order: Tensor
    _rank: Tensor

    def __init__(
        self,
        element: Elementwise,
        network: IncrementalNetwork,
        *,
        parallel: Literal["inverse", "forward"] = "inverse",
        input_bound: float = DEFAULT_INPUT_BOUND,
    ) -> None:
        super().__init__()
        if not isinstance(network, IncrementalNetwork):
            raise TypeError(f"`network` must be an IncrementalNetwork; got {type(network).__name__}.")
        if parallel not in ("inverse", "forward"):
            raise ValueError(f"`parallel` must be 'inverse' or 'forward'; got {parallel!r}.")
        self.element = prepared_element("MaskedAutoregressive", element)
        if network.num_inputs != 1:
            raise ValueError(f"`network` must see one number of a coordinate; it sees {network.num_inputs}.")
        if network.num_outputs != self.element.num_free:
            raise ValueError(
                f"`network` must give {self.element.num_free} numbers a coordinate for {type(element).__name__}; "
                f"it gives {network.num_outputs}."
            )
        self.network = network
        self.parallel = parallel
        self.input_bound = require_bound(input_bound)
        order = torch.tensor([index for level in network.levels for index in level])
        self._ordered = bool((order == torch.arange(len(order))).all())
        self.register_buffer("_order", None if self._ordered else order, persistent=False)
        self.register_buffer("_rank", None if self._ordered else order.argsort(), persistent=False)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Vectors of the element's domain."""
        return vector_of(self.element.domain)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """Vectors of the element's codomain."""
        return vector_of(self.element.codomain)

    @property
    def context_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """As that of the network."""
        return self.network.context_shape

    @property
    def domain_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """One coordinate for each of the network's features."""
        return (self.network.features,)

    @property
    def dependence(self) -> Tensor:
        """Which outputs (rows) may depend on which inputs (columns): itself and earlier levels; booleans ``[D, D]``."""
        level = torch.empty(self.network.features, dtype=torch.long)
        for number, coordinates in enumerate(self.network.levels):
            level[list(coordinates)] = number
        return torch.eye(len(level), dtype=torch.bool) | (level[:, None] > level[None, :])

    @property
    def exact_inverse(self) -> bool:  # type: ignore[override]
        """As that of the element."""
        return self.element.exact_inverse

    @property
    def static_graph(self) -> bool:  # type: ignore[override]
        """As that of the element."""
        return self.element.static_graph

    @property
    def fast_direction(self) -> Direction:  # type: ignore[override]
        """The parallel direction; that of the element for a single coordinate or when no coordinate has parents."""
        return self.parallel if len(self.network.levels) > 1 else self.element.fast_direction

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.parallel == "forward":
            return self._at_once(x, context, self.element.element_forward)
        y, log_dets = self._in_order(x, context, self.element.element_forward)
        return y, torch.cat(log_dets).sum(0).reshape(y.shape[:-1])

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.parallel == "inverse":
            return self._at_once(y, context, self.element.element_inverse)
        x, log_dets = self._in_order(y, context, self.element.element_inverse)
        return x, torch.cat(log_dets).sum(0).reshape(x.shape[:-1])

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        apply = self.element.element_forward_value
        if self.parallel == "forward":
            return apply(x, self.network(soft_clip(x, self.input_bound), context))
        return self._in_order(x, context, lambda value, raw: (apply(value, raw), None))[0]

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        apply = self.element.element_inverse_value
        if self.parallel == "inverse":
            return apply(y, self.network(soft_clip(y, self.input_bound), context))
        return self._in_order(y, context, lambda value, raw: (apply(value, raw), None))[0]

    def _at_once(self, value: Tensor, context: Tensor | None, apply: _Apply) -> tuple[Tensor, Tensor]:
        """Transform ``value`` with parameters that depend on ``value``: one pass."""
        result, log_det = apply(value, self.network(soft_clip(value, self.input_bound), context))
        return result, log_det.expand(result.shape).sum(-1)

    def _in_order(self, value: Tensor, context: Tensor | None, apply: _ApplyInOrder) -> tuple[Tensor, list[Tensor]]:
        """Transform ``value`` with parameters that depend on the result, level after level; log-derivatives as ``[n_k, B]``."""
        batch = self._batch(value, context)
        rows, context = self._flattened(value, context, batch)
        results: list[Tensor] = []
        log_dets: list[Tensor] = []

        def draw(start: int, stop: int, raw: Tensor) -> Tensor:
            result, log_det = apply(rows[:, start:stop], raw)
            results.append(result.mT)
            if log_det is not None:
                log_dets.append(log_det.expand(result.shape).mT)
            return soft_clip(result, self.input_bound)

        self.network.sweep(draw, rows.shape[:1], context)
        result = torch.cat(results).mT
        if not self._ordered:
            result = result.index_select(-1, self._rank)
        return result.reshape(*batch, value.shape[-1]), log_dets

    def _batch(self, value: Tensor, context: Tensor | None) -> torch.Size:
        if context is None or self.context_shape is None:
            return value.shape[:-1]
        lead = context.shape[: context.dim() - len(self.context_shape)]
        return torch.broadcast_shapes(value.shape[:-1], lead)  # type: ignore[no-any-return]

    def _flattened(self, value: Tensor, context: Tensor | None, batch: torch.Size) -> tuple[Tensor, Tensor | None]:
        """Values in level order ``[prod(batch), D]``, stored a coordinate at a time, and the context with the same batch."""
        rows = value.expand(*batch, -1).reshape(batch.numel(), value.shape[-1])
        if not self._ordered:
            rows = rows.index_select(-1, self._order)
        if context is not None and self.context_shape is not None:
            context = context.expand(*batch, *self.context_shape).reshape(batch.numel(), *self.context_shape)
        return rows.mT.contiguous().mT, context

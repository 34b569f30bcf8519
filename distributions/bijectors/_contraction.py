r"""The contraction inside a residual bijector, and :math:`\log|\det(I + \partial g / \partial x)|`, exactly or by series.

``recomputed`` is the same with nothing stored but the input and the weights of the gradient: its backward pass evaluates the
network again. The gradient is right for any weighting of the samples, because the derivative of the log-determinant is taken
then, when the weights are known, and not in advance for their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.autograd.function import once_differentiable
from torch.func import vmap

from probgen.distributions._checks import values_readable
from probgen.distributions.numerics.divergence import coordinate_probes, jacobian_products, pulled_back
from probgen.distributions.numerics.layered_map import LayeredJacobian, LayeredMap
from probgen.distributions.numerics.log_det_series import log_det_series, shrinking_log_det_series
from probgen.distributions.numerics.random_truncation import RandomTruncation
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Contraction", "Series", "recomputed"]

GradientKind = Literal["neumann", "series"]


class Series(NamedTuple):
    """What a power series is made with: probes ``[k, N, *event]``, numbers of terms and their law, and its derivative."""

    probes: Tensor
    terms: int | Tensor
    law: RandomTruncation | None
    gradient: GradientKind


class Contraction(NamedTuple):
    """A contractive network of events of one shape.

    Attributes:
        network: Called as ``network(x)`` or ``network(x, context)``, all with one batch axis; if it has a method
            ``bind(context)`` that returns a function of ``x``, that is used.
        event_dim: Rank of an event.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._contraction import Contraction
        >>> Contraction(lambda x: -0.5 * x, 1).exact(torch.ones(1, 2), None)
        (tensor([[-0.5000, -0.5000]]), tensor([[-1.3863]]))
    """

    network: Callable[..., Tensor]
    event_dim: int

    def at(self, context: Tensor | None) -> Callable[[Tensor], Tensor]:
        """The network as a function of ``x`` alone.

        Args:
            context: The context of the rows, or None.
        """
        bind = getattr(self.network, "bind", None)
        if bind is not None:
            return bind(context)  # type: ignore[no-any-return]
        return self.network if context is None else lambda x: self.network(x, context)

    def jacobian(self, rows: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        r"""The value and :math:`I + J`, shape ``[N, D, D]``.

        Args:
            rows: Points ``[N, *event]``.
            context: Their context.
        """
        layered = self._layered(rows, context)
        if layered is None:
            return _shifted_jacobian(*jacobian_products(self.at(context), rows, coordinate_probes(rows, self.event_dim)))
        value, product = layered
        return _shifted_jacobian(value, product(coordinate_probes(rows, self.event_dim)))

    def pulled_back(self, rows: Tensor, context: Tensor | None) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        r"""The value and :math:`v \mapsto J^\top v` for ``[N, *event]``, for many products without history.

        Args:
            rows: Points ``[N, *event]``.
            context: Their context.
        """
        layered = self._layered(rows, context)
        if layered is not None:
            return layered[0], cast("Callable[[Tensor], Tensor]", layered[1])
        value, pull_back = pulled_back(self.at(context), rows)
        return value, lambda vector: pull_back(vector)[0]

    def exact(self, rows: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """The value and the log-determinant ``[1, N]`` from the whole Jacobian.

        Args:
            rows: Points ``[N, *event]``.
            context: Their context.
        """
        value, matrix = self.jacobian(rows, context)
        return value, torch.linalg.slogdet(matrix)[1].unsqueeze(0)

    def expanded(self, rows: Tensor, context: Tensor | None, series: Series) -> tuple[Tensor, Tensor]:
        """The value and estimates of the log-determinant ``[k, N]`` from a power series.

        Args:
            rows: Points ``[N, *event]``.
            context: Their context.
            series: How the series is made.
        """
        value, product = self._products(rows, context, len(series.probes))
        if series.gradient == "series":
            return value, self._sum(product, series)[0]
        with torch.no_grad():
            log_dets, weights = self._sum(product, series)
        if not torch.is_grad_enabled():
            return value, log_dets
        attached = self._attached(product, weights, series.probes)
        return value, log_dets + (attached - attached.detach())

    def measured(self, rows: Tensor, context: Tensor | None, series: Series) -> tuple[Tensor, Tensor, Tensor]:
        """The value, the estimates, and the weights of their gradient, without history.

        Args:
            rows: Points ``[N, *event]``.
            context: Their context.
            series: How the series is made.
        """
        with torch.no_grad():
            value, product = self._products(rows, context, len(series.probes))
            return value, *self._sum(product, series)

    def attached(self, rows: Tensor, context: Tensor | None, weights: Tensor, probes: Tensor) -> tuple[Tensor, Tensor]:
        """The value and the numbers whose gradient is that of the log-determinant, ``[k, N]``.

        Args:
            rows: Points ``[N, *event]``.
            context: Their context.
            weights: From ``measured``.
            probes: The probes there.
        """
        value, product = self._products(rows, context, len(probes))
        return value, self._attached(product, weights, probes)

    def _layered(self, rows: Tensor, context: Tensor | None) -> tuple[Tensor, LayeredJacobian] | None:
        """The value and the Jacobian by its factors, if the network has them."""
        function = self.at(context)
        if not isinstance(function, LayeredMap) or not function.has_slopes:
            return None
        value, jacobian = function.linearized(rows)
        return _checked(value, rows), jacobian

    def _products(self, rows: Tensor, context: Tensor | None, count: int) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        layered = self._layered(rows, context)
        if layered is not None:
            return layered[0], cast("Callable[[Tensor], Tensor]", layered[1])
        if count == 1 and torch.is_grad_enabled() and values_readable(rows) and forward_ad._current_level < 0:
            return _recorded_product(self.at(context), rows)
        value, pull_back = pulled_back(self.at(context), rows)
        if count == 1:
            return value, lambda vectors: pull_back(vectors[0])[0].unsqueeze(0)
        return value, vmap(lambda vector: pull_back(vector)[0])

    def _sum(self, product: Callable[[Tensor], Tensor], series: Series) -> tuple[Tensor, Tensor]:
        probes, terms, law, _ = series
        shrinks = isinstance(product, LayeredJacobian) and len(probes) == 1 and not torch.is_grad_enabled()
        if shrinks and isinstance(terms, Tensor) and law is not None:
            return shrinking_log_det_series(cast(LayeredJacobian, product), probes, terms, law, event_dim=self.event_dim)
        return log_det_series(product, probes, terms, law, event_dim=self.event_dim)

    def _attached(self, product: Callable[[Tensor], Tensor], weights: Tensor, probes: Tensor) -> Tensor:
        return sum_rightmost(product(weights) * probes, self.event_dim)


def recomputed(
    contraction: Contraction, rows: Tensor, context: Tensor | None, series: Series | None, held: Sequence[nn.Parameter]
) -> tuple[Tensor, Tensor]:
    """As ``exact`` (for no series) or ``expanded``, storing only the arguments.

    Args:
        contraction: The network.
        rows: Points ``[N, *event]``.
        context: Their context.
        series: How the series is made, None for the whole Jacobian.
        held: The parameters of the network.
    """
    return _Recomputed.apply(contraction, series, rows, context, *held)  # type: ignore[no-any-return,no-untyped-call]


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, contraction: Contraction, series: Series | None, rows: Tensor, context: Tensor | None, *held: Tensor
    ) -> tuple[Tensor, Tensor]:
        if series is None:
            value, log_dets = contraction.exact(rows, context)
            weights = None
        else:
            value, log_dets, weights = contraction.measured(rows, context, series)
        ctx.contraction = contraction
        ctx.save_for_backward(rows, context, weights, None if series is None else series.probes, *held)
        return value, log_dets

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, value_gradient: Tensor, log_det_gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, context, weights, probes, *held = ctx.saved_tensors
        with torch.enable_grad():
            point = rows.detach().requires_grad_()
            bound = None if context is None else context.detach().requires_grad_(context.is_floating_point())
            if weights is None:
                outputs = ctx.contraction.exact(point, bound)
            else:
                outputs = ctx.contraction.attached(point, bound, weights, probes)
            inputs = [tensor for tensor in (point, bound, *held) if tensor is not None and tensor.requires_grad]
            found = torch.autograd.grad(outputs, inputs, (value_gradient, log_det_gradient), allow_unused=True)
        gradients = {id(tensor): gradient for tensor, gradient in zip(inputs, found, strict=True)}
        return None, None, *(None if tensor is None else gradients.get(id(tensor)) for tensor in (point, bound, *held))


def _recorded_product(function: Callable[[Tensor], Tensor], rows: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """As ``pulled_back`` for one vector, by autograd itself: faster, and hooks on saved tensors see it."""
    point = rows if rows.requires_grad else rows.detach().requires_grad_()
    value = _checked(function(point), rows)

    def product(vectors: Tensor) -> Tensor:
        if not value.requires_grad:
            return torch.zeros_like(vectors)
        found: tuple[Tensor | None, ...] = torch.autograd.grad(
            value, point, vectors[0], retain_graph=True, create_graph=torch.is_grad_enabled(), allow_unused=True
        )
        return torch.zeros_like(vectors) if found[0] is None else found[0].unsqueeze(0)

    return value, product


def _checked(value: Tensor, rows: Tensor) -> Tensor:
    if value.shape != rows.shape:
        raise ValueError(f"`network` must keep the shape {tuple(rows.shape)}; it gave {tuple(value.shape)}.")
    return value.to(rows.dtype)


def _shifted_jacobian(value: Tensor, products: Tensor) -> tuple[Tensor, Tensor]:
    """The value and the identity plus the matrices with rows ``[D, N, *event]`` (ones where they are the same)."""
    size, rows = len(products), len(value)
    matrix = products.reshape(size, -1, size).expand(size, rows, size).movedim(0, 1)
    return value, matrix + torch.eye(size, dtype=value.dtype, device=value.device)

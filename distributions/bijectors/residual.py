r"""Residual bijectors: the identity plus a contraction.

.. math::

    y = x + g(x), \qquad |g(x) - g(x')| \le \kappa |x - x'|, \quad \kappa < 1 .

For every :math:`y` the map :math:`x \mapsto y - g(x)` is a contraction, so it has exactly one fixed point (Banach): the
inverse. The Jacobian :math:`I + J` has singular values between :math:`1 - \kappa` and :math:`1 + \kappa`, so its determinant is
positive, and

.. math:: \log\det(I + J) = \sum_{k \ge 1} \frac{(-1)^{k+1}}{k} \operatorname{tr} J^k .

Nothing else is asked of the network: unlike couplings and autoregressive maps its Jacobian has no zeros. The derivation stands
in ``docs/derivations/flow-residual.md``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import values_readable
from probgen.distributions.bijectors._contraction import Contraction, GradientKind, Series, recomputed
from probgen.distributions.bijectors._contraction_inverse import invert_implicitly, invert_with_newton
from probgen.distributions.bijectors._rows import as_rows, from_rows
from probgen.distributions.bijectors.base import Bijector, LogDetKind
from probgen.distributions.numerics.divergence import ProbeKind, draw_probes
from probgen.distributions.numerics.linear import full_precision
from probgen.distributions.numerics.log_det_series import truncation_bound
from probgen.distributions.numerics.random_truncation import RandomTruncation

__all__ = ["Residual"]

_KINDS: dict[str, LogDetKind] = {"exact": "exact", "roulette": "unbiased", "truncated": "biased"}
_DENSE = 32


class Residual(Bijector):
    r"""The identity plus a contraction, :math:`y = x + g(x, c)`: the forward map is closed, the inverse iterative.

    The network is called as ``network(x)``, or ``network(x, context)`` where the map takes a context, all with one batch axis;
    rows must not depend on each other. It has to be a contraction of ``x`` for every context, and to say so by an attribute
    ``lipschitz``, as ``probgen.nn.LipschitzMLP`` and ``LipschitzConvNet`` do: their bound holds for all parameters. A flow of
    densities has this map from the data to the base, so recipes use ``Residual(...).inv``.

    The log-determinant is

    - "exact": of the whole Jacobian, by one backward pass for each coordinate: for small events;
    - "roulette": the power series, cut at a random place and weighted so that its expectation is right. ``log_det_kind`` is
      "unbiased", every sample has its own number of terms, and ``static_graph`` is False because the largest is read. In
      evaluation mode ``evaluation_terms`` terms are always there, which leaves little to chance;
    - "truncated": the first ``terms`` of the series, with random probes. That is *biased*, by ``truncation_error`` nats at
      most, and says so: ``log_det_kind`` is "biased", a distribution made of it has no density and trains with
      ``allow_estimate=True`` only.

    Its gradient is that of the same expectation, by the Neumann series of :math:`(I + J)^{-1}`: one product that is
    differentiated instead of one for each term, so memory does not grow with the number of terms.

    Args:
        network: The contraction :math:`g`.
        event_shape: Shape of one event; () for a scalar.
        lipschitz: The constant :math:`\kappa` of the network, if it does not declare one; below 1. It is not checked.
        log_det: "exact", "roulette" or "truncated".
        terms: Terms of "truncated".
        truncation: The law of the number of terms of "roulette" in training.
        evaluation_terms: Terms that are always there in evaluation mode; those of ``truncation`` if they are more.
        probes: Number of probes of the traces, whose estimates are averaged.
        probe_kind: "rademacher" or "gaussian".
        gradient: "neumann", or "series" to differentiate every term: the same in expectation, for comparison.
        recompute: Store nothing but the input, and evaluate the network again in the backward pass. First derivatives only.
        newton: Give the inverse derivatives by attached Newton steps with the whole Jacobian, or else first derivatives by the
            implicit function theorem. None: Newton's for at most 32 coordinates.
        evaluations: How often an inverse evaluates the network at most; at least 5.
        context_shape: Trailing shape of the context; that which the network declares as ``context_shape`` if None.

    Raises:
        ValueError: the network is not known to be a contraction, or a setting is out of range.
        TypeError: ``recompute`` with a network that is no module, so that its parameters are not known.

    References:
        Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen (2019). Invertible residual networks. https://arxiv.org/abs/1811.00995
        Chen, Behrmann, Duvenaud, Jacobsen (2019). Residual flows for invertible generative modeling.
        https://arxiv.org/abs/1906.02735

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Residual
        >>> f = Residual(lambda x: 0.5 * torch.sin(x), (1,), lipschitz=0.5)
        >>> y, log_det = f.forward_and_log_det(torch.zeros(1))
        >>> y, log_det.exp(), f.inverse(y)
        (tensor([0.]), tensor(1.5000), tensor([0.]))
    """

    exact_inverse = False
    fast_direction = "forward"

    def __init__(
        self,
        network: Callable[..., Tensor],
        event_shape: Sequence[int],
        *,
        lipschitz: float | None = None,
        log_det: Literal["exact", "roulette", "truncated"] = "exact",
        terms: int = 10,
        truncation: RandomTruncation | None = None,
        evaluation_terms: int = 20,
        probes: int = 1,
        probe_kind: ProbeKind = "rademacher",
        gradient: GradientKind = "neumann",
        recompute: bool = False,
        newton: bool | None = None,
        evaluations: int = 27,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        _require_settings(log_det, gradient, terms, probes, evaluations)
        if recompute and not isinstance(network, nn.Module):
            raise TypeError(f"`recompute` needs a `network` that is a module; got {type(network).__name__}.")
        self.network = network
        self.event_shape = tuple(event_shape)
        self.lipschitz = _contraction_constant(network, lipschitz)
        self.log_det, self.terms = log_det, terms
        self.truncation = RandomTruncation() if truncation is None else truncation
        self.evaluation_terms = max(evaluation_terms, self.truncation.exact_terms)
        self.probes, self.probe_kind, self.gradient, self.recompute = probes, probe_kind, gradient, recompute
        self.newton = math.prod(self.event_shape) <= _DENSE if newton is None else newton
        self.evaluations = evaluations
        declared = getattr(network, "context_shape", None) if context_shape is None else context_shape
        self.context_shape = None if declared is None else tuple(declared)

    # ------------------------------------------------------------------------------------------------------------ declarations

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The whole space."""
        rank = len(self.event_shape)
        return constraints.independent(constraints.real, rank) if rank else constraints.real

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The whole space."""
        return self.domain

    @property
    def domain_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The event shape."""
        return self.event_shape

    @property
    def static_graph(self) -> bool:  # type: ignore[override]
        """False for a random number of terms."""
        return self.log_det != "roulette"

    @property
    def log_det_kind(self) -> LogDetKind:  # type: ignore[override]
        """Exact, unbiased for "roulette", biased for "truncated"."""
        return _KINDS[self.log_det]

    @property
    def sign(self) -> int:
        """+1 for scalars.

        Raises:
            NotImplementedError: the events are not scalars.
        """
        return 1 if self.event_shape == () else super().sign

    @property
    def truncation_error(self) -> float:
        """The most nats by which the expectation of the log-determinant can be wrong; 0 unless it is "truncated"."""
        size = math.prod(self.event_shape)
        return truncation_bound(self.lipschitz, size, self.terms) if self.log_det == "truncated" else 0.0

    def extra_repr(self) -> str:
        """Settings, for ``repr``."""
        more = {"exact": "", "truncated": f", terms={self.terms}", "roulette": f", {self.truncation}"}[self.log_det]
        return f"{self.event_shape}, lipschitz={self.lipschitz:.4g}, log_det={self.log_det!r}{more}"

    # ------------------------------------------------------------------------------------------------------------- evaluation

    def estimate(
        self, x: Tensor, context: Tensor | None = None, *, probes: Tensor | None = None, terms: int | Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The value and one estimate of the log-determinant for each probe, from given probes and numbers of terms.

        Args:
            x: Points ``[*batch, *event]``.
            context: The context, where the map takes one.
            probes: Shape ``[k, *batch, *event]``, the batch being that of ``x`` and the context together; drawn if None.
            terms: A number of terms of the plain series, or numbers ``[k, *batch]`` that stand for draws of the truncation;
                as declared if None.

        Returns:
            Values ``[*batch, *event]`` and log-determinants ``[k, *batch]``, in nats.

        Raises:
            ValueError: the log-determinant is "exact", or a shape is wrong.
        """
        if self.log_det == "exact":
            raise ValueError('there is nothing to estimate with log_det="exact".')
        self._check_input("x", x, self.domain, self.domain_shape, context)
        rows, context, batch = as_rows(x, context, self.event_shape, self.context_shape, self.network)
        if probes is not None:
            if tuple(probes.shape[1:]) != (*batch, *self.event_shape):
                raise ValueError(f"`probes` must be [k, *{(*batch, *self.event_shape)}]; got {tuple(probes.shape)}.")
            probes = probes.reshape(len(probes), *rows.shape).to(rows.dtype)
        if isinstance(terms, Tensor):
            terms = terms.reshape(-1, len(rows))
        value, log_dets = self._evaluated(rows, context, self._series(rows, probes, terms))
        return from_rows(value, batch, self.event_shape, x), from_rows(log_dets, (len(log_dets), *batch), (), x)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if not torch.compiler.is_compiling() and torch.is_inference_mode_enabled():
            with torch.inference_mode(mode=False), torch.no_grad():  # in inference mode no Jacobian can be had
                return self._forward_and_log_det(x.clone(), None if context is None else context.clone())
        rows, context, batch = as_rows(x, context, self.event_shape, self.context_shape, self.network)
        value, log_dets = self._evaluated(rows, context, self._series(rows))
        return from_rows(value, batch, self.event_shape, x), from_rows(log_dets.mean(0), batch, (), x)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if not torch.compiler.is_compiling() and torch.is_inference_mode_enabled():
            with torch.inference_mode(mode=False), torch.no_grad():
                return self._inverse_and_log_det(y.clone(), None if context is None else context.clone())
        rows, context, batch = as_rows(y, context, self.event_shape, self.context_shape, self.network)
        x = self._root(rows, context)
        fldj = self._evaluated(x, context, self._series(x))[1].mean(0)
        return from_rows(x, batch, self.event_shape, y), from_rows(-fldj, batch, (), y)

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        rows, context, batch = as_rows(x, context, self.event_shape, self.context_shape, self.network)
        with full_precision(rows):
            change = self._contraction.at(context)(rows)
            if change.shape != rows.shape:
                raise ValueError(f"`network` must keep the shape {tuple(rows.shape)}; it gave {tuple(change.shape)}.")
            value = rows + change
        return from_rows(value, batch, self.event_shape, x)

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        if not torch.compiler.is_compiling() and torch.is_inference_mode_enabled():
            with torch.inference_mode(mode=False), torch.no_grad():
                return self._inverse(y.clone(), None if context is None else context.clone())
        rows, context, batch = as_rows(y, context, self.event_shape, self.context_shape, self.network)
        return from_rows(self._root(rows, context), batch, self.event_shape, y)

    @property
    def _contraction(self) -> Contraction:
        return Contraction(self.network, len(self.event_shape))

    def _held(self) -> list[nn.Parameter]:
        return list(self.network.parameters()) if isinstance(self.network, nn.Module) else []

    def _root(self, rows: Tensor, context: Tensor | None) -> Tensor:
        with full_precision(rows):
            if self.newton:
                return invert_with_newton(self._contraction, rows, context, self.evaluations)
            return invert_implicitly(self._contraction, rows, context, self.evaluations, self._held())

    def _evaluated(self, rows: Tensor, context: Tensor | None, series: Series | None) -> tuple[Tensor, Tensor]:
        """The value ``[N, *event]`` and log-determinants ``[k, N]``."""
        with full_precision(rows):
            if self.recompute and torch.is_grad_enabled() and values_readable(rows):
                value, log_dets = recomputed(self._contraction, rows, context, series, self._held())
            elif series is None:
                value, log_dets = self._contraction.exact(rows, context)
            else:
                value, log_dets = self._contraction.expanded(rows, context, series)
            return rows + value, log_dets

    def _series(self, rows: Tensor, probes: Tensor | None = None, terms: int | Tensor | None = None) -> Series | None:
        """Probes and numbers of terms, drawn or given; None for the whole Jacobian."""
        if self.log_det == "exact":
            return None
        if probes is None:
            probes = draw_probes(self.probes, rows.shape, self.probe_kind, dtype=rows.dtype, device=rows.device)
        law = None
        if self.log_det == "roulette" and not isinstance(terms, int):
            exact_terms = self.truncation.exact_terms if self.training else self.evaluation_terms
            law = dataclasses.replace(self.truncation, exact_terms=exact_terms)
            terms = law.draw((len(probes), len(rows)), device=rows.device) if terms is None else terms
        return Series(probes, self.terms if terms is None else terms, law, self.gradient)


def _contraction_constant(network: object, given: float | None) -> float:
    constant = getattr(network, "lipschitz", None) if given is None else given
    if not isinstance(constant, (int, float)) or not 0.0 <= constant < 1.0:
        raise ValueError(
            "`network` must be a contraction: it declares `lipschitz` below 1, as LipschitzMLP does, or `lipschitz` is given; "
            f"got {constant}."
        )
    return float(cast(float, constant))


def _require_settings(log_det: str, gradient: str, terms: int, probes: int, evaluations: int) -> None:
    if log_det not in _KINDS:
        raise ValueError(f"`log_det` must be one of {sorted(_KINDS)}; got {log_det!r}.")
    if gradient not in ("neumann", "series"):
        raise ValueError(f"`gradient` must be 'neumann' or 'series'; got {gradient!r}.")
    if terms < 1 or probes < 1 or evaluations < 5:
        raise ValueError(
            f"`terms` and `probes` must be at least 1, `evaluations` at least 5; got {terms}, {probes}, {evaluations}."
        )

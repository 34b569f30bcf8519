r"""Flow matching: the field of a continuous flow by regression, without solving a differential equation.

A pair of a point :math:`z` of the base and a datum :math:`x` has a path :math:`x_s` with velocity :math:`u_s`
(``interpolation.py``). The field that carries the base to the data is the mean velocity of the paths through a point, and
regression finds conditional means:

.. math::

    v^*(s, y) = \mathbb E[u_s \mid x_s = y], \qquad
    L(\theta) = \mathbb E_{s, (z, x)} \lVert v_\theta(s, x_s) - u_s \rVert^2
    = \mathbb E \lVert v_\theta(s, x_s) - v^*(s, x_s) \rVert^2 + \mathbb E \operatorname{tr} \operatorname{Cov}(u_s \mid x_s) .

The last term does not depend on :math:`\theta`: the loss of the best field is not zero. Any joint law of z and x with the
right margins gives a right field; the coupling decides how straight its paths are. All of this is proved and measured in
``docs/derivations/flow-matching.md``.
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor
from torch.distributions import Distribution

from probgen.distributions import standard_normal
from probgen.distributions._checks import require_event_shape
from probgen.distributions.bijectors import Bijector, ContinuousFlow
from probgen.distributions.numerics.stable import sum_rightmost
from probgen.distributions.numerics.transport import optimal_pairing
from probgen.infer.flow_chain import (
    chain_of,
    checked_batch,
    end_shapes,
    inverse_through,
    only_continuous_part,
    require_base,
)
from probgen.infer.interpolation import PathName, interpolate
from probgen.infer.objective import Objective
from probgen.infer.random_times import TimeCoupling, batch_quantiles, logit_normal_time

__all__ = ["FlowMatching"]


class FlowMatching(Objective):
    r"""The squared error of a continuous flow's velocity, :math:`\mathbb E \lVert v_\theta(s, x_s) - u_s \rVert^2`.

    Called on a batch it returns the mean over data and coordinates; :meth:`per_datum` gives sums over the event. The same
    ``flow`` is afterwards a bijector like any other, with samples and exact densities. Only the field learns: parts of a
    composition before and after it are taken as they are.

    Args:
        flow: A ``ContinuousFlow``, or a composition with exactly one.
        base: The law that the flow starts from; the standard normal if None.
        path: "straight", or "variance preserving" as diffusions have it.
        sigma_min: How much of the base is left around a datum at the end of its path, in [0, 1). The flow then learns data with
            that much noise; with 0 it learns the empirical law, from which only the network and early stopping protect.
        coupling: "independent", or "optimal": within a batch every datum gets the point of the base with which the whole batch
            is paired at the least squared distance. Paths become straighter and the regression less noisy; the pairing costs
            O(N^3), reads the tensors and so does not compile. With a context, points change places only between data of equal
            contexts: pairing across contexts would teach every context a base that is not the one that samples start from.
        times: The law of s, "uniform" or "logit-normal" (its weight in the middle of the paths), or a distribution with
            ``icdf``. It is part of the loss and not corrected for; the best field is the same.
        time_coupling: How the times of one batch hang together (``random_times.py``).

    Raises:
        ValueError: the flow has no continuous part or several, the base has other events than the flow takes, or there is no
            such path, width, coupling or law.

    References:
        Lipman, Chen, Ben-Hamu, Nickel, Le (2023). Flow matching for generative modeling. https://arxiv.org/abs/2210.02747
        Liu, Gong, Liu (2023). Flow straight and fast: learning to generate and transfer data with rectified flow.
        https://arxiv.org/abs/2209.03003
        Tong, Fatras, Malkin, Huguet, Zhang, Rector-Brooks, Wolf, Bengio (2024). Improving and generalizing flow-based
        generative models with minibatch optimal transport. https://arxiv.org/abs/2302.00482
        Cheng, Schwing (2025). The curse of conditions: analyzing and improving optimal transport for conditional flow-based
        generation. https://arxiv.org/abs/2503.10636

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import ContinuousFlow
        >>> from probgen.infer import FlowMatching
        >>> _ = torch.manual_seed(0)
        >>> flow = ContinuousFlow(lambda t, x: torch.full_like(x, 3.0), (2,))  # the best field for data at z + 3
        >>> z = torch.randn(100, 2)
        >>> float(FlowMatching(flow)(z + 3.0, start=z)) < 1e-10
        True
    """

    def __init__(
        self,
        flow: Bijector,
        base: Distribution | None = None,
        *,
        path: PathName = "straight",
        sigma_min: float = 0.0,
        coupling: Literal["independent", "optimal"] = "independent",
        times: Literal["uniform", "logit-normal"] | Distribution = "uniform",
        time_coupling: TimeCoupling = "stratified",
    ) -> None:
        super().__init__()
        only_continuous_part(flow)
        require_base(base, flow)
        interpolate(path, torch.zeros(1), torch.zeros(1), torch.zeros(1), sigma_min)  # checks both
        if coupling not in ("independent", "optimal"):
            raise ValueError(f"`coupling` must be 'independent' or 'optimal'; got {coupling!r}.")
        if isinstance(times, str) and times not in ("uniform", "logit-normal"):
            raise ValueError(f"`times` must be 'uniform', 'logit-normal' or a distribution; got {times!r}.")
        batch_quantiles(1, time_coupling)
        self.flow, self.base = flow, base
        self.path, self.sigma_min, self.coupling = path, sigma_min, coupling
        self.times = logit_normal_time() if times == "logit-normal" else times
        self.time_coupling: TimeCoupling = time_coupling

    def forward(self, x: Tensor, context: Tensor | None = None, start: Tensor | None = None) -> Tensor:
        """The loss of a batch, a scalar: the mean over data and coordinates.

        Args:
            x: Data ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the flow takes one.
            start: Points of the base that belong to the data, ``[*batch, *base_event]``, for pairs that are known, as in the
                second round of a rectified flow; drawn and coupled if None.

        Raises:
            ValueError: a wrong shape.
            ContextError: a missing, mis-sized or unused context.
        """
        losses = self.per_datum(x, context, start)
        return losses.sum() / max(losses.numel() * end_shapes(self.flow)[1].numel(), 1)

    def per_datum(self, x: Tensor, context: Tensor | None = None, start: Tensor | None = None) -> Tensor:
        """The squared error of every datum at one random time, summed over the event, ``[*batch]``.

        Args:
            x: Data ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the flow takes one.
            start: Points of the base, as in ``forward``.
        """
        batch, event = checked_batch(self.flow, x, context), end_shapes(self.flow)[1]
        chain, index = chain_of(self.flow), only_continuous_part(self.flow)
        flow = cast(ContinuousFlow, chain[index])
        rows = None if context is None else context.expand(*batch, *self._context_shape).reshape(-1, *self._context_shape)
        with torch.no_grad():
            x = x.expand(*batch, *event).reshape(batch.numel(), *event)
            ends, _ = inverse_through(chain[index + 1 :], x, rows, 1)
            begins = self._begins(start, x)
            for part in chain[:index]:
                begins = part(begins, None if part.context_shape is None else rows)
            if start is None and self.coupling == "optimal":
                begins = begins[optimal_pairing(begins, ends, rows)]
            s = self._positions(len(ends), ends)
            point = interpolate(self.path, begins, ends, s, self.sigma_min)
        first, last = flow.solver.times[0], flow.solver.times[-1]
        velocity = flow.velocity(first + (last - first) * s, point.value, None if flow.context_shape is None else rows)
        error = (velocity * (last - first) - point.velocity).square()
        return sum_rightmost(error, len(flow.event_shape)).reshape(batch)

    @property
    def _context_shape(self) -> tuple[int, ...]:
        return self.flow.context_shape or ()

    def _begins(self, start: Tensor | None, x: Tensor) -> Tensor:
        """Points of the base ``[N, *base_event]``: those that were given, or drawn."""
        shape = end_shapes(self.flow)[0]
        if start is not None:
            require_event_shape("start", start, len(shape), shape)
            if start.numel() != len(x) * shape.numel():
                raise ValueError(f"`start` must hold one point for each of {len(x)} data; got shape {tuple(start.shape)}.")
            return start.reshape(len(x), *shape)
        base = standard_normal(shape).like(x) if self.base is None else self.base
        return base.sample(torch.Size((len(x),))).to(x)

    def _positions(self, count: int, like: Tensor) -> Tensor:
        """A position s in [0, 1] for every datum."""
        quantiles = batch_quantiles(count, self.time_coupling, like.device)
        if isinstance(self.times, str):
            return quantiles.to(like)
        margin = 1e-9
        return self.times.icdf(quantiles.clamp(margin, 1 - margin)).to(like)

    def extra_repr(self) -> str:
        """The settings."""
        return f"path={self.path!r}, sigma_min={self.sigma_min}, coupling={self.coupling!r}"

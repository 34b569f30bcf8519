r"""Continuous flows: the solution map of an ordinary differential equation, with its log-determinant.

A point is carried along a velocity field from time :math:`t_0` to :math:`t_1`; the log-determinant of the map is the integral
of the field's divergence along the way (the instantaneous change of variables):

.. math::

    \frac{\mathrm dx}{\mathrm dt} = v(t, x), \qquad y = x(t_1), \qquad
    \log|\det J| = \int_{t_0}^{t_1} \nabla \cdot v(t, x(t))\, \mathrm dt .

The inverse runs from :math:`t_1` back to :math:`t_0`. The network may be any network: nothing about it needs to be invertible.
One solver computes both integrals, so value and log-determinant are those of the true flow up to the solver's error. With fixed
steps the value is a *discrete* map with exact derivatives, and the integrated log-determinant is that of the flow, not of the
discrete map; the two differ by the solver's error, which ``docs/derivations/continuous-flows.md`` measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors._dynamics import Dynamics
from probgen.distributions.bijectors._rows import as_rows, from_rows
from probgen.distributions.bijectors.base import Bijector, LogDetKind
from probgen.distributions.numerics.divergence import ProbeKind, draw_probes
from probgen.distributions.numerics.linear import full_precision
from probgen.distributions.numerics.ode_adjoint import solve_with_adjoint
from probgen.distributions.numerics.ode_solver import make_solver
from probgen.distributions.numerics.ode_steps import Solution, VectorFunction
from probgen.distributions.numerics.ode_tableaus import MethodName

__all__ = ["ContinuousFlow", "FlowEnergies", "FlowSolution"]


class FlowSolution(NamedTuple):
    """What integrating a continuous flow gives.

    Attributes:
        value: The points at the other end, shape ``[*batch, *event]``.
        log_dets: One log-determinant for each probe, shape ``[k, *batch]``, nats; with the exact divergence ``k`` is 1.
        evaluations: How often the vector field was evaluated.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import ContinuousFlow
        >>> flow = ContinuousFlow(lambda t, x: -x, (2,), solver="rk4", steps=10)
        >>> flow.integrate(torch.ones(3, 2)).evaluations
        40
    """

    value: Tensor
    log_dets: Tensor
    evaluations: int


class FlowEnergies(NamedTuple):
    r"""What ``ContinuousFlow.integrate_energies`` gives: the flow and two measures of how hard it is to integrate.

    Attributes:
        value: The points at the other end, shape ``[*batch, *event]``.
        log_dets: As in ``FlowSolution``.
        kinetic: :math:`\int \lVert v \rVert^2 |\mathrm dt|` along the way, shape ``[*batch]``; straight paths at constant speed
            have the least.
        jacobian: :math:`\int \lVert \partial v / \partial x \rVert_F^2 |\mathrm dt|`, shape ``[*batch]``; an unbiased estimate
            where the divergence is one.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import ContinuousFlow
        >>> flow = ContinuousFlow(lambda t, x: torch.ones_like(x), (2,), solver="euler", steps=1)
        >>> flow.integrate_energies(torch.zeros(2)).kinetic
        tensor(2.)
    """

    value: Tensor
    log_dets: Tensor
    kinetic: Tensor
    jacobian: Tensor


class ContinuousFlow(Bijector):
    r"""The flow of a vector field, :math:`\mathrm dx/\mathrm dt = v(t, x, c)` from the first of the times to the last.

    The field is called as ``vector_field(t, x)``, or ``vector_field(t, x, context)`` where the flow takes a context. ``t`` is a
    0-dimensional tensor (``[N, 1, ..., 1]``, of the rank of ``x``, where ``velocity`` is asked for several times at once),
    ``x`` always has one batch axis, ``[N, *event]``, and so has the context, ``[N, *context_shape]``. Rows must not depend on
    each other.

    If the field has a method ``velocity_and_divergence(t, x)`` (or ``(t, x, context)``) that returns :math:`v` and
    :math:`\nabla \cdot v`, shape ``[N]``, or ``divergence``, which returns the second, it serves as the exact divergence.
    Otherwise automatic differentiation computes it, at the cost of one backward pass for each coordinate. Hutchinson's
    estimate costs one for each probe, and makes the log-determinant an unbiased *estimate* (``log_det_kind`` is "unbiased"):
    probes are drawn anew at each call, independently for each sample, and kept along the way.

    The inverse is that of the flow up to the solver's error (``exact_inverse`` is False). Adaptive steps end with an
    ``IntegrationError`` where they cannot keep their tolerance; they and the adjoint run in full precision under autocast.

    Args:
        vector_field: The field :math:`v`, a module or any function.
        event_shape: Shape of one event; () for a scalar.
        times: The first and last time, or the whole grid of fixed steps; ascending or descending.
        solver: "dopri5" (adaptive unless there are ``steps`` or a grid), "euler", "midpoint", "heun", "rk4" or "verner8".
        steps: Number of equal steps between two times.
        rtol: Relative tolerance of adaptive steps.
        atol: Absolute tolerance of adaptive steps.
        max_steps: The most adaptive steps.
        log_det_atol: Absolute tolerance of the log-determinant in adaptive steps, in nats; ``atol`` if None. A log-density is
            seldom wanted to the digits that points are inverted to, and the steps follow the stricter of the two.
        divergence: "exact" or "hutchinson".
        probes: Number of probes of Hutchinson's estimate; their estimates are averaged.
        probe_kind: "rademacher" or "gaussian".
        chunk_size: How many coordinates of an exact divergence are differentiated at once; all by default.
        adjoint: Compute gradients by solving the adjoint equation backwards, with memory that does not grow with the number of
            steps, instead of by backpropagation through the solver. Gradients then have the solver's error and no derivatives.
        context_shape: Trailing shape of the context; that which the field declares as ``context_shape`` if None.

    Raises:
        ValueError: settings that do not go together, such as a method without error estimate and without steps.
        TypeError: ``adjoint`` with a field that is no module, so that its parameters are not known.

    References:
        Chen, Rubanova, Bettencourt, Duvenaud (2018). Neural ordinary differential equations. https://arxiv.org/abs/1806.07366
        Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019). FFJORD: free-form continuous dynamics for scalable reversible
        generative models. https://arxiv.org/abs/1810.01367

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import ContinuousFlow
        >>> flow = ContinuousFlow(lambda t, x: -x, (3,))
        >>> y, log_det = flow.forward_and_log_det(torch.ones(3))
        >>> y, log_det
        (tensor([0.3679, 0.3679, 0.3679]), tensor(-3.0000))
    """

    exact_inverse = False

    def __init__(
        self,
        vector_field: Callable[..., Tensor],
        event_shape: Sequence[int],
        *,
        times: Sequence[float] | Tensor = (0.0, 1.0),
        solver: MethodName = "dopri5",
        steps: int | None = None,
        rtol: float = 1e-6,
        atol: float = 1e-6,
        max_steps: int = 10_000,
        log_det_atol: float | None = None,
        divergence: Literal["exact", "hutchinson"] = "exact",
        probes: int = 1,
        probe_kind: ProbeKind = "rademacher",
        chunk_size: int | None = None,
        adjoint: bool = False,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if divergence not in ("exact", "hutchinson"):
            raise ValueError(f"`divergence` must be 'exact' or 'hutchinson'; got {divergence!r}.")
        if probes < 1:
            raise ValueError(f"`probes` must be at least 1; got {probes}.")
        if adjoint and not isinstance(vector_field, nn.Module):
            raise TypeError(f"`adjoint` needs a `vector_field` that is a module; got {type(vector_field).__name__}.")
        self.vector_field = vector_field
        self.event_shape = tuple(event_shape)
        self.solver = make_solver(solver, times, steps, rtol=rtol, atol=atol, max_steps=max_steps, integral_atol=log_det_atol)
        self.divergence, self.probes, self.probe_kind = divergence, probes, probe_kind
        self.chunk_size, self.adjoint = chunk_size, adjoint
        declared = getattr(vector_field, "context_shape", None) if context_shape is None else context_shape
        self.context_shape = None if declared is None else tuple(declared)

    # ------------------------------------------------------------------------------------------------------------ declarations

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The whole space."""
        return _reals(len(self.event_shape))

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The whole space."""
        return _reals(len(self.event_shape))

    @property
    def domain_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The event shape."""
        return self.event_shape

    @property
    def static_graph(self) -> bool:  # type: ignore[override]
        """True for fixed steps with backpropagation through them."""
        return not (self.solver.adaptive or self.adjoint)

    @property
    def log_det_kind(self) -> LogDetKind:  # type: ignore[override]
        """Unbiased with Hutchinson's estimate, else exact (up to the solver's error)."""
        return "unbiased" if self.divergence == "hutchinson" else "exact"

    @property
    def sign(self) -> int:
        """+1 for a scalar flow: paths do not cross.

        Raises:
            NotImplementedError: the events are not scalars.
        """
        return 1 if self.event_shape == () else super().sign

    def extra_repr(self) -> str:
        """Settings, for ``repr``."""
        solver = self.solver
        ends = f"times=({solver.times[0]}, {solver.times[-1]})"
        steps = f"rtol={solver.rtol}, atol={solver.atol}" if solver.adaptive else f"steps={len(solver.times) - 1}"
        return f"{self.event_shape}, {ends}, {solver.method!r}, {steps}, {self.divergence!r}"

    # ------------------------------------------------------------------------------------------------------------- integration

    def velocity(self, time: Tensor | float, value: Tensor, context: Tensor | None = None) -> Tensor:
        """The field at points, each at a time of its own: what flow matching regresses, and what one draws.

        Args:
            time: Times that broadcast with ``[*batch]``.
            value: Points ``[*batch, *event]``.
            context: The context, where the flow takes one.

        Raises:
            ValueError: a wrong shape.
        """
        self._check_input("value", value, self.domain, self.domain_shape, context)
        rows, context, batch = self._rows(value, context)
        times = torch.as_tensor(time, dtype=rows.dtype, device=value.device).expand(batch)
        each = times.reshape(batch.numel(), *(1,) * len(self.event_shape))
        return from_rows(Dynamics(self.vector_field, context).velocity(each, rows), batch, self.event_shape, value)

    def integrate(
        self, value: Tensor, context: Tensor | None = None, *, inverse: bool = False, probes: Tensor | None = None
    ) -> FlowSolution:
        """Integrate value and log-determinant, and say what it cost.

        Args:
            value: Points ``[*batch, *event]``.
            context: The context, where the flow takes one.
            inverse: Go from the last time to the first.
            probes: Probes for Hutchinson's estimate, shape ``[k, *event]`` or ``[k, *batch, *event]``, for example to use the
                same ones there and back; drawn if None.

        Raises:
            ValueError: a wrong shape, or probes for an exact divergence.
            IntegrationError: adaptive steps could not keep their tolerance.
        """
        name = "y" if inverse else "x"
        self._check_input(name, value, self.domain, self.domain_shape, context)
        if probes is not None:
            self._check_probes(probes)
        return self._integrate(value, context, inverse=inverse, probes=probes)

    def integrate_energies(
        self, value: Tensor, context: Tensor | None = None, *, inverse: bool = False, probes: Tensor | None = None
    ) -> FlowEnergies:
        """Integrate also the kinetic energy and the squared norm of the Jacobian, which regularize a flow in training.

        Args:
            value: Points ``[*batch, *event]``.
            context: The context, where the flow takes one.
            inverse: Go from the last time to the first.
            probes: As for ``integrate``.

        References:
            Finlay, Jacobsen, Nurbekyan, Oberman (2020). How to train your neural ODE: the world of Jacobian and kinetic
            regularization. https://arxiv.org/abs/2002.02798
        """
        self._check_input("y" if inverse else "x", value, self.domain, self.domain_shape, context)
        if probes is not None:
            self._check_probes(probes)
        rows, context, batch = self._rows(value, context)
        if self.divergence == "hutchinson":
            probes = self._probe_rows(rows, batch, probes)
        dynamics = Dynamics(self.vector_field, context, len(self.event_shape), probes, self.chunk_size)
        log_dets = rows.new_zeros(len(rows), 1 if probes is None else len(probes))
        state = (rows, log_dets, rows.new_zeros(len(rows)), rows.new_zeros(len(rows)))
        solved = self._solve(dynamics.with_energies, state, context, inverse=inverse, num_integrals=3)
        rows, log_dets, *energies = solved.state
        kinetic, jacobian = (from_rows(energy.abs(), batch, (), value) for energy in energies)
        log_dets = from_rows(log_dets.mT, (log_dets.shape[-1], *batch), (), value)
        return FlowEnergies(from_rows(rows, batch, self.event_shape, value), log_dets, kinetic, jacobian)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        value, log_dets, _ = self._integrate(x, context, inverse=False)
        return value, log_dets.mean(0)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        value, log_dets, _ = self._integrate(y, context, inverse=True)
        return value, log_dets.mean(0)

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self._transport(x, context, inverse=False)

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return self._transport(y, context, inverse=True)

    def _transport(self, value: Tensor, context: Tensor | None, *, inverse: bool) -> Tensor:
        """The value alone, without any divergence."""
        rows, context, batch = self._rows(value, context)
        dynamics = Dynamics(self.vector_field, context)
        solved = self._solve(dynamics.velocities, (rows,), context, inverse=inverse, num_integrals=0)
        return from_rows(solved.state[0], batch, self.event_shape, value)

    def _integrate(self, value: Tensor, context: Tensor | None, *, inverse: bool, probes: Tensor | None = None) -> FlowSolution:
        if not torch.compiler.is_compiling() and torch.is_inference_mode_enabled():
            with torch.inference_mode(mode=False), torch.no_grad():  # in inference mode no divergence can be differentiated
                given = [None if tensor is None else tensor.clone() for tensor in (context, probes)]
                return self._integrate(value.clone(), given[0], inverse=inverse, probes=given[1])
        rows, context, batch = self._rows(value, context)
        if self.divergence == "hutchinson":
            probes = self._probe_rows(rows, batch, probes)
        dynamics = Dynamics(self.vector_field, context, len(self.event_shape), probes, self.chunk_size)
        log_dets = rows.new_zeros(len(rows), 1 if probes is None else len(probes))
        solved = self._solve(dynamics.with_divergence, (rows, log_dets), context, inverse=inverse, num_integrals=1)
        rows, log_dets = solved.state
        log_dets = from_rows(log_dets.mT, (log_dets.shape[-1], *batch), (), value)
        return FlowSolution(from_rows(rows, batch, self.event_shape, value), log_dets, solved.evaluations)

    def _solve(
        self,
        function: Callable[[Tensor, Any], tuple[Tensor, ...]],
        state: tuple[Tensor, ...],
        context: Tensor | None,
        *,
        inverse: bool,
        num_integrals: int,
    ) -> Solution:
        vector_function = cast(VectorFunction, function)
        if self.static_graph:
            return self.solver.solve(vector_function, state, reverse=inverse, batch_dims=1, num_integrals=num_integrals)
        with full_precision(state[0]):  # rounding looks like a rough field, which adaptive steps would resolve
            if not (self.adjoint and torch.is_grad_enabled()):
                return self.solver.solve(vector_function, state, reverse=inverse, batch_dims=1, num_integrals=num_integrals)
            held = [*cast(nn.Module, self.vector_field).parameters(), *([] if context is None else [context])]
            return solve_with_adjoint(
                vector_function, state, self.solver, held, reverse=inverse, batch_dims=1, num_integrals=num_integrals
            )

    def _rows(self, value: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor | None, torch.Size]:
        """Value and context with one batch axis, and the batch shape that they had together."""
        return as_rows(value, context, self.event_shape, self.context_shape, self.vector_field)

    def _probe_rows(self, rows: Tensor, batch: torch.Size, probes: Tensor | None) -> Tensor:
        """Probes ``[k, N, *event]``: drawn, or those that were given."""
        if probes is None:
            return draw_probes(self.probes, rows.shape, self.probe_kind, dtype=rows.dtype, device=rows.device)
        lead = probes.shape[1 : probes.dim() - len(self.event_shape)]
        spread = probes.reshape(len(probes), *(1,) * (len(batch) - len(lead)), *probes.shape[1:])
        return spread.expand(-1, *batch, *self.event_shape).reshape(len(probes), *rows.shape).to(rows.dtype)

    def _check_probes(self, probes: Tensor) -> None:
        rank = len(self.event_shape)
        if self.divergence != "hutchinson":
            raise ValueError("`probes` are for Hutchinson's estimate; this flow has divergence='exact'.")
        if probes.dim() < rank + 1 or tuple(probes.shape[probes.dim() - rank :]) != self.event_shape or not len(probes):
            raise ValueError(f"`probes` must have shape [k, *batch, *{self.event_shape}]; got {tuple(probes.shape)}.")


def _reals(rank: int) -> Constraint:
    return constraints.independent(constraints.real, rank) if rank else constraints.real

r"""The generative chain as one distribution, and as a Pyro model with its guide.

On a time grid :math:`0 = t_0 < t_1 < \dots < t_N`, written :math:`x_i = x_{t_i}`,

.. math::

    p(x_{0:N}) = p(x_N)\, \prod_{i=2}^{N} p(x_{i-1} \mid x_i)\; p(x_0 \mid x_1), \qquad
    q(x_{1:N} \mid x_0) = \prod_{i=1}^N q(x_i \mid x_{i-1}) = q(x_N \mid x_0) \prod_{i=2}^N q(x_{i-1} \mid x_i, x_0).

Given all states the factors of p are independent evaluations of the denoiser, so ``log_prob`` of a whole path is one batched
call. The guide draws in the order of the second product. Only in that order does every term of the bound,
:math:`\mathrm{KL}(q(x_{i-1} \mid x_i, x_0) \,\|\, p(x_{i-1} \mid x_i))`, stand between a site of the guide and the same site of
the model; the forward order has the same joint law, but its site-wise divergences mean nothing, and asking for them is an
error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, cast

import pyro
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.base import Distribution
from probgen.distributions.chains.decoders import Decoder, default_decoder
from probgen.distributions.chains.forward_chain import ForwardChain, WithoutDivergence
from probgen.distributions.chains.process import ForwardProcess
from probgen.distributions.chains.time_grid import TimeGrid
from probgen.distributions.events import drawn, placed, scored

__all__ = ["MarkovChain"]


class MarkovChain(Distribution):
    r"""The joint law :math:`p(x_{0:N})` of a generative Markov chain (abstract).

    One value is a path ``[*batch, N + 1, *event]`` with the data first. Integrating q over :math:`x_{1:N}` gives one;
    :math:`\mathbb E_q[\log p(x_{0:N}) - \log q(x_{1:N} \mid x_0)] \le \log p(x_0)`, with equality for every path if every
    reverse kernel is exact.

    Args:
        process: The forward process.
        denoiser: From :math:`(x_t, t, \text{context})` to what ``_reverse`` and, at the last time, ``decoder`` take. It may
            have a ``context_shape``, and a tensor ``reference`` in the dtype and on the device of the states.
        grid: The times; it has to end at the data.
        prior: The law of :math:`x_N`; the process's own by default.
        decoder: From what the denoiser says at the last time to the law of the data.
        context: Shape ``[*batch, *context_shape]``, if the denoiser takes one.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the grid does not end at the data.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import GaussianChain, GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(20), torch.zeros(2), torch.tensor(1.0))
        >>> chain = GaussianChain(oracle, TimeGrid(20))
        >>> chain.log_prob(chain.sample((5,))).shape
        torch.Size([5])
    """

    def __init__(
        self,
        process: ForwardProcess,
        denoiser: Callable[..., Any],
        grid: TimeGrid,
        *,
        prior: TorchDistribution | None = None,
        decoder: Decoder | None = None,
        context: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if grid.time(0) != 0.0:
            raise ValueError(f"`grid` must end at the data, t = 0; it ends at t = {grid.time(0)}.")
        self.process = process
        self.denoiser = denoiser
        self.grid = grid
        self.prior = process.prior(grid.time(-1)) if prior is None else prior
        self.decoder: Decoder = default_decoder if decoder is None else decoder
        self.context = context
        rank = len(getattr(denoiser, "context_shape", None) or ())
        batch = torch.Size() if context is None else context.shape[: context.dim() - rank]
        self._context_rank = rank
        super().__init__(batch, torch.Size((len(grid) + 1, *process.event_shape)), validate_args=validate_args)

    # ------------------------------------------------------------------------------------------------------------- distribution

    @property
    def _rank(self) -> int:
        return len(self.process.event_shape)

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Constraint:
        """The support of the prior, for every state of the path."""
        inner = cast(Constraint, self.prior.support)
        return constraints.independent(inner, self._rank + 1 - inner.event_dim)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same chain with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        if self.context is not None:
            tail = self.context.shape[self.context.dim() - self._context_rank :]
            new.context = self.context.expand((*batch_shape, *tail))
        return new

    def start(self, shape: Sequence[int], like: Tensor | None = None) -> Tensor:
        """Draw the first state of generation, ``[*shape, *event]``.

        Args:
            shape: Of the batch.
            like: Gives dtype and device; by default those of the denoiser.
        """
        reference = self._reference(like)
        first = drawn(self._started(shape, reference))
        return first.to(reference) if first.is_floating_point() else first

    def _started(self, shape: Sequence[int], reference: Tensor) -> TorchDistribution:
        return placed(self.prior, reference).expand(torch.Size(shape))

    def _reference(self, like: Tensor | None) -> Tensor:
        """A floating-point tensor in the dtype and on the device of the states."""
        if like is not None and like.is_floating_point():
            return like
        reference: Tensor | None = getattr(self.denoiser, "reference", None)
        return torch.zeros(()) if reference is None else reference

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw paths ``[*sample_shape, *batch, N + 1, *event]``, data first, without gradients."""
        with torch.no_grad():
            states = [self.start((*sample_shape, *self.batch_shape))]
            for index in range(len(self.grid), 0, -1):
                states.append(drawn(self.kernel(states[-1], index)))
            return torch.stack(states[::-1], -1 - self._rank)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density of paths ``[*sample, *batch, N + 1, *event]`` in nats; all steps in one batched call of the denoiser."""
        self._check_shape(value)
        along = value.dim() - self._rank - 1
        total = scored(self.prior, value.select(along, len(self.grid)))
        total = total + scored(self.kernel(value.select(along, 1), 1), value.select(along, 0))
        if len(self.grid) > 1:
            noisy = value.narrow(along, 2, len(self.grid) - 1)
            total = total + scored(self._kernels(noisy), value.narrow(along, 1, len(self.grid) - 1)).sum(-1)
        return total

    # ------------------------------------------------------------------------------------------------------------------ kernels

    def kernel(self, x: Tensor, index: int) -> TorchDistribution:
        r"""The reverse kernel :math:`p(x_{i-1} \mid x_i)`.

        Args:
            x: States ``[*batch, *event]``.
            index: The step i from 1, which ends at the data, to N.

        Raises:
            ValueError: there is no such step.
        """
        if not 1 <= index <= len(self.grid):
            raise ValueError(f"`index` must lie in 1 .. {len(self.grid)}; got {index}.")
        denoised = self._denoised(x, self.grid.time(index), self.context)
        return self.decoder(denoised) if index == 1 else self._reverse(denoised, self.grid.time(index - 1))

    def _kernels(self, noisy: Tensor) -> TorchDistribution:
        """All kernels but the last, for states ``[*batch, N - 1, *event]`` at the times 2 .. N."""
        context = None if self.context is None else self.context.unsqueeze(self.context.dim() - self._context_rank)
        times = self.grid.times.to(noisy.device)
        return self._reverse(self._denoised(noisy, times[2:], context), times[1:-1])

    def _denoised(self, x: Tensor, t: Tensor | float, context: Tensor | None) -> Any:
        return self.denoiser(x, t) if context is None else self.denoiser(x, t, context)

    def _reverse(self, denoised: Any, s: Tensor | float) -> TorchDistribution:
        raise NotImplementedError(f"{type(self).__name__} does not define `_reverse`.")

    def posterior(self, x_0: Tensor) -> ForwardChain:
        r"""The law :math:`q(x_{1:N} \mid x_0)` of the path that leads to data ``[*batch, *event]``."""
        return ForwardChain(self.process, self.grid, x_0)

    # ----------------------------------------------------------------------------------------------------------------- programs

    def plate_size(self, x_0: Tensor | None, size: int | None = None) -> int:
        """The size of the plate "data" of the programs.

        Args:
            x_0: Data ``[size, *event]``, or None.
            size: The wanted size, where no data are given.

        Raises:
            ValueError: the data have another shape, or the plate is empty.
        """
        event = tuple(self.process.event_shape)
        if x_0 is not None and (tuple(x_0.shape[1:]) != event or x_0.dim() != len(event) + 1):
            raise ValueError(f"`x_0` must have shape [size, *{event}]; got {tuple(x_0.shape)}.")
        default = self.batch_shape[-1] if self.batch_shape else 1
        count = len(x_0) if x_0 is not None else default if size is None else size
        if count < 1:
            raise ValueError(f"the plate of the data must not be empty; got size {count}.")
        return count

    def model(self, x_0: Tensor | None = None, *, size: int | None = None) -> Tensor:
        r"""The chain as a Pyro model with one site for every state: ``x_N``, ..., ``x_1``, ``x_0`` (observed if given).

        The sites are named by their step: "x_1000" comes first, "x_0" is the data. All stand in a plate "data".

        Args:
            x_0: Data ``[size, *event]`` to condition on; None to generate.
            size: Size of the plate, where no data are given; by default that of the context's batch, or 1.

        Raises:
            ValueError: the data have another shape, or the plate is empty.
        """
        count = self.plate_size(x_0, size)
        with pyro.plate("data", count, dim=-1):
            x: Tensor = pyro.sample(f"x_{len(self.grid)}", self._started((count,), self._reference(x_0)))
            for index in range(len(self.grid), 1, -1):
                x = pyro.sample(f"x_{index - 1}", self.kernel(x, index))
            data: Tensor = pyro.sample("x_0", self.kernel(x, 1), obs=x_0)
        return data

    def guide(self, x_0: Tensor, *, size: int | None = None) -> None:
        r"""The fixed guide: :math:`q(x_N \mid x_0)`, then :math:`q(x_{i-1} \mid x_i, x_0)` in the order of the model.

        Args:
            x_0: Data ``[size, *event]``.
            size: Unused; as in :meth:`model`.
        """
        with pyro.plate("data", self.plate_size(x_0), dim=-1):
            x: Tensor = pyro.sample(f"x_{len(self.grid)}", self.process.marginal(x_0, self.grid.time(-1)))
            for index in range(len(self.grid), 1, -1):
                law = self.process.posterior(x, x_0, self.grid.time(index - 1), self.grid.time(index))
                x = pyro.sample(f"x_{index - 1}", law)

    def forward_guide(self, x_0: Tensor, *, size: int | None = None) -> None:
        r"""The same guide drawn forward, :math:`q(x_i \mid x_{i-1})` from the data on.

        It serves ``Trace_ELBO``, whose log-ratio does not depend on the order. ``TraceMeanField_ELBO`` would compare sites that
        condition on different states, a wrong number; with this guide it raises.

        Args:
            x_0: Data ``[size, *event]``.
            size: Unused; as in :meth:`model`.
        """
        with pyro.plate("data", self.plate_size(x_0), dim=-1):
            x = x_0
            for index in range(1, len(self.grid) + 1):
                law = self.process.transition(x, self.grid.time(index - 1), self.grid.time(index))
                x = pyro.sample(f"x_{index}", WithoutDivergence(law))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.grid}, event_shape={tuple(self.event_shape)})"

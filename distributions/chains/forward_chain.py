r"""The forward chain :math:`q(x_{1:N} \mid x_0)` as one distribution over paths, and the law that guards its order.

Along any path the forward product and the product of posteriors are the same number,

.. math:: \prod_{i=1}^N q(x_i \mid x_{i-1}) = q(x_N \mid x_0) \prod_{i=2}^N q(x_{i-1} \mid x_i, x_0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Self, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint
from torch.distributions.kl import register_kl

from probgen.distributions.base import Distribution
from probgen.distributions.chains.process import ForwardProcess
from probgen.distributions.chains.time_grid import TimeGrid
from probgen.distributions.chains.wrapped_law import WrappedLaw
from probgen.distributions.events import drawn, scored

__all__ = ["ForwardChain", "WithoutDivergence"]


class ForwardChain(Distribution):
    r"""The law :math:`q(x_{1:N} \mid x_0)` of the noisy states, given the data.

    One value is a path ``[*batch, N, *event]``, least noisy state first. Each state has the process's marginal.

    Args:
        process: The forward process.
        grid: The times :math:`0 = t_0 < \dots < t_N`.
        x_0: Data ``[*batch, *event]``.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the data have another event shape, or the grid does not begin at the data.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import ForwardChain, GaussianProcess, TimeGrid, linear_schedule
        >>> chain = ForwardChain(GaussianProcess(linear_schedule(10), (2,)), TimeGrid(10), torch.ones(4, 2))
        >>> chain.sample().shape, chain.log_prob(chain.sample()).shape
        (torch.Size([4, 10, 2]), torch.Size([4]))
    """

    def __init__(self, process: ForwardProcess, grid: TimeGrid, x_0: Tensor, *, validate_args: bool | None = None) -> None:
        rank = len(process.event_shape)
        cut = x_0.dim() - rank
        if cut < 0 or x_0.shape[cut:] != process.event_shape:
            raise ValueError(f"`x_0` must have event shape {tuple(process.event_shape)}; got {tuple(x_0.shape)}.")
        if grid.time(0) != 0.0:
            raise ValueError(f"`grid` must begin at the data, t = 0; it begins at t = {grid.time(0)}.")
        self.process = process
        self.grid = grid
        self.x_0 = x_0
        super().__init__(x_0.shape[:cut], torch.Size((len(grid), *process.event_shape)), validate_args=validate_args)

    @property
    def _rank(self) -> int:
        return len(self.process.event_shape)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the transitions can be reparameterized."""
        return self.x_0.is_floating_point()

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Constraint:
        """The support of the transitions, for every state of the path."""
        inner = cast(Constraint, self.process.marginal(self.x_0, self.grid.time(1)).support)
        return constraints.independent(inner, self._rank + 1 - inner.event_dim)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new.x_0 = self.x_0.expand((*batch_shape, *self.process.event_shape))
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw paths ``[*sample_shape, *batch, N, *event]``, least noisy state first, without gradients."""
        with torch.no_grad():
            return self._path(sample_shape, drawn)

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw paths ``[*sample_shape, *batch, N, *event]``, differentiable in the data."""
        return self._path(sample_shape, lambda law: law.rsample())

    def _path(self, sample_shape: Sequence[int], draw: Callable[[TorchDistribution], Tensor]) -> Tensor:
        x = self.x_0.expand((*sample_shape, *self.x_0.shape))
        states = []
        for index in range(1, len(self.grid) + 1):
            x = draw(self.process.transition(x, self.grid.time(index - 1), self.grid.time(index)))
            states.append(x)
        return torch.stack(states, -1 - self._rank)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density of paths ``[*sample, *batch, N, *event]`` in nats, shape ``[*sample, *batch]``."""
        self._check_shape(value)
        along = value.dim() - self._rank - 1
        start = self.x_0.expand((*value.shape[:along], *self.process.event_shape)).unsqueeze(along)
        before = torch.cat([start, value.narrow(along, 0, len(self.grid) - 1)], along)
        times = self.grid.times.to(value.device)
        return scored(self.process.transition(before, times[:-1], times[1:]), value).sum(-1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.grid}, event_shape={tuple(self.event_shape)})"


class WithoutDivergence(WrappedLaw):
    """Another law at a site whose divergence from the model's site would mean nothing; asking for it raises.

    Args:
        law: The law itself.
        validate_args: As in ``torch.distributions``.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.chains import WithoutDivergence
        >>> torch.distributions.kl_divergence(WithoutDivergence(dist.Normal(0.0, 1.0)), dist.Normal(0.0, 1.0))
        Traceback (most recent call last):
            ...
        ValueError: this guide draws forward in time: ...
    """


def _refuse(p: WithoutDivergence, q: torch.distributions.Distribution) -> NoReturn:
    raise ValueError(
        "this guide draws forward in time: at the same site the model conditions on a later state, so the divergence of the "
        "two is no term of the bound. Use `.guide`, which draws in the order of the model, or `Trace_ELBO`."
    )


register_kl(WithoutDivergence, torch.distributions.Distribution)(_refuse)

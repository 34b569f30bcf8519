r"""The generative chain over integers: discrete diffusion (D3PM) as a distribution and a Pyro model.

The chain is that of ``markov_chain`` with categorical kernels, so the bound, the model, the guide and the samplers are the
same.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.chains.categorical_denoiser import CategoricalDenoised, CategoricalDenoiser
from probgen.distributions.chains.categorical_process import CategoricalProcess
from probgen.distributions.chains.markov_chain import MarkovChain
from probgen.distributions.chains.time_grid import TimeGrid

__all__ = ["CategoricalChain"]


class CategoricalPaths(Constraint):
    """Paths ``[*batch, N + 1, *event]`` of states of which the first, the data, is none of the extra states."""

    is_discrete = True

    def __init__(self, process: CategoricalProcess) -> None:
        self.process = process
        self.event_dim = len(process.event_shape) + 1
        super().__init__()

    def check(self, value: Tensor) -> Tensor:
        """Whether each path is one, shape ``[*batch]``."""
        states = value.flatten(value.dim() - self.event_dim + 1) if self.event_dim > 1 else value.unsqueeze(-1)
        limit = torch.full(states.shape[-2:-1], self.process.states, device=value.device)
        limit = torch.where(torch.arange(len(limit), device=value.device) == 0, self.process.values, limit)
        inside = (states >= 0) & (states < limit.unsqueeze(-1)) & (states == states.floor())
        return inside.all(-1).all(-1)

    def __repr__(self) -> str:
        return f"CategoricalPaths(values={self.process.values}, states={self.process.states})"


class CategoricalChain(MarkovChain):
    r"""The joint law :math:`p(x_{0:N}) = p(x_N) \prod_i p(x_{i-1} \mid x_i)` over integers.

    Every kernel is :math:`\sum_k p(x_0 = k \mid x_i)\, q(x_{i-1} \mid x_i, x_0 = k)`, and the last is the denoiser's law
    itself. One value is a path ``[*batch, N + 1, *event]`` of integers, data first.

    Args:
        denoiser: The denoiser; it holds the forward process.
        grid: The times; it has to end at the data.
        prior: The law of :math:`x_N`; by default that of uniform data at the first time.
        context: Shape ``[*batch, *context_shape]``, if the network takes one.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the grid does not end at the data.

    References:
        Austin, Johnson, Ho, Tarlow, van den Berg (2021). Structured denoising diffusion models in discrete state-spaces.
        https://arxiv.org/abs/2107.03006

    Example:
        >>> import torch
        >>> from pyro.infer import Trace_ELBO
        >>> from probgen.distributions.chains import (
        ...     CategoricalChain,
        ...     CategoricalDenoiser,
        ...     CategoricalProcess,
        ...     IndependentValues,
        ...     TimeGrid,
        ... )
        >>> process = CategoricalProcess(3, (2,), "uniform")
        >>> oracle = IndependentValues(process, torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]).log())
        >>> chain, x = CategoricalChain(CategoricalDenoiser(oracle, process), TimeGrid(5)), torch.tensor([[0, 2]])
        >>> loss = Trace_ELBO().loss(chain.model, chain.guide, x)  # constant: the chain is exact
        >>> round(loss + float(oracle.data.log_prob(x)), 5)
        0.0
    """

    def __init__(
        self,
        denoiser: CategoricalDenoiser,
        grid: TimeGrid,
        *,
        prior: TorchDistribution | None = None,
        context: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(denoiser.process, denoiser, grid, prior=prior, context=context, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> Constraint:
        """Paths of states that begin with data."""
        return CategoricalPaths(cast(CategoricalProcess, self.process))

    def _reverse(self, denoised: Any, s: Tensor | float) -> TorchDistribution:
        process = cast(CategoricalProcess, self.process)
        return cast(CategoricalDenoised, denoised).reverse(process.schedule.level(s))

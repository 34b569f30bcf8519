r"""Discrete diffusion: a diffusion model of integers as a module.

The same chain as for continuous data, with categorical kernels: it is a Pyro model, the fixed forward process its guide, and
the ELBO of the two is the loss of training.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.diffusion.discrete_bound import CategoricalLoss
from probgen.distributions.chains import (
    CategoricalChain,
    CategoricalDenoiser,
    CategoricalKind,
    CategoricalProcess,
    JumpKernel,
    Schedule,
    TimeGrid,
)

__all__ = ["CategoricalDiffusion"]


class CategoricalDiffusion(nn.Module):
    r"""A diffusion model of integers :math:`0, \dots, K - 1` of one shape (D3PM).

    Args:
        network: A module from integer states ``[N, *event]``, log-SNR ``[N]`` and context to logits ``[N, *event, values]``.
            With "absorbing" jumps the states include the mask, the integer ``values``.
        values: Number K of values.
        event_shape: Shape of one datum.
        kind: Where jumps go: "absorbing", "uniform", "gaussian", or a ``JumpKernel``.
        schedule: Sets the keep probability; linear by default.
        grid: The times of the chain; an integer is that many equal steps.

    References:
        Austin, Johnson, Ho, Tarlow, van den Berg (2021). Structured denoising diffusion models in discrete state-spaces.
        https://arxiv.org/abs/2107.03006

    Example:
        >>> import torch
        >>> from pyro.infer import Trace_ELBO
        >>> from probgen.diffusion import CategoricalDiffusion
        >>> class Network(torch.nn.Module):
        ...     def forward(self, x, log_snr, context=None):
        ...         return torch.zeros(*x.shape, 3)
        >>> d = CategoricalDiffusion(Network(), values=3, event_shape=(4,), grid=10)
        >>> x = d.sample((2,))
        >>> x.shape, x.dtype, bool((x < 3).all())
        (torch.Size([2, 4]), torch.int64, True)
        >>> round(Trace_ELBO().loss(d.model, d.guide, x), 3)  # 8 log 3: nothing was learned, exactly
        8.789
    """

    def __init__(
        self,
        network: nn.Module,
        values: int,
        event_shape: Sequence[int],
        kind: CategoricalKind | JumpKernel = "absorbing",
        schedule: Schedule | None = None,
        grid: TimeGrid | int = 100,
    ) -> None:
        super().__init__()
        self.denoiser = CategoricalDenoiser(network, CategoricalProcess(values, event_shape, kind, schedule))
        self.grid = TimeGrid(grid) if isinstance(grid, int) else grid

    @property
    def process(self) -> CategoricalProcess:
        """The forward process."""
        return self.denoiser.process

    @property
    def event_shape(self) -> torch.Size:
        """Shape of one datum."""
        return self.process.event_shape

    def chain(self, context: Tensor | None = None) -> CategoricalChain:
        """The joint law of data and noisy states, given a context ``[*batch, *context_shape]`` if the network takes one."""
        return CategoricalChain(self.denoiser, self.grid, context=context)

    def model(self, x_0: Tensor | None = None, context: Tensor | None = None, *, size: int | None = None) -> Tensor:
        """The chain as a Pyro model: a site for every state, "x_N" first and the data "x_0" last.

        Args:
            x_0: Integers ``[size, *event]`` to condition on; None to generate.
            context: Shape ``[size, *context_shape]``, if the network takes one.
            size: Size of the plate "data", where no data are given.
        """
        return self.chain(context).model(x_0, size=size)

    def guide(self, x_0: Tensor, context: Tensor | None = None, *, size: int | None = None) -> None:
        """The fixed guide of :meth:`model`: the forward process, drawn in the order of the model.

        Args:
            x_0: Integers ``[size, *event]``.
            context: Unused; as in :meth:`model`.
            size: Unused; as in :meth:`model`.
        """
        self.chain(context).guide(x_0, size=size)

    def loss(self, auxiliary: float = 0.001) -> CategoricalLoss:
        """The objective of training, for ``infer.fit``; see ``CategoricalLoss``.

        Args:
            auxiliary: Weight of the cross-entropy of the data given a noisy state; zero leaves the bound itself.
        """
        return CategoricalLoss(self, auxiliary)

    def sample(
        self, sample_shape: Sequence[int] = torch.Size(), context: Tensor | None = None, *, grid: TimeGrid | None = None
    ) -> Tensor:
        """Draw integers ``[*sample_shape, *batch, *event]`` by the chain's kernels, with the batch of the context.

        Args:
            sample_shape: Shape of the draws.
            context: Shape ``[*batch, *context_shape]``, if the network takes one.
            grid: Other times than those of the model, for instance ``d.grid.respaced(10)``.
        """
        chain = CategoricalChain(self.denoiser, self.grid if grid is None else grid, context=context)
        with torch.no_grad():
            x = chain.start((*sample_shape, *chain.batch_shape))
            for index in range(len(chain.grid), 0, -1):
                x = chain.kernel(x, index).sample()
        return x

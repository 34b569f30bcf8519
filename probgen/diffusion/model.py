r"""A diffusion model as a module: a denoiser, the chain it makes on a grid of times, and what one does with them.

The chain is a Pyro model, the fixed forward process its guide; the loss of training, the samplers and the exact likelihood are
other views of the same denoiser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pyro
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.diffusion.conditioning import Conditional, LinearObservation, condition
from probgen.diffusion.diffusion_law import DiffusionLaw
from probgen.diffusion.flow import probability_flow
from probgen.diffusion.objectives import (
    ConsistencyLoss,
    ContinuousBoundLoss,
    DenoisingLoss,
    HybridLoss,
    ProgressiveDistillationLoss,
    ScoreMatchingLoss,
    flow_matching_loss,
)
from probgen.diffusion.report import BitsReport, bits_report
from probgen.diffusion.samplers.methods import SamplingMethods
from probgen.distributions.bijectors import Bijector
from probgen.distributions.chains import (
    Decoder,
    Denoiser,
    GaussianChain,
    GaussianProcess,
    NetworkDenoiser,
    Parameterization,
    PosteriorSpread,
    Schedule,
    TimeGrid,
)

__all__ = ["Diffusion"]


class Diffusion(SamplingMethods):
    r"""A diffusion model of data of one shape.

    Args:
        network: A module from x ``[N, *event]``, log-SNR ``[N]`` and context to ``[N, *event]``, or a ready ``Denoiser``.
        schedule: The noise schedule.
        event_shape: Shape of one datum.
        grid: The times of the chain; an integer is that many equal steps.
        parameterization: What the network predicts, see ``NetworkDenoiser``.
        spread: What the denoiser knows beyond the mean, which makes the variance of a step; a point mass by default.
        data_std: Standard deviation of the data.
        decoder: The law of the data given the least noisy state, see ``probgen.distributions.chains.decoders``.
        prior: The law of the noisiest state; by default that of unit-variance data.

    Raises:
        ValueError: a ready denoiser has another schedule or event shape, the grid does not end at the data, or no signal is
            left at its first time and the network predicts the noise or the score.

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models. https://arxiv.org/abs/2006.11239

    Example:
        >>> import torch
        >>> from pyro.infer import Trace_ELBO
        >>> import probgen as pg
        >>> class Network(torch.nn.Module):
        ...     def forward(self, x, log_snr, context=None):
        ...         return 0.1 * x
        >>> d = pg.diffusion.Diffusion(Network(), pg.diffusion.cosine_schedule(), event_shape=(2,), grid=10)
        >>> x = torch.randn(3, 2)
        >>> Trace_ELBO().differentiable_loss(d.model, d.guide, x).shape
        torch.Size([])
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        event_shape: Sequence[int],
        grid: TimeGrid | int = 1000,
        *,
        parameterization: Parameterization = "v",
        spread: PosteriorSpread | None = None,
        data_std: float = 1.0,
        decoder: Decoder | None = None,
        prior: TorchDistribution | None = None,
    ) -> None:
        super().__init__()
        self.grid = grid if isinstance(grid, TimeGrid) else TimeGrid(grid)
        if self.grid.time(0) != 0.0:
            raise ValueError(f"`grid` must end at the data, t = 0; it ends at t = {self.grid.time(0)}.")
        if isinstance(network, Denoiser):
            if network.schedule is not schedule or network.event_shape != tuple(event_shape):
                raise ValueError("a ready denoiser must have the same `schedule` and `event_shape` as the model.")
            self.denoiser: Denoiser = network
        else:
            self.denoiser = NetworkDenoiser(
                network,
                schedule,
                event_shape,
                parameterization=parameterization,
                spread=spread,
                data_std=data_std,
                grid=self.grid,
            )
        self.denoiser.coefficients(schedule.level(self.grid.time(-1)))  # some parameterizations cannot begin without signal
        self.decoder = decoder
        self._prior = prior

    @property
    def schedule(self) -> Schedule:
        """The noise schedule."""
        return self.denoiser.schedule

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one datum."""
        return tuple(self.denoiser.event_shape)

    @property
    def process(self) -> GaussianProcess:
        """The forward process."""
        return self.denoiser.process

    @property
    def prior(self) -> TorchDistribution:
        """The law of the noisiest state, over events of :attr:`event_shape`."""
        return self.process.prior(self.grid.time(-1)) if self._prior is None else self._prior

    # -------------------------------------------------------------------------------------------------------------------- chain

    def chain(self, context: Tensor | None = None) -> GaussianChain:
        """The joint law of data and noisy states, given a context ``[*batch, *context_shape]`` if the network takes one."""
        return GaussianChain(self.denoiser, self.grid, prior=self.prior, decoder=self.decoder, context=context)

    def model(self, x_0: Tensor | None = None, context: Tensor | None = None, *, size: int | None = None) -> Tensor:
        """The chain as a Pyro model: a site for every state, "x_N" first and the data "x_0" last.

        Args:
            x_0: Data ``[size, *event]`` to condition on; None to generate.
            context: Shape ``[size, *context_shape]``, if the network takes one.
            size: Size of the plate "data", where no data are given; by default that of the context's batch, or 1.

        Raises:
            ValueError: the data have another shape, or the plate is empty.
        """
        return self.chain(context).model(x_0, size=size)

    def guide(self, x_0: Tensor, context: Tensor | None = None, *, size: int | None = None) -> None:
        """The fixed guide of :meth:`model`: the forward process, drawn in the order of the model.

        Args:
            x_0: Data ``[size, *event]``.
            context: Unused; as in :meth:`model`.
            size: Unused; as in :meth:`model`.
        """
        self.chain(context).guide(x_0, size=size)

    def forward(self, x_t: Tensor, t: Tensor | float, context: Tensor | None = None) -> TorchDistribution:
        """The law of the data given noisy data; see ``Denoiser``."""
        denoised: TorchDistribution = self.denoiser(x_t, t, context)
        return denoised

    # --------------------------------------------------------------------------------------------------------------- objectives

    def denoising_loss(self, weighting: str = "simple", **options: Any) -> DenoisingLoss:
        r"""The loss that trains the denoiser, for ``infer.fit``; see ``objectives.DenoisingLoss``.

        Args:
            weighting: "simple", "elbo" (the chain's own bound), "v", "x0", "min-snr", "p2", "likelihood", ...
            options: ``times``, ``correct_times`` and ``context_dropout``.
        """
        return DenoisingLoss(self, weighting, **options)

    def hybrid_loss(self, weighting: str = "simple", **options: Any) -> HybridLoss:
        r"""The loss that also trains a learned variance; see ``objectives.HybridLoss``.

        Args:
            weighting: Of the part that trains the mean.
            options: ``bound_weight``, ``times`` and ``context_dropout``.
        """
        return HybridLoss(self, weighting, **options)

    def continuous_bound_loss(self, **options: Any) -> ContinuousBoundLoss:
        """The bound of infinitely many steps; see ``objectives.ContinuousBoundLoss``.

        Args:
            options: ``times``.
        """
        return ContinuousBoundLoss(self, **options)

    def score_matching_loss(self, divergence: Literal["exact", "sliced"] = "sliced", **options: Any) -> ScoreMatchingLoss:
        """Implicit or sliced score matching; see ``objectives.ScoreMatchingLoss``.

        Args:
            divergence: "exact" or "sliced".
            options: ``weighting``, ``num_slices``, ``sliced_norm`` and ``times``.
        """
        return ScoreMatchingLoss(self, divergence, **options)

    def flow_matching_loss(self, **options: Any) -> DenoisingLoss:
        """Conditional flow matching on the straight path; see ``objectives.flow_matching_loss``.

        Args:
            options: ``times``, ``correct_times`` and ``context_dropout``.
        """
        return flow_matching_loss(self, **options)

    def consistency_loss(self, teacher: Denoiser | None = None, **options: Any) -> ConsistencyLoss:
        """Consistency training, or distillation from a teacher; see ``objectives.ConsistencyLoss``.

        Args:
            teacher: A trained denoiser, or None.
            options: ``intervals``, ``times``, ``ratio_min``, ``ratio_max`` and ``rho``.
        """
        return ConsistencyLoss(self, teacher, **options)

    def progressive_distillation_loss(self, teacher: Denoiser, **options: Any) -> ProgressiveDistillationLoss:
        """One step for two of a teacher; see ``objectives.ProgressiveDistillationLoss``.

        Args:
            teacher: A trained denoiser.
            options: ``weighting`` and ``times``.
        """
        return ProgressiveDistillationLoss(self, teacher, **options)

    # ----------------------------------------------------------------------------------------------------------------- samplers

    def probability_flow(self, *, stop: float | None = None, denoiser: Denoiser | None = None, **options: Any) -> Bijector:
        """The bijector from noise to data: ``TransformedDistribution(d.prior, d.probability_flow())``.

        Args:
            stop: The time of the data, above 0.
            denoiser: Another denoiser than the model's.
            options: For ``ContinuousFlow``.
        """
        start = self.grid.time(-1)
        return probability_flow(self.denoiser if denoiser is None else denoiser, start=start, stop=stop, **options)

    # ------------------------------------------------------------------------------------------------------------- conditioning

    def condition(
        self,
        observation: LinearObservation | Tensor | Mapping[str, Tensor],
        method: str = "smc",
        *,
        context: Tensor | None = None,
        grid: TimeGrid | int | None = None,
        **options: Any,
    ) -> Conditional:
        """The law of the data given what was seen of them, with a label ``bias`` that says what it is worth; see ``condition``.

        Args:
            observation: A linear observation, or data with NaN for what is not known, as they are or as ``{"x_0": data}``.
            method: "smc" (exact in the limit of particles) or one of the others.
            context: Shape ``[*batch, *context_shape]``, if the network takes one.
            grid: Other times than those of the model, or a number of steps, which are then equal in t. That is another chain
                with another evidence: for a model on a log-SNR grid pass a shorter one of that kind.
            options: Those of the method.
        """
        times = self.grid if grid is None else TimeGrid(grid) if isinstance(grid, int) else grid
        prior = self.prior if grid is None else self._prior
        chain = GaussianChain(self.denoiser, times, prior=prior, decoder=self.decoder, context=context)
        return condition(chain, observation, method, **options)

    # ---------------------------------------------------------------------------------------------------------- law of the data

    def distribution(
        self, sampler: Callable[..., Tensor] | None = None, *, context: Tensor | None = None, **options: Any
    ) -> DiffusionLaw:
        """The law of the data as a distribution, for one ``pyro.sample`` site; see ``DiffusionLaw``.

        Args:
            sampler: What draws from it, such as ``ddim(steps=20)`` of this model; ancestral sampling by default.
            context: Shape ``[*batch, *context_shape]``, if the network takes one.
            options: ``allow_estimate``, ``times`` and ``path_rows``.
        """
        return DiffusionLaw(self, sampler, context=context, **options)

    def single_site_model(self, x_0: Tensor | None = None, context: Tensor | None = None, *, size: int | None = None) -> Tensor:
        """The chain as a Pyro model with the data as its only site: the noisy states are integrated out by the bound.

        The site "x_0" in the plate "data" scores one random step for each datum. In expectation that is the ELBO of
        :meth:`model` with :meth:`guide`, at one evaluation of the network instead of one for every step; plates and
        ``poutine.scale`` act as usual.

        Args:
            x_0: Data ``[size, *event]`` to condition on; None to generate.
            context: Shape ``[size, *context_shape]``, if the network takes one.
            size: Size of the plate, where no data are given; by default that of the context's batch, or 1.

        Raises:
            ValueError: the data have another shape, or the plate is empty.
        """
        count = self.chain(context).plate_size(x_0, size)
        with pyro.plate("data", count, dim=-1):
            law = self.distribution(context=context, allow_estimate=True)
            x: Tensor = pyro.sample("x_0", law.expand([count]), obs=x_0)
        return x

    def bits_report(self, x: Tensor, context: Tensor | None = None, **options: Any) -> BitsReport:
        """The bound in bits per dimension term by term, and the rate–distortion curve; see ``bits_report``.

        Args:
            x: Data ``[n, *event]``, at least two.
            context: Shape ``[n, *context_shape]``, if the network takes one.
            options: ``quantization``, ``num_draws``, ``rows`` and ``seed``.
        """
        return bits_report(self, x, context, **options)

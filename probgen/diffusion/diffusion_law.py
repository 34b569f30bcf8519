r"""The law of the data under a diffusion model, as one distribution for one ``pyro.sample`` site.

Its density is an integral over paths, :math:`p(x_0) = \int p(x_{0:N})\,\mathrm dx_{1:N}`, with no closed form. Two bounds are
at hand:

* one term: :math:`L_N + N L_{i-1}` at one random step, cheap, differentiable, the training form;
* whole paths: with n paths :math:`x^{(k)}_{1:N} \sim q(\cdot \mid x_0)`, in expectation

  .. math::

      \log \frac1n \sum_{k=1}^n \frac{p(x_0, x^{(k)}_{1:N})}{q(x^{(k)}_{1:N} \mid x_0)} \;\le\; \log p(x_0),

  which rises with n and is exact for every path if the reverse kernels are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.diffusion.objectives import DenoisingLoss, TimeSampler
from probgen.distributions.base import Distribution
from probgen.distributions.chains import Denoised
from probgen.distributions.estimate import DensityUnavailable, Estimate, LogProbKind, log_mean_exp_estimate
from probgen.distributions.events import placed, scored
from probgen.distributions.quantization import BinCenters

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["DiffusionLaw"]


class DiffusionLaw(Distribution):
    r"""The law of :math:`x_0`; ``Diffusion.distribution`` builds it.

    Over events of the model's shape; the batch is that of the context. ``log_prob`` raises unless estimates are allowed, as
    one does at a training site; evaluate with ``log_prob_estimate``. A sampler other than the chain's own draws from another
    law than the one that is bounded, since it follows other kernels: the bounds are always those of the chain.

    Args:
        diffusion: The model.
        sampler: From noise ``[n, *event]`` (and a context ``[n, *context_shape]``, if there is one) to data; None: ancestral
            sampling through the chain.
        context: Shape ``[*batch, *context_shape]``, if the network takes one.
        allow_estimate: Let ``log_prob`` return the negative loss of one random step for each datum.
        times: Draws the steps of :meth:`bound`; uniform and stratified by default.
        path_rows: How many states the network sees at once when whole paths are weighed.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: ``path_rows`` is not positive.
        ContextError: a missing, mis-sized or unused context, when the network is first called.

    References:
        Burda, Grosse, Salakhutdinov (2016). Importance weighted autoencoders. https://arxiv.org/abs/1509.00519

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions.chains import GaussianDenoiser
        >>> schedule = pg.diffusion.linear_schedule(20, 0.1, 0.5)
        >>> oracle = GaussianDenoiser(schedule, torch.zeros(1).double(), torch.tensor(1.0).double())
        >>> d = pg.diffusion.Diffusion(oracle, schedule, event_shape=(1,), grid=20)
        >>> p, x = d.distribution(), torch.tensor([[0.3]]).double()
        >>> p.log_prob_kind, round(float(p.log_prob_estimate(x).value - oracle.data.log_prob(x)), 10)  # an exact chain
        ('lower', 0.0)
    """

    log_prob_kind: LogProbKind = "lower"

    def __init__(
        self,
        diffusion: Diffusion,
        sampler: Callable[..., Tensor] | None = None,
        *,
        context: Tensor | None = None,
        allow_estimate: bool = False,
        times: TimeSampler | None = None,
        path_rows: int = 4096,
        validate_args: bool | None = None,
    ) -> None:
        if path_rows < 1:
            raise ValueError(f"`path_rows` must be at least 1; got {path_rows}.")
        self.diffusion = diffusion
        self.sampler = sampler
        self.context = context
        self.allow_estimate = allow_estimate
        self.times = times
        self.path_rows = path_rows
        self._context_rank = len(diffusion.denoiser.context_shape or ())
        batch = () if context is None else context.shape[: context.dim() - self._context_rank]
        super().__init__(torch.Size(batch), torch.Size(diffusion.event_shape), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Constraint:
        """That of the decoder: the real numbers, or the levels of a discretized one."""
        quantization = getattr(self.diffusion.decoder, "quantization", None)
        inner = constraints.real if quantization is None else BinCenters(quantization)
        return constraints.independent(inner, len(self.event_shape))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        if self.context is not None:
            tail = self.context.shape[self.context.dim() - self._context_rank :]
            new.context = self.context.expand(*batch_shape, *tail)
        return new

    # ----------------------------------------------------------------------------------------------------------------- sampling

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw data ``[*sample_shape, *batch, *event]`` without gradients."""
        shape = (*sample_shape, *self.batch_shape)
        context = self._context(shape)
        with torch.no_grad():
            chain = self.diffusion.chain(context)
            x = chain.start(shape)
            if self.sampler is not None:
                flat = x.reshape(-1, *self.event_shape)
                given = () if context is None else (context.reshape(-1, *context.shape[len(shape) :]),)
                return self.sampler(flat, *given).reshape(x.shape)
            for index in range(len(self.diffusion.grid), 0, -1):
                x = chain.kernel(x, index).sample()
            return x

    def _context(self, shape: Sequence[int]) -> Tensor | None:
        if self.context is None:
            return None
        return self.context.expand(*shape, *self.context.shape[self.context.dim() - self._context_rank :])

    # --------------------------------------------------------------------------------------------------------------- likelihood

    def log_prob(self, value: Tensor) -> Tensor:
        """The bound at one random step for each datum, ``[*sample, *batch]`` in nats, if the object allows estimates.

        Raises:
            DensityUnavailable: built without ``allow_estimate=True``.
        """
        if not self.allow_estimate:
            raise DensityUnavailable(
                type(self).__name__,
                "the density of a chain is an integral over paths",
                "`.log_prob_estimate(x, n)` to evaluate, `.bound(x)` to train, build it with `allow_estimate=True`, or take "
                "the probability flow as a `TransformedDistribution`",
            )
        return self.bound(value)

    def bound(self, value: Tensor) -> Tensor:
        """An unbiased estimate of the chain's ELBO from one random step for each datum, to train, ``[*sample, *batch]``."""
        self._check_shape(value)
        x, context = self._with_context(value)
        return -DenoisingLoss(self.diffusion, "elbo", times=self.times).per_datum(x, context)

    def log_prob_estimate(self, value: Tensor, num_draws: int = 1) -> Estimate:
        """Estimate the log-density from below by whole paths; without gradients.

        Args:
            value: Data ``[*sample, *batch, *event]``.
            num_draws: Paths for each datum.

        Raises:
            ValueError: ``num_draws`` is not positive.
        """
        self._check_shape(value)
        if num_draws < 1:
            raise ValueError(f"`num_draws` must be at least 1; got {num_draws}.")
        x, context = self._with_context(value)
        with torch.no_grad():
            return log_mean_exp_estimate(torch.stack([self._path_weight(x, context) for _ in range(num_draws)]))

    def _with_context(self, value: Tensor) -> tuple[Tensor, Tensor | None]:
        batch = torch.broadcast_shapes(value.shape[: value.dim() - len(self.event_shape)], self.batch_shape)
        return value.expand(*batch, *self.event_shape), self._context(batch)

    def _path_weight(self, x_0: Tensor, context: Tensor | None) -> Tensor:
        """The log-ratio of model and forward process on one drawn path of every datum, ``[*batch]``."""
        chain = self.diffusion.chain(context)
        forward = chain.posterior(x_0)
        rank = len(self.event_shape)
        path = forward.sample().movedim(-1 - rank, 0)  # [N, *batch, *event], least noisy first
        total = scored(placed(chain.prior, x_0), path[-1]) + scored(chain.kernel(path[0], 1), x_0)
        length = max(1, self.path_rows // max(1, x_0.shape[: x_0.dim() - rank].numel()))
        for first in range(1, len(path), length):
            total = total + self._segment(path, first, min(first + length, len(path)), context)
        return total - scored(forward, path.movedim(0, -1 - rank))

    def _segment(self, path: Tensor, first: int, stop: int, context: Tensor | None) -> Tensor:
        """Log-density of the steps from the states ``first`` .. ``stop - 1`` of a path, in one call of the network."""
        batch_dim = path.dim() - 1 - len(self.event_shape)
        times = self.diffusion.grid.times.to(path.device).reshape(-1, *(1,) * batch_dim)
        given = None if context is None else context.expand(stop - first, *context.shape)
        denoised = cast(Denoised, self.diffusion.denoiser(path[first:stop], times[first + 1 : stop + 1], given))
        kernels = denoised.reverse(self.diffusion.schedule.level(times[first:stop]))
        return scored(kernels, path[first - 1 : stop - 1]).sum(0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.diffusion.grid}, event_shape={tuple(self.event_shape)})"

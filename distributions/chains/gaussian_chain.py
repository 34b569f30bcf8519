r"""The generative chain of Gaussian transitions: diffusion as a hierarchical latent-variable model with a fixed encoder."""

from __future__ import annotations

from typing import Any, cast

from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.chains.decoders import Decoder
from probgen.distributions.chains.denoised import Denoised
from probgen.distributions.chains.denoiser import Denoiser
from probgen.distributions.chains.markov_chain import MarkovChain
from probgen.distributions.chains.time_grid import TimeGrid

__all__ = ["GaussianChain"]


class GaussianChain(MarkovChain):
    r"""The joint law :math:`p(x_{0:N}) = p(x_N) \prod_i p(x_{i-1} \mid x_i)` whose reverse kernels follow from a denoiser.

    Every kernel is :math:`p(x_{i-1} \mid x_i) = \int q(x_{i-1} \mid x_i, x_0)\, p(x_0 \mid x_i)\,\mathrm dx_0`, so the variance
    of a step is what the denoiser knows about :math:`x_0`. One value is a path ``[*batch, N + 1, *event]``, data first.

    Args:
        denoiser: The denoiser; its schedule is that of the chain.
        grid: The times; it has to end at the data.
        prior: The law of :math:`x_N`; by default that of unit-variance data at the first time.
        decoder: From what the denoiser says at the last time to the law of the data; see ``decoders``.
        context: Shape ``[*batch, *context_shape]``, if the denoiser takes one.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the grid does not end at the data.
        ContextError: a missing, mis-sized or unused context, when the denoiser is first called.

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models. https://arxiv.org/abs/2006.11239

    Example:
        >>> import pyro, torch
        >>> from pyro.infer import Trace_ELBO
        >>> from probgen.distributions.chains import GaussianChain, GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(20, 0.1, 0.5), torch.zeros(1).double(), torch.tensor(1.0).double())
        >>> chain, x = GaussianChain(oracle, TimeGrid(20)), torch.tensor([[0.3]]).double()
        >>> loss = Trace_ELBO().loss(chain.model, chain.guide, x)  # constant: the chain is exact
        >>> round(loss + float(oracle.data.log_prob(x)), 12)
        0.0
    """

    def __init__(
        self,
        denoiser: Denoiser,
        grid: TimeGrid,
        *,
        prior: TorchDistribution | None = None,
        decoder: Decoder | None = None,
        context: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(
            denoiser.process, denoiser, grid, prior=prior, decoder=decoder, context=context, validate_args=validate_args
        )

    def _reverse(self, denoised: Any, s: Tensor | float) -> TorchDistribution:
        return cast(Denoised, denoised).reverse(cast(Denoiser, self.denoiser).schedule.level(s))

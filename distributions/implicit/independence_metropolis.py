r"""Corrected laws by a Metropolis–Hastings chain whose proposals do not depend on where it is.

From :math:`x_0 \sim q`, every step proposes :math:`x' \sim q` and moves there with probability

.. math:: \min\Bigl(1, \frac{p^*(x')\, q(x)}{p^*(x)\, q(x')}\Bigr) = \min\bigl(1, e^{r(x') - r(x)}\bigr),

in which :math:`q` and :math:`Z` cancel: a generator without density will do. The law :math:`q e^r / Z` is invariant, and where
:math:`e^r / Z \le M` the distance in total variation after :math:`k` steps is at most :math:`(1 - 1/M)^k` (Mengersen, Tweedie).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from probgen.distributions._checks import values_readable
from probgen.distributions.events import over_event
from probgen.distributions.implicit.corrected import CorrectedDistribution

__all__ = ["ChainDraws", "IndependenceMetropolis"]


class ChainDraws(NamedTuple):
    """Where independent chains ended, and how they moved.

    Attributes:
        value: The last states.
        acceptance: The share of proposals that each chain accepted, ``[*sample, *batch]``; 0 for one that never moved.

    Example:
        >>> import torch
        >>> from probgen.distributions.implicit import ChainDraws
        >>> ChainDraws(torch.zeros(2), torch.tensor([0.5, 0.0])).acceptance
        tensor([0.5000, 0.0000])
    """

    value: Tensor
    acceptance: Tensor


class IndependenceMetropolis(CorrectedDistribution):
    r"""A law corrected by an independence Metropolis–Hastings chain (the sampler of MH-GAN); every draw has its own chain.

    Args:
        proposal: The law that is corrected, from which chains also start.
        log_ratio: From events ``[*sample, *batch, *event]`` to log-ratios ``[*sample, *batch]``: a ``DensityRatio``, say.
        num_steps: Steps of the chain; with 0 the draws are those of the proposal.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: ``num_steps`` is negative.

    References:
        Mengersen, Tweedie (1996). Rates of convergence of the Hastings and Metropolis algorithms.
        https://doi.org/10.1214/aos/1033066201

        Turner, Hung, Frank, Saatci, Yosinski (2019). Metropolis–Hastings generative adversarial networks.
        https://arxiv.org/abs/1811.11357

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.implicit import IndependenceMetropolis
        >>> _ = torch.manual_seed(0)
        >>> law = IndependenceMetropolis(dist.Normal(1.0, 1.0), lambda x: 0.5 - x, num_steps=50)  # N(0, 1)
        >>> chains = law.chain((4000,))
        >>> bool(chains.value.mean().abs() < 0.1), bool((chains.acceptance.mean() - 0.48).abs() < 0.05)
        (True, True)
    """

    def __init__(
        self,
        proposal: torch.distributions.Distribution,
        log_ratio: Callable[[Tensor], Tensor],
        num_steps: int = 100,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if num_steps < 0:
            raise ValueError(f"`num_steps` must not be negative; got {num_steps}.")
        self.num_steps = num_steps
        super().__init__(proposal, log_ratio, validate_args=validate_args)

    def chain(self, sample_shape: tuple[int, ...] = ()) -> ChainDraws:
        """Run independent chains; without gradients.

        Args:
            sample_shape: Shape of the draws.

        Raises:
            ValueError: a chain has met nothing but ratios that are NaN.
        """
        shape, rank = torch.Size(sample_shape), len(self.event_shape)
        with torch.no_grad():
            value = self.proposal.sample(shape)
            ratio = self._ratio_at(value)
            lost = ratio.isnan() & (self.num_steps > 0)
            ratio = torch.where(lost, -torch.inf, ratio)  # what begins at NaN leaves it for any number
            moves = torch.zeros_like(ratio)
            for _ in range(self.num_steps):
                other = self.proposal.sample(shape)
                theirs = self._ratio_at(other)
                accepted = torch.rand_like(ratio).log() < theirs - ratio  # NaN compares as not accepted
                value = torch.where(over_event(accepted, rank, like=accepted), other, value)
                ratio = torch.where(accepted, theirs, ratio)
                moves, lost = moves + accepted, lost & ~accepted
            if values_readable(lost) and bool(lost.any()):
                raise ValueError("`log_ratio` must not be NaN at all draws of the proposal; it is for some chains.")
            return ChainDraws(value, moves / max(self.num_steps, 1))

    def _draw(self, shape: torch.Size) -> Tensor:
        return self.chain(shape).value

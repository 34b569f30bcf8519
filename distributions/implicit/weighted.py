r"""Draws of one law, weighted to stand for another: self-normalized importance sampling.

For :math:`p^* = q\, e^{r} / Z` and draws :math:`x_i \sim q` with :math:`w_i = e^{r(x_i)}`,

.. math:: \mathbb E_{p^*}[f] \approx \sum_i \bar w_i f(x_i), \quad \bar w_i = \frac{w_i}{\sum_j w_j}, \qquad
    Z \approx \frac1N \sum_i w_i, \qquad
    \mathrm{ESS} = \frac{1}{\sum_i \bar w_i^2}, \quad \frac{\mathrm{ESS}}N \to \frac{1}{1 + \chi^2(p^* \,\|\, q)} .

The estimate of :math:`Z` is unbiased, so that its logarithm is a lower bound of :math:`\log Z` in expectation. The share of
draws that count tends to :math:`e^{-1} = 0.3679` for :math:`p^* = \mathcal N(0, 1)` from :math:`q = \mathcal N(1, 1)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.distributions.estimate import Estimate, log_mean_exp_estimate
from probgen.distributions.numerics.resampling import effective_sample_size

__all__ = ["WeightedDraws"]


@dataclass(frozen=True)
class WeightedDraws:
    r"""Draws of a proposal with log-weights.

    Attributes:
        value: Draws, ``[n, *batch, *event]``.
        log_weights: :math:`\log w_i` up to a constant, ``[n, *batch]``.

    References:
        Kong (1992). A note on importance sampling using standardized weights. University of Chicago, technical report 348.

        Azadi et al. (2019). Discriminator rejection sampling. https://arxiv.org/abs/1810.06758

    Example:
        >>> import torch
        >>> from probgen.distributions.implicit import WeightedDraws
        >>> draws = WeightedDraws(torch.tensor([0.0, 1.0]), torch.tensor([0.25, 0.75]).log())
        >>> draws.expectation(lambda x: x)[0], draws.effective_sample_size
        (tensor(0.7500), tensor(1.6000))
    """

    value: Tensor
    log_weights: Tensor

    @property
    def log_normalizer(self) -> Estimate:
        r""":math:`\log Z` in nats, ``[*batch]``, of kind "lower"."""
        return log_mean_exp_estimate(self.log_weights)

    @property
    def effective_sample_size(self) -> Tensor:
        """How many draws of the target these are worth, ``[*batch]``."""
        return effective_sample_size(self.log_weights)

    @property
    def efficiency(self) -> Tensor:
        """The effective sample size by the number of draws, ``[*batch]``."""
        return self.effective_sample_size / len(self.log_weights)

    def expectation(self, function: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """The mean of a function under the target, and its standard error.

        Args:
            function: From ``[n, *batch, *event]`` to ``[n, *batch, *shape]``.

        Returns:
            Both ``[*batch, *shape]``; the error is that of the linearized ratio of means.
        """
        of = function(self.value)
        share = self.log_weights.softmax(0)
        share = share.reshape(*share.shape, *(1,) * (of.dim() - share.dim()))
        mean = (share * of).sum(0)
        return mean, (share * (of - mean)).square().sum(0).sqrt()

    def resampled(self, num_draws: int) -> Tensor:
        """Draws with replacement, by weight: ``[num_draws, *batch, *event]``, independent given these.

        Args:
            num_draws: How many.

        Raises:
            ValueError: no draw has any weight.
        """
        share = self.log_weights.movedim(0, -1).softmax(-1)
        if not bool(share.isfinite().all()):
            raise ValueError("`log_weights` must be finite for at least one draw, and not NaN.")
        rows = share.reshape(-1, share.shape[-1])
        some = len(rows) and num_draws
        index = torch.multinomial(rows, num_draws, replacement=True) if some else rows.new_empty(0, num_draws).long()
        index = index.mT.reshape(num_draws, *self.log_weights.shape[1:])
        return taken(self.value, index)


def taken(value: Tensor, index: Tensor) -> Tensor:
    """Entries along the first dimension, chosen for each element of the batch.

    Args:
        value: Shape ``[n, *batch, *event]``.
        index: Shape ``[m, *batch]``.

    Returns:
        Shape ``[m, *batch, *event]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.implicit.weighted import taken
        >>> taken(torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1, 0]]))
        tensor([[3, 2]])
    """
    rank = value.dim() - index.dim()
    spread = index.reshape(*index.shape, *(1,) * rank).expand(*index.shape, *value.shape[index.dim() :])
    return value.gather(0, spread)

r"""The test of typicality: are these data, taken together, as likely as usual data are - no less, and no more?

In many dimensions nearly all draws of a law have about the same log-density, its negative entropy, and the mode is far above
all of them. So a low density is not what makes data unusual, and a high one does not make them usual. With log-densities of
:math:`M` data, their mean is compared with that of usual data,

.. math:: \epsilon = \Bigl| -\frac1M \sum_{m=1}^M \log p(x_m) - \hat H \Bigr|, \qquad
    \hat H = -\frac1N \sum_{n=1}^N \log p(x'_n),

and the chance of a deviation as large is that of :math:`M` usual data drawn anew (the bootstrap). More data are tested more
sharply: deviations shrink like :math:`1 / \sqrt M`. A single datum can only be tested weakly, and data of another kind whose
densities happen to have the same mean are not found at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["TypicalityReport", "typicality_test"]


@dataclass(frozen=True, repr=False)
class TypicalityReport:
    """What a test of typicality found; prints as one line.

    Attributes:
        deviation: The distance of the mean log-density from that of usual data, nats.
        side: "too likely" or "too unlikely": on which side of usual data.
        p_value: The chance of a deviation as large for as many usual data.
        num_tested: How many data were tested together.

    Example:
        >>> from probgen.metrics import TypicalityReport
        >>> TypicalityReport(3.2, "too likely", 0.001, 10)
        3.2 nats too likely, p-value 0.001, 10 data together
    """

    deviation: float
    side: str
    p_value: float
    num_tested: int

    def __repr__(self) -> str:
        return f"{self.deviation:.3g} nats {self.side}, p-value {self.p_value:.2g}, {self.num_tested} data together"


def typicality_test(log_prob: Tensor, usual: Tensor, *, resamples: int = 999, seed: int = 0) -> TypicalityReport:
    r"""Test whether data are typical of a law, by their log-densities under it.

    Args:
        log_prob: Log-densities of the data in question, ``[M]``, nats.
        usual: Log-densities of usual data that the law was not trained on, ``[N]``.
        resamples: How often M usual data are drawn with replacement. The p-value is at least ``1 / (resamples + 1)``.
        seed: Of these draws.

    Returns:
        Deviation, side and p-value.

    Raises:
        ValueError: there are no data, fewer than two usual ones, no resamples, a log-density is NaN, or one of the
            usual data is not finite.

    References:
        Nalisnick, Matsukawa, Teh, Lakshminarayanan (2019). Detecting out-of-distribution inputs to deep generative models
        using typicality. https://arxiv.org/abs/1906.02994

    Example:
        >>> import torch
        >>> from probgen.metrics import typicality_test
        >>> law = torch.distributions.Normal(torch.zeros(100), 1.0)
        >>> _ = torch.manual_seed(0)
        >>> usual, mode = law.log_prob(torch.randn(2000, 100)).sum(1), law.log_prob(torch.zeros(1, 100)).sum(1)
        >>> typicality_test(mode, usual)
        50 nats too likely, p-value 0.001, 1 data together
    """
    if log_prob.dim() != 1 or usual.dim() != 1 or len(log_prob) < 1 or len(usual) < 2 or resamples < 1:
        raise ValueError(
            "`log_prob` and `usual` must be vectors of at least one and two numbers, and `resamples` positive; "
            f"got {tuple(log_prob.shape)}, {tuple(usual.shape)} and {resamples}."
        )
    if bool(log_prob.isnan().any()) or not bool(usual.isfinite().all()):
        raise ValueError("`log_prob` must not be NaN, and `usual` must be finite.")
    scores, reference = log_prob.detach().double(), usual.detach().double()
    center = reference.mean()
    difference = scores.mean() - center
    generator = torch.Generator(device=reference.device).manual_seed(seed)
    number = len(scores)
    means = torch.stack(
        [
            reference[torch.randint(len(reference), (number,), generator=generator, device=reference.device)].mean()
            for _ in range(resamples)
        ]
    )
    as_large = int(((means - center).abs() >= difference.abs()).sum())
    side = "too likely" if difference > 0 else "too unlikely"
    return TypicalityReport(float(difference.abs()), side, (1 + as_large) / (resamples + 1), number)

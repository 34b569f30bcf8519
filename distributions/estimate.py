r"""What evaluating a log-density returns when the answer is not exact, and the error when there is none.

Every distribution declares a ``log_prob_kind``. By Jensen's inequality an unbiased estimate
:math:`\hat p` of the density obeys

.. math::

    \mathbb E[\log \hat p(x)] \le \log \mathbb E[\hat p(x)] = \log p(x),

so the logarithm of an unbiased estimate of the *density* is a lower bound of the log-density, and only an estimate of
:math:`\log p` itself may be called unbiased.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

__all__ = ["DensityUnavailable", "Estimate", "EstimateKind", "LogProbKind", "log_mean_exp_estimate", "mean_estimate"]

LogProbKind = Literal["exact", "unbiased", "lower", "none"]
"""What a distribution's ``log_prob`` is: the log-density, an unbiased estimate of it, a lower bound, or not available."""

EstimateKind = Literal["exact", "unbiased", "lower", "upper"]
"""How the expectation of an estimate compares with the log-density."""


class DensityUnavailable(NotImplementedError):
    """A log-density was asked for that the distribution cannot evaluate exactly.

    Args:
        owner: Name of the distribution.
        why: Why there is no exact density.
        instead: What to call.

    Example:
        >>> from probgen.distributions import DensityUnavailable
        >>> print(DensityUnavailable("Generator", "it is implicit", "`.sample()` with a divergence"))
        Generator has no exact `log_prob`: it is implicit. Use `.sample()` with a divergence.
    """

    def __init__(self, owner: str, why: str, instead: str) -> None:
        super().__init__(f"{owner} has no exact `log_prob`: {why}. Use {instead}.")


@dataclass(frozen=True, repr=False)
class Estimate:
    r"""A log-density, its standard error, and what its expectation is.

    Attributes:
        value: The estimate in nats, shape ``[*batch]``.
        stderr: Its Monte Carlo standard error, same shape; zero if exact, NaN if a single draw cannot tell.
        kind: How :math:`\mathbb E[\mathrm{value}]` compares with :math:`\log p`: "exact", "unbiased", "lower" or "upper".

    Example:
        >>> import torch
        >>> from probgen.distributions import Estimate
        >>> Estimate(torch.tensor(-1.5), torch.tensor(0.02), "lower")
        Estimate(>= -1.5000 ± 0.0200 nats)
    """

    value: Tensor
    stderr: Tensor
    kind: EstimateKind

    def __repr__(self) -> str:
        mark = {"exact": "= ", "unbiased": "~ ", "lower": ">= ", "upper": "<= "}[self.kind]
        if self.value.numel() == 1:
            error = "" if self.kind == "exact" else f" ± {self.stderr.item():.4f}"
            return f"Estimate({mark}{self.value.item():.4f}{error} nats)"
        mean, spread = self.mean()
        return f"Estimate(shape {tuple(self.value.shape)}, mean {mark}{mean:.4f} ± {spread:.4f} nats)"

    def mean(self) -> tuple[float, float]:
        """Mean over the batch and its standard error, which the spread of the data dominates; in nats."""
        values = self.value.detach().double().flatten()
        if values.numel() < 2:
            return float(values.mean()), float(self.stderr.detach().double().mean())
        return float(values.mean()), float(values.std() / math.sqrt(values.numel()))


def log_mean_exp_estimate(log_weights: Tensor) -> Estimate:
    r"""Turn log importance weights into a lower-bound estimate of the log of their expectation.

    The value is :math:`\log \frac1n \sum_i w_i`; its standard error, by the delta method, is
    :math:`\mathrm{sd}(w) / (\sqrt n\, \bar w)`.

    Args:
        log_weights: Log-weights :math:`\log w_i`, shape ``[n, *batch]``, n >= 1.

    Raises:
        ValueError: there are no draws.

    References:
        Burda, Grosse, Salakhutdinov (2016). Importance weighted autoencoders. https://arxiv.org/abs/1509.00519

    Example:
        >>> import torch
        >>> from probgen.distributions.estimate import log_mean_exp_estimate
        >>> log_mean_exp_estimate(torch.tensor([0.0, 1.0]))
        Estimate(>= 0.6201 ± 0.4621 nats)
    """
    count = log_weights.shape[0]
    if count < 1:
        raise ValueError("`log_weights` must hold at least one draw; got none.")
    value = torch.logsumexp(log_weights, 0) - math.log(count)
    return Estimate(value, _stderr_of_mean((log_weights.detach() - value.detach()).exp()), "lower")


def mean_estimate(terms: Tensor, kind: EstimateKind) -> Estimate:
    r"""The mean of independent estimates of one number, with its standard error, :math:`\mathrm{sd} / \sqrt n`.

    Args:
        terms: Estimates in nats, shape ``[n, *batch]``, n >= 1.
        kind: What the expectation of each of them is.

    Raises:
        ValueError: there are no estimates.

    Example:
        >>> import torch
        >>> from probgen.distributions.estimate import mean_estimate
        >>> mean_estimate(torch.tensor([1.0, 2.0, 3.0]), "unbiased")
        Estimate(~ 2.0000 ± 0.5774 nats)
    """
    if not len(terms):
        raise ValueError("`terms` must hold at least one estimate; got none.")
    return Estimate(terms.mean(0), _stderr_of_mean(terms.detach()), kind)


def _stderr_of_mean(terms: Tensor) -> Tensor:
    """The standard error of the mean over the first dimension; NaN of a single term."""
    count = len(terms)
    if count == 1:
        return torch.full_like(terms[0], math.nan)
    spread = ((terms - terms.mean(0)).square().sum(0) / (count - 1)).sqrt()  # `std` warns of empty batches
    return spread / math.sqrt(count)

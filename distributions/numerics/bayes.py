r"""Bayes' rule for finitely many classes.

.. math:: \log p(k \mid x) = \log p(x \mid k) + \log p(k) - \log \sum_j p(x \mid j)\, p(j)
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.distributions._checks import values_readable

__all__ = ["log_posterior"]


def log_posterior(log_likelihood: Tensor, prior: Tensor | None = None) -> Tensor:
    """Log-probabilities of classes from the log-density that each gives to the same data.

    Args:
        log_likelihood: Shape ``[*batch, K]``, nats; the last axis goes over the classes.
        prior: Frequencies ``[K]``, not negative, normalized here; None for equal ones. A class of frequency 0 gets minus
            infinity.

    Returns:
        Normalized log-probabilities ``[*batch, K]``.

    Raises:
        ValueError: the prior has another shape, a negative number, or only zeros.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.bayes import log_posterior
        >>> log_posterior(torch.tensor([0.0, 0.0]), torch.tensor([3.0, 1.0])).exp()
        tensor([0.7500, 0.2500])
    """
    if prior is None:
        return log_likelihood.log_softmax(-1)
    if prior.shape != log_likelihood.shape[-1:]:
        raise ValueError(f"`prior` must have the shape {list(log_likelihood.shape[-1:])}; got {list(prior.shape)}.")
    if values_readable(prior) and not bool((prior >= 0).all() & (prior.sum() > 0)):
        raise ValueError(f"`prior` must not be negative, and not zero everywhere; got {prior.tolist()}.")
    share = (prior / prior.sum()).to(log_likelihood)
    return torch.log_softmax(log_likelihood + share.log(), -1)

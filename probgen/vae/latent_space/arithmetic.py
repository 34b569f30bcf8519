r"""Arithmetic on laws of latents: A' - A + B with its uncertainty, attribute vectors, shifts.

An encoder gives laws, not points, and normal laws add in closed form: for independent :math:`z_i \sim \mathcal N(\mu_i,
\operatorname{diag} \sigma_i^2)`,

.. math::

    \sum_i w_i z_i \sim \mathcal N\Bigl(\sum_i w_i \mu_i,\; \operatorname{diag} \sum_i w_i^2 \sigma_i^2\Bigr).

So the analogy "A is to A' as B is to ?", :math:`A' - A + B`, has a law: its mean is what arithmetic on means gives, and its
variance, the *sum* of the three, says how far the answer is to be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.events import coordinates, normal_over_event

__all__ = ["analogy", "attribute_vector", "combine", "shift"]


def combine(laws: Sequence[TorchDistribution], weights: Sequence[float]) -> TorchDistribution:
    r"""The law of :math:`\sum_i w_i z_i` for independent normal latents.

    Args:
        laws: Normal laws of independent coordinates over the same events; their batch shapes broadcast.
        weights: One number w for each.

    Returns:
        A normal law over the same events.

    Raises:
        ValueError: there is no law, the numbers of laws and weights differ, events differ, or a law is not normal.

    Example:
        >>> import pyro.distributions as dist
        >>> from probgen.vae.latent_space import combine
        >>> law = combine([dist.Normal(3.0, 0.3), dist.Normal(1.0, 0.4)], [1.0, -1.0])
        >>> law.mean, law.stddev
        (tensor(2.), tensor(0.5000))
    """
    if not laws or len(laws) != len(weights):
        raise ValueError(f"`laws` and `weights` must be as many, at least one; got {len(laws)} and {len(weights)}.")
    events = {tuple(law.event_shape) for law in laws}
    if len(events) > 1:
        raise ValueError(f"`laws` must be over events of one shape; got {sorted(events)}.")
    moments = [_moments(law) for law in laws]
    mean = sum((w * m for w, (m, _) in zip(weights, moments, strict=True)), torch.zeros_like(moments[0][0]))
    variance = sum((w**2 * v for w, (_, v) in zip(weights, moments, strict=True)), torch.zeros_like(moments[0][1]))
    return normal_over_event(mean, variance.sqrt(), len(laws[0].event_shape))


def analogy(changed: TorchDistribution, original: TorchDistribution, other: TorchDistribution) -> TorchDistribution:
    """The law of A' - A + B: what B becomes if it is changed as A was changed to A'.

    The three laws count as independent, as the encoder's laws of three data are.

    Args:
        changed: The law of A'.
        original: The law of A.
        other: The law of B.

    Returns:
        A normal law over the same events.

    Raises:
        ValueError: events differ, or a law is not normal.

    References:
        Mikolov, Yih, Zweig (2013). Linguistic regularities in continuous space word representations.
        https://aclanthology.org/N13-1090/

    Example:
        >>> import pyro.distributions as dist
        >>> from probgen.vae.latent_space import analogy
        >>> law = analogy(dist.Normal(5.0, 0.1), dist.Normal(2.0, 0.1), dist.Normal(1.0, 0.1))
        >>> law.mean, law.variance
        (tensor(4.), tensor(0.0300))
    """
    return combine([changed, original, other], [1.0, -1.0, 1.0])


def attribute_vector(present: TorchDistribution, absent: TorchDistribution) -> TorchDistribution:
    r"""The law of the difference between the mean latents of data with and without an attribute.

    With n data of a kind, encoded as :math:`\mathcal N(\mu_i, \sigma_i^2)`, the mean latent is known up to the standard error
    :math:`\sqrt{s^2/n}` where :math:`s^2` is the variance of the aggregate, :math:`\mathrm{Var}(\mu_i) +
    \overline{\sigma_i^2}`.

    Args:
        present: The encoder's laws of data with the attribute, batch shape ``[n]``.
        absent: Those of data without it, batch shape ``[m]``.

    Returns:
        A normal law of the vector, without batch shape; its standard deviations are standard errors.

    Raises:
        ValueError: fewer than two data of a kind, or a law is not normal.

    References:
        Larsen, Sønderby, Larochelle, Winther (2016). Autoencoding beyond pixels using a learned similarity metric.
        https://arxiv.org/abs/1512.09300

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.vae.latent_space import attribute_vector
        >>> smiling, serious = (dist.Normal(torch.tensor(means), 0.1) for means in ([2.0, 4.0], [0.0, 1.0]))
        >>> attribute_vector(smiling, serious).mean
        tensor(2.5000)
    """
    parts = []
    for name, law in (("present", present), ("absent", absent)):
        if len(law.batch_shape) != 1 or law.batch_shape[0] < 2:
            raise ValueError(f"`{name}` must have one batch dimension of at least two data; got {tuple(law.batch_shape)}.")
        mean, variance = _moments(law)
        parts.append((mean.mean(0), (mean.var(0) + variance.mean(0)) / len(mean)))
    (with_it, error), (without, other_error) = parts
    return normal_over_event(with_it - without, (error + other_error).sqrt(), len(present.event_shape))


def shift(law: TorchDistribution, vector: Tensor, strength: float = 1.0) -> TorchDistribution:
    r"""The law moved along a vector: :math:`z + s v`.

    Args:
        law: A normal law of independent coordinates.
        vector: Direction and length v, ``[*latent]``, for instance the mean of an attribute vector.
        strength: How far s; negative numbers take the attribute away.

    Returns:
        The normal law with the mean moved and the variance kept.

    Raises:
        ValueError: the law is not normal.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.vae.latent_space import shift
        >>> shift(dist.Normal(1.0, 0.5), torch.tensor(2.0), strength=-1.0)
        Normal(loc: -1.0, scale: 0.5)
    """
    mean, variance = _moments(law)
    return normal_over_event(mean + strength * vector, variance.sqrt(), len(law.event_shape))


def _moments(law: TorchDistribution) -> tuple[Tensor, Tensor]:
    normal = coordinates(law)
    if not isinstance(normal, torch.distributions.Normal):
        raise ValueError(  # noqa: TRY004  (a law of another kind is a wrong value)
            f"latents must have normal laws with independent coordinates to be added; got {type(law).__name__}."
        )
    return normal.mean, normal.variance

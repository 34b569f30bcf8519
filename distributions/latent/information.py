r"""What an approximate posterior tells about the data: rate, mutual information, the aggregate posterior, active units.

Draw a datum uniformly from N data and its latents from the encoder, :math:`q(x_i, z) = \tfrac1N q(z \mid x_i)`. The law of the
latents is then the *aggregate posterior* :math:`q(z) = \tfrac1N \sum_i q(z \mid x_i)`, and the mean divergence that the bound
pays, the *rate*, splits into two terms that are never negative:

.. math::

    \underbrace{\frac1N \sum_i \mathrm{KL}\bigl(q(z \mid x_i) \,\|\, p(z)\bigr)}_{\text{rate}}
    = \underbrace{\mathbb E_{q(x, z)} \log \frac{q(z \mid x)}{q(z)}}_{I_q(x; z) \;\le\; \log N}
    + \underbrace{\mathrm{KL}\bigl(q(z) \,\|\, p(z)\bigr)}_{\text{marginal divergence}} .

The first says how well a code tells its datum from the others; since :math:`q(z) \ge \tfrac1N q(z \mid x_i)`, no set of N data
can show more than :math:`\log N` nats. The second says how badly draws from the prior imitate codes. A posterior that has
*collapsed* onto the prior has a rate of zero, so both vanish.

References:
    Hoffman, Johnson (2016). ELBO surgery. http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
    Burda, Grosse, Salakhutdinov (2016). Importance weighted autoencoders. https://arxiv.org/abs/1509.00519
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.estimate import Estimate
from probgen.distributions.events import coordinates, drawn, placed, reference_draw
from probgen.distributions.latent.divergence import closed_form_divergence

__all__ = ["RateTerms", "active_units", "aggregate_posterior", "rate_terms", "unit_activity", "unit_divergences"]


class RateTerms(NamedTuple):
    """The rate of an encoder and what it consists of, in nats; ``rate = mutual_information + marginal_divergence``.

    Attributes:
        rate: Mean over the data of KL(q(z|x) || p(z)).
        mutual_information: Between datum and code, at most log N.
        marginal_divergence: KL(q(z) || p(z)) of the aggregate posterior from the prior.

    Example:
        >>> import torch
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.latent import rate_terms
        >>> terms = rate_terms(standard_normal(2).expand((5,)), standard_normal(2))  # collapsed
        >>> [round(float(term.value), 6) for term in terms]
        [0.0, 0.0, 0.0]
    """

    rate: Estimate
    mutual_information: Estimate
    marginal_divergence: Estimate


def aggregate_posterior(posterior: TorchDistribution) -> TorchDistribution:
    r"""The equal mixture :math:`q(z) = \tfrac1N \sum_i q(z \mid x_i)` of N posteriors.

    Args:
        posterior: The encoder's law for N data, with batch shape ``[N]``.

    Returns:
        A distribution over latents with batch shape (); one evaluation costs N of the encoder's law.

    Raises:
        ValueError: the batch shape is not ``[N]``, or there are no data.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.latent import aggregate_posterior
        >>> q = aggregate_posterior(dist.Normal(torch.tensor([-2.0, 2.0]), 1.0))
        >>> q.batch_shape, q.mean
        (torch.Size([]), tensor(0.))
    """
    _require_one_batch_dim(posterior)
    logits = reference_draw(posterior).new_zeros(posterior.batch_shape[0])
    return cast(TorchDistribution, dist.MixtureSameFamily(dist.Categorical(logits=logits), posterior))


def rate_terms(
    posterior: TorchDistribution,
    prior: TorchDistribution,
    *,
    aggregate: TorchDistribution | None = None,
    num_draws: int = 1,
    rows: int = 256,
) -> RateTerms:
    r"""Split the rate of N data into mutual information and marginal divergence.

    The rate is exact where its divergences have a closed form; the mutual information is the mean of
    :math:`\log q(z \mid x_i) - \log q(z)` over draws, each of which is at most :math:`\log N`; the marginal
    divergence is the rest. As an estimate for *all* data, of which these N are a sample, that of the mutual information is
    a lower bound.

    Args:
        posterior: The encoder's law for N data, with batch shape ``[N]``.
        prior: The law of one latent.
        aggregate: The law q(z), where it is known (say, by the moments of the data); by default the mixture of the N.
        num_draws: Draws of the latents for each datum.
        rows: How many draws are compared with all N posteriors at once, which bounds the memory.

    Returns:
        Three estimates, scalars in nats. Standard errors are those of the draws, given the data; with a single draw for each
        datum they contain the spread over the data, too.

    Raises:
        ValueError: the batch shape is not ``[N]``, there are no data, or ``num_draws`` or ``rows`` is not positive.

    References:
        Hoffman, Johnson (2016). ELBO surgery. http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
        Poole, Ozair, van den Oord, Alemi, Tucker (2019). On variational bounds of mutual information.
        https://arxiv.org/abs/1905.06922

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.latent import rate_terms
        >>> far_apart = dist.Normal(torch.tensor([-50.0, 50.0]), 1.0)  # the code tells which of the two it is: log 2
        >>> terms = rate_terms(far_apart, dist.Normal(0.0, 50.0))
        >>> terms.mutual_information, terms.rate
        (Estimate(~ 0.6931 ± 0.0000 nats), Estimate(= 3.9122 nats))
    """
    _require_one_batch_dim(posterior)
    if num_draws < 1 or rows < 1:
        raise ValueError(f"`num_draws` and `rows` must be at least 1; got {num_draws} and {rows}.")
    with torch.no_grad():
        z = drawn(posterior, (num_draws,))
        prior = placed(prior, z)
        rate = closed_form_divergence(posterior, prior)
        information = None if aggregate is None else closed_form_divergence(posterior, aggregate)
        log_q = posterior.log_prob(z)
        if information is None:
            information = log_q - _in_rows(aggregate or aggregate_posterior(posterior), z, rows)
        if rate is None:
            rate = log_q - _in_rows(prior, z, rows)
        return RateTerms(_averaged(rate), _averaged(information), _averaged(rate - information))


def unit_divergences(posterior: TorchDistribution, prior: TorchDistribution) -> Tensor:
    r"""The rate of every latent unit: the mean over the data of :math:`\mathrm{KL}(q(z_j \mid x) \,\|\, p(z_j))`.

    Args:
        posterior: The encoder's law, with independent coordinates and batch shape ``[*batch]``.
        prior: The law of one latent, with independent coordinates.

    Returns:
        Shape ``[*latent]``, in nats; their sum is the rate.

    Raises:
        ValueError: the coordinates of a law are not independent, or their divergence has no closed form; then there is no such
            number for a unit.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.latent import unit_divergences
        >>> q = dist.Normal(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), 1.0).to_event(1)  # the second unit says nothing
        >>> unit_divergences(q, standard_normal(2))
        tensor([0.5000, 0.0000])
    """
    rank = len(posterior.event_shape)
    q, p = _coordinates("posterior", posterior), _coordinates("prior", placed(prior, posterior.mean))
    divergence = closed_form_divergence(q, p)
    if divergence is None:
        raise ValueError(f"the divergence of a unit of {type(q).__name__} from {type(p).__name__} has no closed form.")
    count = posterior.batch_shape.numel()
    return divergence.reshape(count, *divergence.shape[divergence.dim() - rank :]).mean(0)


def unit_activity(posterior: TorchDistribution, num_draws: int | None = None) -> Tensor:
    r"""How much every latent unit's posterior mean varies over the data, :math:`\mathrm{Var}_x\, \mathbb E_{q(z \mid x)}[z_j]`.

    Args:
        posterior: The encoder's law for N data, with batch shape ``[N]``.
        num_draws: None to use the law's mean. A number of draws, two at least, for laws whose mean is not known: the variance
            of their averages less the part that the noise within a datum explains, which is unbiased and may be negative.

    Returns:
        Shape ``[*latent]``.

    Raises:
        ValueError: the batch shape is not ``[N]`` with at least two data, or there are too few draws.

    References:
        Burda, Grosse, Salakhutdinov (2016). Importance weighted autoencoders. https://arxiv.org/abs/1509.00519

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.latent import unit_activity
        >>> unit_activity(dist.Normal(torch.tensor([[1.0, 0.5], [-1.0, 0.5]]), 1.0).to_event(1))
        tensor([1., 0.])
    """
    _require_one_batch_dim(posterior, least=2)
    with torch.no_grad():
        if num_draws is None:
            return posterior.mean.var(0, unbiased=False)
        if num_draws < 2:
            raise ValueError(f"`num_draws` must be at least 2, to tell noise from signal; got {num_draws}.")
        return variance_of_means(posterior.sample(torch.Size((num_draws,))))


def active_units(posterior: TorchDistribution, *, threshold: float = 0.01, num_draws: int | None = None) -> Tensor:
    r"""Which latent units are used: those whose activity is above a threshold.

    Args:
        posterior: The encoder's law for N data, with batch shape ``[N]``.
        threshold: In squared units of the latents; 0.01 is usual for a standard normal prior.
        num_draws: As in :func:`unit_activity`.

    Returns:
        Boolean, shape ``[*latent]``.

    References:
        Burda, Grosse, Salakhutdinov (2016). Importance weighted autoencoders. https://arxiv.org/abs/1509.00519

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.latent import active_units
        >>> active_units(dist.Normal(torch.tensor([[1.0, 0.5], [-1.0, 0.5]]), 1.0).to_event(1))
        tensor([ True, False])
    """
    return unit_activity(posterior, num_draws) > threshold


def variance_of_means(draws: Tensor) -> Tensor:
    """The variance over the data of the mean behind draws ``[m, n, *units]``: that of averages, less what noise adds to it.

    A single draw (m = 1) counts as the mean itself. Otherwise the result, ``[*units]``, is unbiased and may be negative.
    """
    num_draws, count = draws.shape[:2]
    variance = draws.mean(0).var(0, unbiased=False)
    return variance if num_draws == 1 else variance - draws.var(0).mean(0) / num_draws * (1 - 1 / count)


# ---------------------------------------------------------------------------------------------------------------------- helpers


def _in_rows(law: TorchDistribution, z: Tensor, rows: int) -> Tensor:
    """The log-density of every draw ``[m, n, *latent]`` under one law, in passes of ``rows`` draws."""
    flat = z.flatten(0, 1)
    return torch.cat([law.log_prob(part) for part in flat.split(rows)]).reshape(z.shape[:2])


def _averaged(terms: Tensor) -> Estimate:
    """The mean over draws and data; terms ``[n]`` are exact, of terms ``[m, n]`` the draws within a datum tell the error."""
    if terms.dim() == 1:
        return Estimate(terms.mean(), torch.zeros_like(terms.mean()), "exact")
    draws, data = terms.shape
    spread = terms.var(0).mean() if draws > 1 else terms.var() if data > 1 else torch.full_like(terms.mean(), math.nan)
    return Estimate(terms.mean(), (spread / (draws * data)).sqrt(), "unbiased")


def _coordinates(name: str, law: TorchDistribution) -> TorchDistribution:
    """The law of every coordinate, the event moved into the batch."""
    found = coordinates(law)
    if found is None:
        raise ValueError(f"`{name}` must have independent coordinates; those of {type(law).__name__} may depend on each other.")
    return found


def _require_one_batch_dim(posterior: TorchDistribution, least: int = 1) -> None:
    shape = tuple(posterior.batch_shape)
    if len(shape) != 1 or shape[0] < least:
        raise ValueError(f"`posterior` must have batch shape [N] with N >= {least} data; got batch shape {shape}.")

r"""What can be done with the noise of an implicit law: paths between draws, means of draws that share something, arithmetic.

A generator was trained on noise of one law. In d dimensions standard normal noise has a length of about :math:`\sqrt d`, and a
sum :math:`z_1 - z_2 + z_3` of three independent ones :math:`\sqrt{3 d}`, a mean of k of them :math:`\sqrt{d / k}`: the
generator has never seen such noise. So paths are arcs, and results of arithmetic are brought back to the length :math:`\sqrt
d` unless that is declined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from probgen.distributions import ImplicitDistribution
from probgen.distributions.numerics.interpolation import linear, spherical
from probgen.distributions.numerics.noise_arithmetic import combined_noise, typical_length

__all__ = ["combined_noise", "draws_between", "mean_noise", "typical_length"]


def draws_between(
    law: ImplicitDistribution, start: Tensor, end: Tensor, weights: Sequence[float] | Tensor, *, arc: bool = True
) -> Tensor:
    """What the generator makes of noise on the way from one noise to another.

    Args:
        law: The law, with its context bound where it has one.
        start: Noise ``[*batch, *base_event]``.
        end: Noise of the same shape.
        weights: K numbers, 0 at the start and 1 at the end.
        arc: Go along an arc, as standard normal noise wants; False: along the segment.

    Returns:
        Draws ``[K, *batch, *event]``.

    References:
        White (2016). Sampling generative networks. https://arxiv.org/abs/1609.04468

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.gan import draws_between
        >>> law = ImplicitDistribution(standard_normal(2), torch.nn.Identity(), (2,))
        >>> draws_between(law, torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), [0.0, 0.5, 1.0]).norm(dim=1)
        tensor([1., 1., 1.])
    """
    rank = len(law.base_dist.event_shape)
    path = spherical(start, end, weights, event_dim=rank) if arc else linear(start, end, weights)
    return law.generate(path)


def mean_noise(
    law: ImplicitDistribution, score: Callable[[Tensor], Tensor], *, num_draws: int = 1000, num_kept: int = 30
) -> Tensor:
    """The mean noise of the draws that score highest: what an attribute looks like on the side of the noise.

    One draw with an attribute has much else; in the mean of several the rest averages out.

    Args:
        law: A law without batch shape (bind one context at most).
        score: From draws ``[num_draws, *event]`` to numbers ``[num_draws]``, a classifier's log-probability of a class, say.
        num_draws: How many draws to look at.
        num_kept: How many of them to keep.

    Returns:
        Shape ``[*base_event]``, not rescaled.

    Raises:
        ValueError: the law has a batch shape, more draws are kept than made, or there is no score for each.

    References:
        Radford, Metz, Chintala (2016). Unsupervised representation learning with deep convolutional generative adversarial
        networks, section 6.3.2. https://arxiv.org/abs/1511.06434

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.gan import mean_noise
        >>> _ = torch.manual_seed(0)
        >>> law = ImplicitDistribution(standard_normal(3), torch.nn.Identity(), (3,))
        >>> high = mean_noise(law, lambda x: x[:, 0])  # the best 3 %
        >>> bool(high[0] > 2), bool(high[1:].abs().max() < 0.8)
        (True, True)
    """
    if law.batch_shape:
        raise ValueError(f"`law` must have no batch shape; got {tuple(law.batch_shape)}.")
    if not 1 <= num_kept <= num_draws:
        raise ValueError(f"`num_kept` must be in 1, ..., `num_draws`; got {num_kept} of {num_draws}.")
    with torch.no_grad():
        noise = law.base_dist.sample(torch.Size((num_draws,)))
        scores = score(law.generate(noise))
        if scores.shape != (num_draws,):
            raise ValueError(f"`score` must return one number for each of {num_draws} draws; got {tuple(scores.shape)}.")
        return noise[scores.topk(num_kept).indices].mean(0)

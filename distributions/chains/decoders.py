r"""The last step of a chain, :math:`p(x_0 \mid x_{t_1})`, as an explicit choice.

At the data the reverse variance vanishes, so a denoiser that reports a point mass gives no density. A decoder turns what the
denoiser says at the last time into a law of the data whose likelihood means something for the data at hand: a normal law for
continuous data, a discretized one for integers.
"""

from __future__ import annotations

from collections.abc import Callable

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.chains.denoised import Denoised
from probgen.distributions.events import normal_over_event, over_event

__all__ = ["Decoder", "NormalDecoder", "default_decoder"]

Decoder = Callable[[Denoised], TorchDistribution]
"""From what the denoiser says at the last time to the law of the data."""


class NormalDecoder:
    r"""A normal law around the posterior mean.

    Args:
        scale: Its standard deviation; by default :math:`\sigma/\sqrt{\alpha^2 + \sigma^2}`, the spread of unit-variance data.

    Raises:
        ValueError: the scale is not positive.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.chains import Denoised, NormalDecoder, linear_schedule
        >>> denoised = Denoised(dist.Delta(torch.zeros(2), event_dim=1), torch.ones(2), linear_schedule().level(0.001))
        >>> NormalDecoder()(denoised).stddev  # the root of beta_1
        tensor([0.0100, 0.0100])
    """

    def __init__(self, scale: float | None = None) -> None:
        self.scale = checked_scale(scale)

    def __call__(self, denoised: Denoised) -> TorchDistribution:
        """The law of the data."""
        return normal_over_event(denoised.mean, decoder_scale(denoised, self.scale), len(denoised.event_shape))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.scale is None else self.scale})"


def checked_scale(scale: float | None) -> float | None:
    """The standard deviation of a decoder, if it is one.

    Args:
        scale: A positive number, or None.

    Raises:
        ValueError: it is not positive.

    Example:
        >>> from probgen.distributions.chains.decoders import checked_scale
        >>> checked_scale(0.1), checked_scale(None)
        (0.1, None)
    """
    if scale is not None and not scale > 0:
        raise ValueError(f"`scale` must be positive; got {scale}.")
    return scale


def decoder_scale(denoised: Denoised, scale: float | None) -> Tensor:
    r"""The standard deviation of a decoder, broadcasting with the event: a given one, or the spread of unit-variance data.

    Args:
        denoised: What the denoiser says at the last time.
        scale: The standard deviation, or None for :math:`\sigma/\sqrt{\alpha^2 + \sigma^2}`.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.chains import Denoised, linear_schedule
        >>> from probgen.distributions.chains.decoders import decoder_scale
        >>> denoised = Denoised(dist.Delta(torch.zeros(2), event_dim=1), torch.ones(2), linear_schedule().level(0.001))
        >>> decoder_scale(denoised, None)  # the root of beta_1
        tensor(0.0100)
    """
    spread = torch.rsqrt(denoised.level.snr + 1)
    return over_event(spread if scale is None else torch.full_like(spread, scale), len(denoised.event_shape), denoised.mean)


def default_decoder(denoised: Denoised) -> TorchDistribution:
    """The denoiser's own law where it has a density, else :class:`NormalDecoder`.

    Args:
        denoised: What the denoiser says at the last time.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.chains import Denoised, linear_schedule
        >>> from probgen.distributions.chains.decoders import default_decoder
        >>> law = dist.Normal(torch.zeros(2), 0.1).to_event(1)
        >>> default_decoder(Denoised(law, torch.ones(2), linear_schedule().level(0.001))) is law
        True
    """
    return NormalDecoder()(denoised) if isinstance(denoised.law, dist.Delta) else denoised.law

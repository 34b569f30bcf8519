r"""The decoder of integer data: the last step of a chain gives every level a mass.

.. math::

    p(x_0 \mid x_1) = \prod_d \Bigl[
        \Phi\Bigl(\frac{x_0 + w/2 - \hat x_0}{s}\Bigr) - \Phi\Bigl(\frac{x_0 - w/2 - \hat x_0}{s}\Bigr)
    \Bigr]_d

with the outer bins open, so the masses sum to one and the bound of the chain is a bound of a probability: a codelength.
"""

from __future__ import annotations

from typing import cast

import pyro.distributions as dist
from pyro.distributions import TorchDistribution

from probgen.distributions.chains.decoders import checked_scale, decoder_scale
from probgen.distributions.chains.denoised import Denoised
from probgen.distributions.discretized import DiscretizedNormal
from probgen.distributions.quantization import Quantization, require_quantization

__all__ = ["DiscretizedDecoder"]


class DiscretizedDecoder:
    r"""A discretized normal law around the posterior mean, for data that are bin centers of a quantization.

    Args:
        quantization: The levels.
        scale: Its standard deviation; by default :math:`\sigma/\sqrt{\alpha^2 + \sigma^2}` of the last time, the root of
            :math:`\beta_1`.

    Raises:
        TypeError: ``quantization`` is no ``Quantization``.
        ValueError: the scale is not positive.

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models, section 3.3. https://arxiv.org/abs/2006.11239

    Example:
        >>> import math, torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions import Quantization
        >>> from probgen.distributions.chains import Denoised, DiscretizedDecoder, linear_schedule
        >>> levels = Quantization(256, -1.0, 1.0)
        >>> x = levels.decode(torch.tensor([[100]]))
        >>> denoised = Denoised(dist.Delta(x, event_dim=1), x, linear_schedule().level(0.001))
        >>> round(-DiscretizedDecoder(levels)(denoised).log_prob(x).item() / math.log(2), 3)
        1.713
    """

    def __init__(self, quantization: Quantization, scale: float | None = None) -> None:
        self.quantization = require_quantization(quantization)
        self.scale = checked_scale(scale)

    def __call__(self, denoised: Denoised) -> TorchDistribution:
        """The law of the data."""
        law = DiscretizedNormal(denoised.mean, decoder_scale(denoised, self.scale), self.quantization)
        return cast(TorchDistribution, dist.Independent(law, len(denoised.event_shape)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.quantization}{'' if self.scale is None else f', scale={self.scale:g}'})"

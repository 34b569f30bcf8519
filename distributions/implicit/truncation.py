r"""The truncation trick: noise that is drawn again where it is larger than a threshold.

.. math:: z_i \sim \mathcal N(0, 1) \;\big|\; |z_i| \le t, \qquad
    p(z) = \prod_i \frac{\varphi(z_i)\, 1[|z_i| \le t]}{2\Phi(t) - 1}

The draws of a generator gain quality and lose variety as :math:`t` falls: another law, not a better sampler of the same one.
The coordinates are drawn at once, as :math:`\Phi^{-1}(u)` of uniform :math:`u`, instead of again and again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.implicit.distribution import ImplicitDistribution
from probgen.distributions.standard import Standard, StandardNormal

__all__ = ["StandardTruncatedNormal", "truncated"]


class StandardTruncatedNormal(Standard):
    r"""Independent :math:`\mathcal N(0, 1)` coordinates, each given that its magnitude is at most a threshold.

    Args:
        event_shape: Shape of one draw.
        batch_shape: Shape of the batch.
        threshold: The largest magnitude :math:`t`.
        dtype: Of the draws; None follows the user of the distribution, else torch's default.
        device: Of the draws; None follows the user of the distribution, else torch's default.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: ``threshold`` is not positive, or infinite.

    References:
        Brock, Donahue, Simonyan (2019). Large scale GAN training for high fidelity natural image synthesis.
        https://arxiv.org/abs/1809.11096

    Example:
        >>> import torch
        >>> from probgen.distributions.implicit import StandardTruncatedNormal
        >>> law = StandardTruncatedNormal((2,), threshold=1.0)
        >>> law.log_prob(torch.zeros(2)), law.variance
        (tensor(-1.0744), tensor([0.2911, 0.2911]))
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (),
        batch_shape: Sequence[int] = (),
        *,
        threshold: float = 2.0,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not 0 < threshold < math.inf:
            raise ValueError(f"`threshold` must be positive and finite; got {threshold}.")
        self.threshold = threshold
        self._coordinate_support = constraints.interval(-threshold, threshold)
        super().__init__(event_shape, batch_shape, dtype=dtype, device=device, validate_args=validate_args)

    @property
    def _mass(self) -> float:
        """What a normal coordinate has within the threshold."""
        return math.erf(self.threshold / math.sqrt(2))

    def _draw(self, shape: torch.Size) -> Tensor:
        uniform = torch.rand(shape, dtype=self.dtype, device=self.device)
        drawn = torch.erfinv((2 * uniform - 1) * self._mass) * math.sqrt(2)
        return drawn.clamp(-self.threshold, self.threshold)

    def _coordinate_log_prob(self, value: Tensor) -> Tensor:
        inside = -0.5 * value.square() - 0.5 * math.log(2 * math.pi) - math.log(self._mass)
        return torch.where(value.abs() > self.threshold, -torch.inf, inside)

    def _coordinate_cdf(self, value: Tensor) -> Tensor:
        return (0.5 + 0.5 * torch.erf(value / math.sqrt(2)) / self._mass).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        """Quantile function, for scalar events."""
        self._require_scalar("icdf")
        return (torch.erfinv((2 * value - 1) * self._mass) * math.sqrt(2)).clamp(-self.threshold, self.threshold)

    @property
    def mean(self) -> Tensor:
        """Zero."""
        return self._filled(0.0)

    @property
    def mode(self) -> Tensor:
        """Zero."""
        return self._filled(0.0)

    @property
    def variance(self) -> Tensor:
        r""":math:`1 - 2 t \varphi(t) / (2\Phi(t) - 1)`."""
        density = math.exp(-0.5 * self.threshold**2) / math.sqrt(2 * math.pi)
        return self._filled(1 - 2 * self.threshold * density / self._mass)


def truncated(law: ImplicitDistribution, threshold: float) -> ImplicitDistribution:
    """The law of the same generator under truncated noise; the generator and a bound context are shared.

    Args:
        law: An implicit law whose noise is standard normal.
        threshold: The largest magnitude of a coordinate of the noise; BigGAN's figures use 0.04 to 2.

    Raises:
        TypeError: ``law`` is no implicit distribution, or its noise has another law.
        ValueError: ``threshold`` is not positive.

    References:
        Brock, Donahue, Simonyan (2019). Large scale GAN training for high fidelity natural image synthesis.
        https://arxiv.org/abs/1809.11096

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.distributions.implicit import truncated
        >>> law = ImplicitDistribution(standard_normal(4), torch.nn.Identity(), event_shape=(4,))
        >>> bool((truncated(law, 0.5).sample((100,)).abs() <= 0.5).all())
        True
    """
    if not isinstance(law, ImplicitDistribution):
        raise TypeError(f"`law` must be an ImplicitDistribution (call an ImplicitLaw first); got {type(law).__name__}.")
    base = law._base  # with dtype and device left open, where they are
    if not isinstance(base, StandardNormal):
        raise TypeError(f"`law` must have standard normal noise to be truncated; its noise is {base!r}.")
    where: Any = {"dtype": base.dtype, "device": base.device}
    noise = StandardTruncatedNormal(base.event_shape, base.batch_shape, threshold=threshold, **where)
    return law.with_base(noise)

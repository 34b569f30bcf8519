r"""What a denoiser says: a law of the data given one noisy observation of it, with its equivalent views.

For :math:`x_t = \alpha x_0 + \sigma\varepsilon` the posterior mean :math:`\hat x_0 = \mathbb E[x_0 \mid x_t]` determines

.. math::

    \hat\varepsilon = \frac{x_t - \alpha \hat x_0}{\sigma}, \qquad
    \nabla_{x_t} \log q(x_t) = -\frac{\hat\varepsilon}{\sigma} \;(\text{Tweedie}), \qquad
    \hat v = \frac{\alpha\hat\varepsilon - \sigma\hat x_0}{\sqrt{\alpha^2 + \sigma^2}}.
"""

from __future__ import annotations

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.chains.noise_level import NoiseLevel, posterior_coefficients
from probgen.distributions.chains.pushforward import affine_gaussian
from probgen.distributions.chains.wrapped_law import WrappedLaw
from probgen.distributions.events import over_event

__all__ = ["Denoised"]


class Denoised(WrappedLaw):
    r"""The law :math:`p(x_0 \mid x_t)` that a denoiser reports.

    It obeys :math:`x_t = \alpha\,\mathrm{mean} + \sigma\,\mathrm{eps}` and :math:`\mathrm{score} = -\mathrm{eps} / \sigma`.

    Args:
        law: The law of :math:`x_0`: ``Delta``, ``Normal``, ``MultivariateNormal`` or a mixture of them, over the event.
        x_t: The observation ``[*batch, *event]``.
        level: Its noise level, of a shape that broadcasts with ``[*batch]``.
        validate_args: As in ``torch.distributions``.

    References:
        Efron (2011). Tweedie's formula and selection bias. https://doi.org/10.1198/jasa.2011.tm11181

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.chains import Denoised, cosine_schedule
        >>> schedule = cosine_schedule()
        >>> x_t = torch.tensor([1.0, 0.0])
        >>> denoised = Denoised(dist.Delta(torch.tensor([0.5, 0.5]), event_dim=1), x_t, schedule.level(0.5))
        >>> bool(torch.allclose(schedule.alpha(0.5).float() * denoised.mean + schedule.sigma(0.5).float() * denoised.eps, x_t))
        True
    """

    def __init__(self, law: TorchDistribution, x_t: Tensor, level: NoiseLevel, *, validate_args: bool | None = None) -> None:
        super().__init__(law, validate_args=validate_args)
        self.x_t = x_t
        self.level = level

    # -------------------------------------------------------------------------------------------------------------------- views

    def _scales(self) -> tuple[Tensor, Tensor]:
        rank = len(self.event_shape)
        return over_event(self.level.alpha, rank, self.x_t), over_event(self.level.sigma, rank, self.x_t)

    @property
    def eps(self) -> Tensor:
        r"""The expected noise :math:`\hat\varepsilon`, shape ``[*batch, *event]``."""
        alpha, sigma = self._scales()
        return (self.x_t - alpha * self.mean) / sigma

    @property
    def score(self) -> Tensor:
        r"""The gradient :math:`\nabla_{x_t} \log q(x_t)`, shape ``[*batch, *event]``."""
        return -self.eps / self._scales()[1]

    @property
    def v(self) -> Tensor:
        r"""The rotation :math:`(\alpha\hat\varepsilon - \sigma\hat x_0)/\sqrt{\alpha^2 + \sigma^2}`, ``[*batch, *event]``."""
        alpha, sigma = self._scales()
        return (alpha * self.eps - sigma * self.mean) / torch.sqrt(alpha.square() + sigma.square())

    # ------------------------------------------------------------------------------------------------------------------ reverse

    def reverse(self, s: NoiseLevel) -> TorchDistribution:
        r"""The reverse kernel :math:`p(x_s \mid x_t) = \int q(x_s \mid x_t, x_0)\, p(x_0 \mid x_t)\,\mathrm dx_0`.

        Args:
            s: A level with noise that is nearer to the data; at the data itself the kernel is :attr:`law`.

        Example:
            >>> import torch
            >>> import pyro.distributions as dist
            >>> from probgen.distributions.chains import Denoised, linear_schedule
            >>> schedule = linear_schedule()
            >>> law = dist.Normal(torch.zeros(1), schedule.sigma(0.5).float()).to_event(1)
            >>> kernel = Denoised(law, torch.zeros(1), schedule.level(0.5)).reverse(schedule.level(0.499))
            >>> round(float(kernel.variance), 6)  # "fixed large": beta_500
            0.01004
        """
        rank = len(self.event_shape)
        data, noisy, variance = (over_event(value, rank, self.x_t) for value in posterior_coefficients(s, self.level))
        return affine_gaussian(self.law, data, noisy * self.x_t, variance)

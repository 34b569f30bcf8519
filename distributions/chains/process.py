r"""The contract of a forward process, the fixed half of a diffusion model, and the Gaussian one.

A forward process turns data :math:`x_0` into noise. It is Markov, and three laws of it are known in closed form for all
:math:`s < t`: the marginal :math:`q(x_t \mid x_0)`, the transition :math:`q(x_t \mid x_s)` and the posterior
:math:`q(x_s \mid x_t, x_0)`. Everything else (chains, bounds, samplers, codecs) needs only these and a denoiser.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions.chains.isotropic_normal import IsotropicNormal
from probgen.distributions.chains.noise_level import posterior_coefficients, transition_coefficients
from probgen.distributions.chains.schedule import Schedule, Times
from probgen.distributions.events import normal_over_event, over_event
from probgen.distributions.standard import standard_normal

__all__ = ["ForwardProcess", "GaussianProcess"]


class ForwardProcess(nn.Module):
    """A Markov process from data to noise with known laws (abstract).

    Times are floats or tensors that broadcast with the batch of x: shape ``[*batch]`` against ``[*batch, *event]``.

    Attributes:
        event_shape: Shape of one datum.

    Args:
        event_shape: Shape of one datum.

    Example:
        >>> from probgen.distributions.chains import ForwardProcess, GaussianProcess, cosine_schedule
        >>> isinstance(GaussianProcess(cosine_schedule(), event_shape=(2,)), ForwardProcess)
        True
    """

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.event_shape = torch.Size(event_shape)

    def marginal(self, x_0: Tensor, t: Times) -> TorchDistribution:
        r"""The law :math:`q(x_t \mid x_0)` for data ``[*batch, *event]`` and times ``t > 0``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `marginal`.")

    def transition(self, x_s: Tensor, s: Times, t: Times) -> TorchDistribution:
        r"""The law :math:`q(x_t \mid x_s)` for states ``[*batch, *event]`` and times ``s < t``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `transition`.")

    def posterior(self, x_t: Tensor, x_0: Tensor, s: Times, t: Times) -> TorchDistribution:
        r"""The law :math:`q(x_s \mid x_t, x_0)` for states and data ``[*batch, *event]`` and times ``0 < s < t``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `posterior`.")

    def prior(self, t: float = 1.0) -> TorchDistribution:
        """The law without data that stands in for the marginal at time ``t``; it is the start of generation."""
        raise NotImplementedError(f"{type(self).__name__} does not define `prior`.")


class GaussianProcess(ForwardProcess):
    r"""The Gaussian forward process :math:`q(x_t \mid x_0) = \mathcal N(\alpha_t x_0, \sigma_t^2 I)` of a schedule.

    Its laws agree with one another: integrating the posterior over :math:`q(x_t \mid x_0)` gives the marginal at s.

    Args:
        schedule: The noise schedule.
        event_shape: Shape of one datum.

    References:
        Sohl-Dickstein, Weiss, Maheswaranathan, Ganguli (2015). Deep unsupervised learning using nonequilibrium thermodynamics.
        https://arxiv.org/abs/1503.03585

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import GaussianProcess, linear_schedule
        >>> process = GaussianProcess(linear_schedule(1000), event_shape=(3,))
        >>> process.marginal(torch.ones(5, 3), torch.rand(5)).batch_shape
        torch.Size([5])
    """

    def __init__(self, schedule: Schedule, event_shape: Sequence[int]) -> None:
        super().__init__(event_shape)
        self.schedule = schedule

    def marginal(self, x_0: Tensor, t: Times) -> TorchDistribution:
        r"""The normal law :math:`q(x_t \mid x_0)` for data ``[*batch, *event]`` and times ``t > 0``."""
        level = self.schedule.level(t)
        return self._normal(self._over(level.alpha, x_0) * x_0, self._over(level.sigma, x_0))

    def transition(self, x_s: Tensor, s: Times, t: Times) -> TorchDistribution:
        r"""The normal law :math:`q(x_t \mid x_s)` for states ``[*batch, *event]`` and times ``s < t``."""
        scale, variance = transition_coefficients(self.schedule.level(s), self.schedule.level(t))
        return self._normal(self._over(scale, x_s) * x_s, self._over(variance.sqrt(), x_s))

    def posterior(self, x_t: Tensor, x_0: Tensor, s: Times, t: Times) -> TorchDistribution:
        r"""The normal law :math:`q(x_s \mid x_t, x_0)` for states and data ``[*batch, *event]`` and times ``0 < s < t``."""
        data, noisy, variance = posterior_coefficients(self.schedule.level(s), self.schedule.level(t))
        mean = self._over(data, x_t) * x_0 + self._over(noisy, x_t) * x_t
        return self._normal(mean, self._over(variance.sqrt(), x_t))

    def prior(self, t: float = 1.0) -> TorchDistribution:
        r"""The marginal of data :math:`\mathcal N(0, I)`: a normal law of variance :math:`\alpha_t^2 + \sigma_t^2`."""
        if self.schedule.scaling == "variance preserving":
            return standard_normal(tuple(self.event_shape))
        level = self.schedule.level(t)
        scale = float(torch.hypot(level.alpha, level.sigma).detach())
        return standard_normal(tuple(self.event_shape)) if abs(scale - 1) < 1e-12 else IsotropicNormal(self.event_shape, scale)

    def _over(self, coefficient: Tensor, x: Tensor) -> Tensor:
        return over_event(coefficient, len(self.event_shape), x)

    def _normal(self, mean: Tensor, std: Tensor) -> TorchDistribution:
        return normal_over_event(mean, std, len(self.event_shape))

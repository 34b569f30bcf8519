r"""The law of a gray value between black and white: the continuous Bernoulli law, in terms of its logit.

.. math::

    p(x \mid \theta) = e^{\theta x - A(\theta)} \quad (0 \le x \le 1), \qquad
    A(\theta) = \log \int_0^1 e^{\theta x}\, \mathrm dx = \log\frac{e^\theta - 1}{\theta}
    = \frac\theta2 + \ell\Bigl(\frac\theta2\Bigr), \qquad \ell(h) = \log\frac{\sinh h}{h} .

The Bernoulli formula :math:`x \log\sigma(\theta) + (1 - x)\log\sigma(-\theta)` of gray values is no log-density: it lacks the
constant, which depends on :math:`\theta` and is worth about :math:`\log|\theta|` nats a pixel where the law is sharp. Mean and
variance are derivatives of A,

.. math:: \mathbb E[x] = \tfrac12 (1 + \ell'(h)), \quad \operatorname{Var}[x] = \tfrac14 \ell''(h), \qquad
    \ell'(h) = \coth h - \tfrac1h, \quad \ell''(h) = \tfrac1{h^2} - \tfrac1{\sinh^2 h} .

Near :math:`h = 0` all three are Taylor series. torch's class goes through the probability :math:`\sigma(\theta)`, which float32
rounds to one beyond :math:`\theta = 17`: its density has mass 0.4 at :math:`\theta = 40`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint
from torch.distributions.kl import register_kl

from probgen.distributions.base import Distribution

__all__ = ["ContinuousBernoulli"]

# Taylor coefficients of l, l' and l'' in powers of h squared; the first of l and l' are those of h^2 and h.
_LOG = (1 / 6, -1 / 180, 1 / 2835, -1 / 37800, 1 / 467775)
_SLOPE = (1 / 3, -1 / 45, 2 / 945, -1 / 4725, 2 / 93555)
_CURVATURE = (1 / 3, -1 / 15, 2 / 189, -1 / 675, 2 / 10395)
_NEAR = 0.1


class ContinuousBernoulli(Distribution):
    r"""Values in [0, 1] with density proportional to :math:`e^{\theta x}`.

    Args:
        logits: The slope :math:`\theta` of the log-density, any real number; ``[*batch]``.
        validate_args: As in ``torch.distributions``.

    References:
        Loaiza-Ganem, Cunningham (2019). The continuous Bernoulli: fixing a pervasive error in variational autoencoders.
        https://arxiv.org/abs/1907.06845

    Example:
        >>> import torch
        >>> from probgen.distributions import ContinuousBernoulli
        >>> law = ContinuousBernoulli(torch.tensor([0.0, 40.0]))
        >>> law.mean, law.log_prob(torch.ones(2))  # log 40 at white
        (tensor([0.5000, 0.9750]), tensor([0.0000, 3.6889]))
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {"logits": constraints.real}

    def __init__(self, logits: Tensor, *, validate_args: bool | None = None) -> None:
        self.logits = logits
        super().__init__(logits.shape, torch.Size(), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Constraint:
        """The unit interval with its ends."""
        return constraints.unit_interval

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new.logits = self.logits.expand(torch.Size(batch_shape))
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw values ``[*sample_shape, *batch]``."""
        with torch.no_grad():
            shape = torch.Size((*sample_shape, *self.batch_shape))
            return self.icdf(torch.rand(shape, dtype=self.logits.dtype, device=self.logits.device))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, shape ``[*sample, *batch]``; minus infinity outside [0, 1]."""
        self._check_shape(value)
        if self._checks_values(value):
            self._check_support(value)
        log_density = self.logits * (value - 0.5) - _log_ratio(0.5 * self.logits)
        return torch.where((value < 0) | (value > 1), -torch.inf, log_density)

    def cdf(self, value: Tensor) -> Tensor:
        r""":math:`P(X \le x) = (e^{\theta x} - 1) / (e^\theta - 1)` for any real ``value`` ``[*sample, *batch]``."""
        x = value.clamp(0.0, 1.0)
        size, flat = self._size()
        falling = torch.expm1(-size * x) / torch.expm1(-size)
        rising = falling * torch.exp(-size * (1 - x))
        inner = torch.where(self.logits < 0, falling, rising)
        # on the rising side 1 - e^{-|t| x} is divided by 1 - e^{-|t|} and weighted by e^{-|t|(1 - x)}
        return torch.where(flat, x - 0.5 * self.logits * x * (1 - x), inner)  # the slope in the logit counts at zero, too

    def icdf(self, value: Tensor) -> Tensor:
        """The quantile of probabilities ``[*sample, *batch]``."""
        size, flat = self._size()
        probability = torch.where(self.logits < 0, value, 1 - value)
        falling = (-torch.log1p(probability * torch.expm1(-size)) / size).clamp(max=1.0)
        flat_value = value + 0.5 * self.logits * value * (1 - value)
        return torch.where(flat, flat_value, torch.where(self.logits < 0, falling, 1 - falling))

    @property
    def mean(self) -> Tensor:
        """Mean, strictly between 0 and 1."""
        return 0.5 * (1 + _slope(0.5 * self.logits))

    @property
    def variance(self) -> Tensor:
        """Variance, 1/12 at most."""
        return 0.25 * _curvature(0.5 * self.logits)

    @property
    def mode(self) -> Tensor:
        """The brighter end, 1/2 where the density is flat."""
        return 0.5 * (1 + self.logits.sign())

    def entropy(self) -> Tensor:
        """Differential entropy in nats, 0 at most."""
        half = 0.5 * self.logits
        return _log_ratio(half) - half * _slope(half)

    def _size(self) -> tuple[Tensor, Tensor]:
        """The size of the logit, one in the place of zero, and where it is zero."""
        flat = self.logits == 0
        return torch.where(flat, 1.0, self.logits.abs()), flat

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_shape={tuple(self.batch_shape)})"


def _log_ratio(h: Tensor) -> Tensor:
    r""":math:`\ell(h) = \log(\sinh(h) / h)`."""
    far, square, near = _parts(h)
    direct = far + torch.log(-torch.expm1(-2 * far)) - torch.log(2 * far)
    return torch.where(near, square * _series(_LOG, square), direct)


def _slope(h: Tensor) -> Tensor:
    r""":math:`\ell'(h) = \coth h - 1/h`."""
    far, square, near = _parts(h)
    direct = far.tanh().reciprocal() - far.reciprocal()
    return torch.where(near, h * _series(_SLOPE, square), h.sign() * direct)


def _curvature(h: Tensor) -> Tensor:
    r""":math:`\ell''(h) = 1/h^2 - 1/\sinh^2 h`."""
    far, square, near = _parts(h)
    hyperbolic = 2 * torch.exp(-far) / -torch.expm1(-2 * far)
    return torch.where(near, _series(_CURVATURE, square), far.square().reciprocal() - hyperbolic.square())


def _parts(h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The size of h, kept off zero; its square, kept small; and where it is small."""
    near = h.abs() < _NEAR
    return torch.where(near, 1.0, h.abs()), torch.where(near, h, 0.0).square(), near


def _series(coefficients: tuple[float, ...], square: Tensor) -> Tensor:
    total = torch.full_like(square, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = coefficient + square * total
    return total


def _divergence(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    """KL divergence in nats, shape ``[*batch]``."""
    log_ratio = _log_ratio(0.5 * q.logits) - _log_ratio(0.5 * p.logits)
    return (p.logits - q.logits) * (p.mean - 0.5) + log_ratio


register_kl(ContinuousBernoulli, ContinuousBernoulli)(_divergence)

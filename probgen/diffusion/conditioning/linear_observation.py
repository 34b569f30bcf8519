r"""A linear observation :math:`y = A x_0 + \sigma_y n`, :math:`n \sim \mathcal N(0, I)`: what a model is conditioned on."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probgen.diffusion.conditioning.linear_operator import LinearOperator, Masking
from probgen.distributions._checks import values_readable
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["LinearObservation", "observe", "observe_known"]


class LinearObservation:
    r"""The value of an observation, the map that made it, and the noise in it.

    Args:
        value: y, shape ``[*batch, *observed]``; what a mask hides may hold anything.
        operator: A.
        noise: The standard deviation :math:`\sigma_y \ge 0`.

    Raises:
        ValueError: the value has another shape than the operator's observations or is not finite, or the noise is no number
            from 0.

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import LinearObservation, Masking
        >>> seen = LinearObservation(torch.tensor([1.0, 0.0]), Masking(torch.tensor([True, False])))
        >>> seen.project(torch.tensor([5.0, 7.0]))  # the nearest datum that agrees with the observation
        tensor([1., 7.])
    """

    def __init__(self, value: Tensor, operator: LinearOperator, noise: float = 0.0) -> None:
        rank = len(operator.observed_shape)
        if value.shape[max(value.dim() - rank, 0) :] != operator.observed_shape:
            raise ValueError(f"`value` must end in {tuple(operator.observed_shape)}; got shape {tuple(value.shape)}.")
        if not 0 <= noise < math.inf:
            raise ValueError(f"`noise` must be a finite number, not negative; got {noise}.")
        self.operator = operator
        self.value = torch.where(operator.present(value) > 0, value, 0.0)
        if values_readable(self.value) and not bool(self.value.isfinite().all()):
            raise ValueError("`value` must be finite where it was seen; leave out what is not known by a `Masking`.")
        self.noise = float(noise)

    @property
    def event_shape(self) -> torch.Size:
        """Shape of one datum."""
        return self.operator.event_shape

    @property
    def batch_shape(self) -> torch.Size:
        """Shape of the batch of observations."""
        return self.value.shape[: self.value.dim() - len(self.operator.observed_shape)]

    def unsqueeze(self) -> LinearObservation:
        """The same observations with one more batch dimension on the right."""
        value = self.value.unsqueeze(-1 - len(self.operator.observed_shape))
        return LinearObservation(value, self.operator.unsqueeze(), self.noise)

    def residual(self, x: Tensor) -> Tensor:
        """What a datum ``[*batch, *event]`` leaves unexplained, :math:`y - A x`, shape ``[*batch, *observed]``."""
        return self.value.to(x) - self.operator.apply(x)

    def project(self, x: Tensor) -> Tensor:
        r"""The nearest datum that agrees with the observation, :math:`x + A^+(y - A x)`, shape ``[*batch, *event]``."""
        return x + self.operator.pseudo_inverse(self.residual(x))

    def norm(self, y: Tensor) -> Tensor:
        """The Euclidean length of every residual ``[*batch, *observed]``, one for each datum: shape ``[*batch]``."""
        result: Tensor = torch.linalg.vector_norm(y.unsqueeze(-1).flatten(y.dim() - len(self.operator.observed_shape)), dim=-1)
        return result

    def log_likelihood(self, x: Tensor) -> Tensor:
        r"""The log-density :math:`\log \mathcal N(y;\, A x, \sigma_y^2 I)` in nats, shape ``[*batch]``.

        Args:
            x: Data ``[*batch, *event]``.

        Raises:
            ValueError: there is no noise, hence no density.
        """
        if self.noise == 0:
            raise ValueError("`noise` must be positive for a density of the observation; it is 0.")
        residual = self.residual(x)
        count = self.operator.present(residual).expand_as(residual)
        count = sum_rightmost(count, len(self.operator.observed_shape))
        constant = count * (math.log(2 * math.pi) / 2 + math.log(self.noise))
        return -(self.norm(residual) / self.noise).square() / 2 - constant

    def __repr__(self) -> str:
        return f"LinearObservation({self.operator}, batch_shape={tuple(self.batch_shape)}, noise={self.noise:g})"


def observe(x: Tensor, operator: LinearOperator, noise: float = 0.0) -> LinearObservation:
    """Observe known data ``[*batch, *event]``; the noise, if any, is drawn.

    Args:
        x: The data.
        operator: The map.
        noise: Standard deviation of the noise.

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import AveragePooling, observe
        >>> observe(torch.ones(5, 1, 8, 8), AveragePooling((1, 8, 8), 4))
        LinearObservation(AveragePooling((1, 8, 8) -> (1, 2, 2)), batch_shape=(5,), noise=0)
    """
    value = operator.apply(x)
    return LinearObservation(value + noise * torch.randn_like(value) if noise else value, operator, noise)


def observe_known(x: Tensor, event_dim: int, noise: float = 0.0) -> LinearObservation:
    """Data ``[*batch, *event]`` with NaN for what is not known, as an observation of the rest.

    Args:
        x: The data; every datum may miss other coordinates.
        event_dim: Number of event dimensions.
        noise: Standard deviation of the noise in the known values.

    Example:
        >>> import math, torch
        >>> from probgen.diffusion.conditioning import observe_known
        >>> observe_known(torch.tensor([1.0, math.nan]), event_dim=1).value
        tensor([1., 0.])
    """
    return LinearObservation(x, Masking(~x.isnan(), event_dim), noise)

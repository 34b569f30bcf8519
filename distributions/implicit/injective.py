r"""Injective generators: a density on the manifold that they draw.

Let :math:`g: \mathbb R^d \to \mathbb R^D`, :math:`d \le D`, be smooth, one-to-one, and with a Jacobian :math:`J(z)` of rank
:math:`d`. Its image is a :math:`d`-dimensional manifold, on which :math:`x = g(z)`, :math:`z \sim p_0`, has the density

.. math:: p(x) = p_0(z)\, \det\bigl(J(z)^\top J(z)\bigr)^{-1/2}, \qquad x = g(z),

with respect to the manifold's own volume (length for :math:`d = 1`, area for :math:`d = 2`): :math:`g` maps a small cube of
volume :math:`\mathrm dv` to a parallelepiped of volume :math:`\sqrt{\det J^\top J}\, \mathrm dv`. It is no density on
:math:`\mathbb R^D`, where the manifold has volume zero, and cannot be compared with one; for :math:`d = D` it is the change of
variables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._wrapping import located, log_prob_kind_of
from probgen.distributions.base import Distribution
from probgen.distributions.estimate import DensityUnavailable, LogProbKind
from probgen.distributions.events import batch_of, scored
from probgen.distributions.implicit.distribution import ImplicitDistribution
from probgen.distributions.implicit.manifold import Image, log_volume

__all__ = ["InjectiveDistribution"]


class InjectiveDistribution(Distribution):
    r"""The law of :math:`x = g(z)` for an injective :math:`g`, with its density on the manifold.

    The density, :math:`p_0(z) \det(J^\top J)^{-1/2}`, is with respect to the manifold's own volume. At given noise it is always
    exact (``log_prob_at_noise``); ``log_prob`` needs the noise of a point, so a left inverse :math:`g^+(g(z)) = z`, and is
    minus infinity off the manifold (an error where values are validated). Without an inverse ``log_prob_kind`` is "none".
    That the generator is one-to-one is the caller's promise: where it is not, the density of one of several sheets is returned.

    Args:
        base: Distribution of the noise, with a density.
        generator: From ``[n, *base_event]`` to ``[n, *event]``, each example by itself (no batch statistics) and
            differentiable.
        event_shape: Shape of one draw, with at least as many coordinates as the noise.
        inverse: The left inverse, from ``[n, *event]`` to ``[n, *base_event]``; by default the generator's ``inverse``, if it
            has one.
        tolerance: How far, by its length plus one, a point may lie off the manifold and still be scored; the cube root of the
            unit roundoff by default.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the draws have fewer coordinates than the noise.

    References:
        Ben-Israel (1999). The change-of-variables formula using matrix volume. https://doi.org/10.1137/S0895479895296896

        Kothari et al. (2021). Trumpets: injective flows for inference and inverse problems. https://arxiv.org/abs/2102.10461

    Example:
        >>> import torch
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.implicit import InjectiveDistribution, InjectiveLinear
        >>> line = InjectiveLinear(torch.tensor([[3.0], [4.0]]))  # length 5
        >>> p = InjectiveDistribution(standard_normal(1), line, (2,))
        >>> p.log_prob(torch.tensor([3.0, 4.0])).detach()  # log N(1; 0, 1) - log 5
        tensor(-3.0284)
    """

    def __init__(
        self,
        base: torch.distributions.Distribution,
        generator: Callable[[Tensor], Tensor],
        event_shape: Sequence[int],
        *,
        inverse: Callable[[Tensor], Tensor] | None = None,
        tolerance: float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if torch.Size(event_shape).numel() < base.event_shape.numel():
            raise ValueError(
                f"`event_shape` must have at least the {base.event_shape.numel()} coordinates of the noise; "
                f"got {tuple(event_shape)}."
            )
        self._base = base
        self.generator = generator
        self.inverse = getattr(generator, "inverse", None) if inverse is None else inverse
        self.tolerance = tolerance
        super().__init__(base.batch_shape, torch.Size(event_shape), validate_args=validate_args)

    @property
    def base_dist(self) -> torch.distributions.Distribution:
        """The noise, in the dtype and on the device of the generator where it leaves them open."""
        return located(self._base, self.generator)

    @property
    def log_prob_kind(self) -> LogProbKind:  # type: ignore[override]
        """That of the noise, "exact" as a rule; "none" without an inverse."""
        return "none" if self.inverse is None else log_prob_kind_of(self._base)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the noise can be reparameterized."""
        return bool(self._base.has_rsample)

    @constraints.dependent_property
    def support(self) -> Constraint:
        """The manifold, where there is an inverse to tell; else the reals around it."""
        if self.inverse is None:
            return constraints.independent(constraints.real, len(self.event_shape))
        return Image(self._projected, len(self.event_shape), self.tolerance)

    def implicit(self) -> ImplicitDistribution:
        """The same law without its density."""
        return ImplicitDistribution(self._base, self.generator, self.event_shape, validate_args=self._validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape; the generator is shared."""
        new = self._expanded(batch_shape, _instance)
        new._base = self._base.expand(torch.Size(batch_shape))
        return new

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]``, differentiable in the generator's parameters."""
        return self.implicit().rsample(sample_shape)

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients."""
        return self.implicit().sample(sample_shape)

    def rsample_and_log_prob(self, sample_shape: Sequence[int] = torch.Size()) -> tuple[Tensor, Tensor]:
        """Draws and their log-densities, which need no inverse: the noise is known."""
        noise = self.base_dist.rsample(torch.Size(sample_shape))
        return self.implicit().generate(noise), self.log_prob_at_noise(noise)

    def log_prob_at_noise(self, noise: Tensor) -> Tensor:
        r"""The log-density of :math:`g(z)` on the manifold, in nats; exact.

        Args:
            noise: Points :math:`z`, ``[*sample, *batch, *base_event]``.

        Returns:
            Shape ``[*sample, *batch]``.
        """
        return scored(cast(TorchDistribution, self.base_dist), noise) - log_volume(
            self.generator, noise, len(self._base.event_shape)
        )

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density with respect to the manifold's volume, in nats, ``[*sample, *batch]``; minus infinity off the manifold.

        Raises:
            DensityUnavailable: there is no inverse.
        """
        if self.inverse is None:
            raise DensityUnavailable(
                type(self).__name__, "the noise of a point is not known without an `inverse`", "`.log_prob_at_noise(z)`"
            )
        self._check_shape(value)
        if self._checks_values(value):
            self._check_support(value)
        noise = self.noise_of(value)
        image = Image(self._projected, len(self.event_shape), self.tolerance)
        return torch.where(image.check(value), self.log_prob_at_noise(noise), -torch.inf)

    def noise_of(self, value: Tensor) -> Tensor:
        """What the inverse gives for points: ``[*sample, *batch, *event]`` to ``[*sample, *batch, *base_event]``.

        Raises:
            DensityUnavailable: there is no inverse.
        """
        if self.inverse is None:
            raise DensityUnavailable(type(self).__name__, "it has no `inverse`", "`probgen.gan.invert`")
        lead = batch_of("`value`", value, self.event_shape)
        flat = self.inverse(value.reshape(lead.numel(), *self.event_shape))
        return cast(Tensor, flat.reshape(*lead, *self._base.event_shape))

    def _projected(self, value: Tensor) -> Tensor:
        return self.implicit().generate(self.noise_of(value))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base}, event_shape={tuple(self.event_shape)})"

r"""A generator as the prior of an inverse problem, as a Pyro program.

.. math:: z \sim p_0, \qquad x = g(z), \qquad y = A(x) + \sigma\, \xi, \quad \xi \sim \mathcal N(0, I)

:math:`A` is what was done to the data before they were seen: a mask (inpainting), the mean of colors (colorization), of blocks
(super-resolution), or nothing (inversion). Whatever explains :math:`y` lies on the generator's manifold; what is asked for is
:math:`p(z \mid y)`, which may well have several modes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import pyro
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.events import batch_of, normal_over_event, scored
from probgen.distributions.implicit import ImplicitDistribution

__all__ = ["InverseProblem"]


class InverseProblem:
    r"""Observations of what a generator made: the joint law of noise and observation.

    ``model`` is a Pyro program, with sites "z" and "y" and a deterministic "x", for NUTS, guides and whatever else takes one;
    ``log_joint`` is the same density for many states at once.

    Args:
        law: The generator's law; its noise has a density. Put a generator with batch statistics into evaluation mode first.
        operator: :math:`A`, from ``[n, *event]`` to ``[n, *observed]``, differentiable, such as ``AveragePooling(...).apply``
            of ``probgen.diffusion.conditioning``; the identity by default.
        noise: :math:`\sigma`, the standard deviation of what is added, in the units of the observation.
        observed_shape: Shape of an observation; by default that of an event.

    Raises:
        TypeError: ``law`` is not an ``ImplicitDistribution``.
        ValueError: ``noise`` is not positive.

    References:
        Bora, Jalal, Price, Dimakis (2017). Compressed sensing using generative models. https://arxiv.org/abs/1703.03208

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.gan import InverseProblem
        >>> law = ImplicitDistribution(standard_normal(1), lambda z: torch.cat([z, 2 * z], -1), (2,))
        >>> problem = InverseProblem(law, lambda x: x[:, :1], noise=1.0, observed_shape=(1,))  # sees the first coordinate
        >>> problem.log_joint(torch.tensor([[0.0], [1.0]]), torch.tensor([1.0]))
        tensor([-2.3379, -2.3379])
    """

    def __init__(
        self,
        law: ImplicitDistribution,
        operator: Callable[[Tensor], Tensor] | None = None,
        *,
        noise: float,
        observed_shape: Sequence[int] | None = None,
    ) -> None:
        if not isinstance(law, ImplicitDistribution):
            raise TypeError(f"`law` must be an ImplicitDistribution; got {type(law).__name__}.")
        if not noise > 0:
            raise ValueError(f"`noise` must be positive; got {noise}.")
        self.law = law
        self.operator = operator
        self.noise = noise
        self.observed_shape = law.event_shape if observed_shape is None else torch.Size(observed_shape)

    def model(self, y: Tensor | None = None) -> Tensor:
        """The Pyro program; it returns the event, ``[*batch, *event]``.

        Args:
            y: Observations ``[*batch, *observed]``, or None: one is drawn for every element of the law's batch.
        """
        batch = self.law.batch_shape if y is None else self.batch_of(y)
        with pyro.plate_stack("data", batch):
            z = pyro.sample("z", cast(TorchDistribution, self.law.base_dist))
            x = pyro.deterministic("x", self.law.generate(z), event_dim=len(self.law.event_shape))
            pyro.sample("y", self.likelihood(x), obs=y)
        return x

    def likelihood(self, x: Tensor) -> TorchDistribution:
        """The law of the observation of events ``[*batch, *event]``."""
        lead = batch_of("`x`", x, self.law.event_shape)
        seen = x if self.operator is None else self.operator(x.reshape(lead.numel(), *self.law.event_shape))
        if seen.numel() != lead.numel() * self.observed_shape.numel():
            raise ValueError(
                f"`operator` must return events of `observed_shape`, {tuple(self.observed_shape)}; "
                f"it returned shape {tuple(seen.shape)} for {lead.numel()} events."
            )
        mean = seen.reshape(*lead, *self.observed_shape)
        return normal_over_event(mean, torch.as_tensor(self.noise).to(mean), len(self.observed_shape))

    def log_prior(self, z: Tensor) -> Tensor:
        """The log-density of noise ``[*sample, *batch, *base_event]`` in nats, ``[*sample, *batch]``."""
        return scored(cast(TorchDistribution, self.law.base_dist), z)

    def log_likelihood(self, z: Tensor, y: Tensor) -> Tensor:
        r"""The log-density of observations given noise, :math:`\log \mathcal N(y; A(g(z)), \sigma^2 I)`, in nats.

        Args:
            z: Shape ``[*sample, *batch, *base_event]``.
            y: Shape ``[*batch, *observed]``.

        Returns:
            Shape ``[*sample, *batch]``.
        """
        self.batch_of(y)
        return scored(self.likelihood(self.law.generate(z)), y)

    def log_joint(self, z: Tensor, y: Tensor) -> Tensor:
        r"""The log-density :math:`\log p(z, y)` in nats, which is that of :math:`p(z \mid y)` up to the evidence.

        Args:
            z: Shape ``[*sample, *batch, *base_event]``.
            y: Shape ``[*batch, *observed]``.

        Returns:
            Shape ``[*sample, *batch]``.
        """
        return self.log_prior(z) + self.log_likelihood(z, y)

    def prior_draws(self, count: int, y: Tensor) -> Tensor:
        """Noise for every observation: ``[count, *batch, *base_event]``, without gradients."""
        base, batch = self.law.base_dist, self.batch_of(y)
        with torch.no_grad():
            return cast(Tensor, base.expand(torch.broadcast_shapes(batch, base.batch_shape)).sample(torch.Size((count,))))

    def batch_of(self, y: Tensor) -> torch.Size:
        """The batch shape of observations ``[*batch, *observed]``."""
        return batch_of("`y`", y, self.observed_shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.law}, noise={self.noise:g}, observed_shape={tuple(self.observed_shape)})"

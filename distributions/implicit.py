r"""Implicit distributions: draws :math:`x = g(z)`, :math:`z \sim p_0`, from a function that has no inverse and no density."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._wrapping import located
from probgen.distributions.base import Distribution
from probgen.distributions.estimate import DensityUnavailable, LogProbKind

__all__ = ["ImplicitDistribution"]


class ImplicitDistribution(Distribution):
    r"""A distribution that can be drawn from but not scored.

    At a ``pyro.sample`` site it is expanded by plates like any other. ``log_prob`` raises: a value of zero would give a finite,
    wrong loss. To hide an unobserved site from an objective write ``.mask(False)`` or use ``pyro.poutine.block``.

    Args:
        base: Distribution of the noise :math:`z`.
        generator: A function (a module, say) from noise ``[n, *base_event]`` to draws ``[n, *event_shape]``; leading
            dimensions are flattened, so it may be a convolutional network.
        event_shape: Shape of one draw.
        support: Where the draws lie; the reals by default.
        validate_args: As in ``torch.distributions``.

    References:
        Mohamed, Lakshminarayanan (2016). Learning in implicit generative models. https://arxiv.org/abs/1610.03483

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> d = ImplicitDistribution(standard_normal(4), torch.nn.Linear(4, 2), event_shape=(2,))
        >>> d.expand((3,)).sample((5,)).shape
        torch.Size([5, 3, 2])
    """

    log_prob_kind: LogProbKind = "none"

    def __init__(
        self,
        base: torch.distributions.Distribution,
        generator: Callable[[Tensor], Tensor],
        event_shape: Sequence[int],
        *,
        support: Constraint | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._base = base
        self.generator = generator
        rank = len(tuple(event_shape))
        self._support = constraints.independent(constraints.real, rank) if support is None else support
        super().__init__(base.batch_shape, torch.Size(event_shape), validate_args=validate_args)

    @property
    def base_dist(self) -> torch.distributions.Distribution:
        """The noise, in the dtype and on the device of the generator where it leaves them open."""
        return located(self._base, self.generator)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the noise can be reparameterized."""
        return bool(self._base.has_rsample)

    @constraints.dependent_property
    def support(self) -> Constraint:
        """Where the draws lie."""
        return self._support

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape; the generator is shared."""
        new = self._expanded(batch_shape, _instance)
        new._base = self._base.expand(torch.Size(batch_shape))
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients."""
        with torch.no_grad():
            return self._generated(self.base_dist.sample(torch.Size(sample_shape)))

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]``, differentiable in the generator's parameters."""
        return self._generated(self.base_dist.rsample(torch.Size(sample_shape)))

    def _generated(self, noise: Tensor) -> Tensor:
        rank = len(self._base.event_shape)
        lead = noise.shape[: noise.dim() - rank]
        drawn = self.generator(noise.reshape(lead.numel(), *self._base.event_shape))
        if drawn.shape != (lead.numel(), *self.event_shape):
            raise ValueError(
                f"`generator` must return shape {(lead.numel(), *self.event_shape)}; it returned {tuple(drawn.shape)}."
            )
        return drawn.reshape(*lead, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Not available.

        Raises:
            DensityUnavailable: always.
        """
        raise DensityUnavailable(
            type(self).__name__,
            "an implicit distribution can only be drawn from",
            "`probgen.infer.Adversarial`, or `.mask(False)`",
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base}, event_shape={tuple(self.event_shape)})"

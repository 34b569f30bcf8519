r"""A base, and surjections, bijectors and stochastic layers on top of it, as one distribution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Transform

from probgen.distributions._checks import ContextError
from probgen.distributions.conditional import ConditionalDistribution
from probgen.distributions.surjections.composed_map import ComposedMap, as_map
from probgen.distributions.surjections.push_forward import PushForward
from probgen.distributions.surjections.stochastic_map import StochasticMap

__all__ = ["SurjectiveDistribution", "SurjectiveLaw"]

Parts = StochasticMap | Transform | Sequence[StochasticMap | Transform]


class SurjectiveDistribution(PushForward):
    r"""The law of :math:`x` made from :math:`z \sim p_0` by surjections, bijectors and stochastic layers.

    Without generative surjections (nor stochastic layers) the density is exact. With them ``log_prob`` raises, ``bound`` and
    ``log_prob_estimate`` give lower bounds, and ``allow_estimate=True`` makes it usable at a training site.

    Args:
        base: The law :math:`p_0`, any torch or Pyro distribution, discrete ones included.
        transform: The map from the base to the data, or a sequence of maps and bijectors, applied left to right.
        context: The context that the map takes, ``[*context_batch, *context_shape]``; its batch broadcasts with the base's.
        allow_estimate: Let ``log_prob`` return the bound, fresh at every call.
        num_draws: Draws of the guides in that ``log_prob``.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the shapes do not fit, the base puts mass where the map is not defined, or there are no draws.
        ContextError: the context has another shape, or the map takes none.

    References:
        Nielsen, Jaini, Hoogeboom, Winther, Welling (2020). SurVAE flows: surjections to bridge the gap between VAEs and flows.
        https://arxiv.org/abs/2007.02731

    Example:
        >>> import torch
        >>> from probgen.distributions import SurjectiveDistribution, standard_normal
        >>> from probgen.distributions.bijectors import Exp, LowerTriangular
        >>> from probgen.distributions.surjections import AbsoluteValue, Rounding
        >>> counts = SurjectiveDistribution(standard_normal(2), LowerTriangular(2) >> Exp() >> Rounding())
        >>> counts.log_prob_kind, counts.log_prob_estimate(torch.ones(2), 100).kind
        ('lower', 'lower')
        >>> symmetric = SurjectiveDistribution(standard_normal(), [Exp(), AbsoluteValue().inv])
        >>> symmetric.log_prob_kind, symmetric.log_prob(torch.tensor(-1.0)) == symmetric.log_prob(torch.tensor(1.0))
        ('exact', tensor(True))
    """

    def __init__(
        self,
        base: torch.distributions.Distribution,
        transform: Parts,
        *,
        context: Tensor | None = None,
        allow_estimate: bool = False,
        num_draws: int = 1,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(
            base,
            _one_map(transform),
            context=context,
            allow_estimate=allow_estimate,
            num_draws=num_draws,
            validate_args=validate_args,
        )

    def condition(self, context: Tensor) -> SurjectiveDistribution:
        """Bind the context.

        Args:
            context: Shape ``[*context_batch, *context_shape]``; its batch broadcasts with the batch shape.

        Raises:
            ContextError: the map takes no context, it is bound already, or it has another shape.
        """
        if self.context is not None:
            raise ContextError(f"the context of {type(self).__name__} is already bound.")
        return SurjectiveDistribution(
            self._base,
            self.transform,
            context=context,
            allow_estimate=self.allow_estimate,
            num_draws=self.num_draws,
            validate_args=self._validate_args,
        )


class SurjectiveLaw(ConditionalDistribution):
    r"""A learned law made by surjections and bijectors; calling it gives a ``SurjectiveDistribution`` that can be trained on.

    As a module it can be trained (``probgen.infer.MaximumLikelihood``), saved and moved.

    Args:
        base: The law :math:`p_0`.
        transform: The map from the base to the data, or a sequence of maps and bijectors, applied left to right.
        num_draws: Draws of the guides in ``log_prob``, which is the bound.

    Example:
        >>> import torch
        >>> from probgen.distributions import SurjectiveLaw, standard_normal
        >>> from probgen.distributions.bijectors import LowerTriangular
        >>> from probgen.distributions.surjections import Rounding
        >>> law = SurjectiveLaw(standard_normal(2), [LowerTriangular(2), Rounding()])
        >>> law().log_prob(torch.zeros(5, 2)).shape, len(list(law.parameters()))
        (torch.Size([5]), 3)
    """

    def __init__(self, base: torch.distributions.Distribution, transform: Parts, *, num_draws: int = 1) -> None:
        super().__init__()
        self.base = base
        self.transform = _one_map(transform)
        self.num_draws = num_draws
        self.context_shape = self.transform.context_shape

    def _given(self, context: Tensor | None) -> SurjectiveDistribution:
        return SurjectiveDistribution(self.base, self.transform, context=context, allow_estimate=True, num_draws=self.num_draws)


def _one_map(transform: Parts) -> StochasticMap:
    return as_map(transform) if isinstance(transform, nn.Module | Transform) else ComposedMap(*transform)

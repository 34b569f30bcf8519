r"""A flow that is trained on integers: from a context to the law of the integers, whose noise may be learned, too.

.. math:: \log P(x \mid c) \ge \mathbb E_{u \sim q(\cdot \mid x)} \bigl[\log p(x + u \mid c) - \log q(u \mid x)\bigr], \qquad
   p = f(\cdot; c)_\# \, p_0

with the parameters of the bijector :math:`f` and of the noise :math:`q` in one module: maximizing the bound trains both.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.distributions import Distribution

from probgen.distributions._checks import require_context
from probgen.distributions.bijectors import Bijector
from probgen.distributions.dequantized import Dequantized
from probgen.distributions.standard import standard_normal
from probgen.distributions.transformed import TransformedDistribution

__all__ = ["DequantizedLaw"]


class DequantizedLaw(nn.Module):
    r"""A learned law of integers by a flow; calling it gives the distribution, whose ``log_prob`` is the bound of one draw.

    Args:
        bijector: The flow from the base to the data, in units of one level: a flow followed by
            ``probgen.data.logit_preprocessing(levels=256)``, for instance.
        levels: Number of levels; None for all integers.
        noise: From integers to a law on the unit cube, such as ``probgen.flows.dequantization_noise``; None for uniform noise.
        base: The law of the latent; None for the standard normal on the bijector's ``domain_shape``.

    Raises:
        TypeError: ``bijector`` is no bijector.
        ValueError: there is no base, and the bijector does not fix its ``domain_shape``; or ``levels`` is not positive.

    References:
        Theis, van den Oord, Bethge (2016). A note on the evaluation of generative models. https://arxiv.org/abs/1511.01844

        Ho, Chen, Srinivas, Duan, Abbeel (2019). Flow++. https://arxiv.org/abs/1902.00275

    Example:
        >>> import torch
        >>> from probgen.distributions import DequantizedLaw
        >>> from probgen.flows import neural_spline_coupling
        >>> model = DequantizedLaw(neural_spline_coupling(2, context_shape=(3,), layers=2), levels=8)
        >>> law = model(torch.zeros(5, 3))
        >>> law.log_prob_kind, law.sample().shape, law.log_prob(torch.ones(5, 2)).shape
        ('lower', torch.Size([5, 2]), torch.Size([5]))
    """

    def __init__(
        self,
        bijector: Bijector,
        levels: int | None = None,
        *,
        noise: nn.Module | None = None,
        base: Distribution | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(bijector, Bijector):
            raise TypeError(f"`bijector` must be a Bijector; got {type(bijector).__name__}.")
        if levels is not None and levels < 1:
            raise ValueError(f"`levels` must be at least 1; got {levels}.")
        if base is None and bijector.domain_shape is None:
            raise ValueError("`base` must be given where the bijector does not fix its `domain_shape`; got None.")
        self.bijector = bijector
        self.levels = levels
        self.noise = noise
        self.base = base if base is not None else standard_normal(tuple(bijector.domain_shape or ()))

    @property
    def context_shape(self) -> tuple[int, ...] | None:
        """Trailing shape of the context, or None."""
        return self.bijector.context_shape

    def forward(self, context: Tensor | None = None) -> Dequantized:
        """The law of an event, with the batch shape of the context.

        Args:
            context: Shape ``[*batch, *context_shape]``, if the flow takes one.

        Raises:
            ContextError: the flow takes no context, needs one, or one of another shape.
        """
        require_context(type(self).__name__, context, self.context_shape, ())
        bijector = self.bijector if context is None else self.bijector.condition(context)
        law = TransformedDistribution(self.base, bijector)
        return Dequantized(law, self.levels, noise=self.noise, allow_estimate=True)

r"""Integers as the rounding-down of a continuous distribution.

Let :math:`Y` have density :math:`p` on :math:`\mathbb R^D` and :math:`X = \lfloor Y \rfloor`. Then

.. math::

    P(x) = \int_{[0, 1)^D} p(x + u)\, \mathrm du
         = \mathbb E_{u \sim q(\cdot \mid x)} \left[ \frac{p(x + u)}{q(u \mid x)} \right],

where :math:`q` is uniform noise, or a learned (variational) distribution on the unit cube. By Jensen's inequality the log mean
of :math:`n` weights is a lower bound of :math:`\log P(x)` that grows with :math:`n`; there is no exact value. Hence
``log_prob`` raises unless the object was built with ``allow_estimate=True``, as one does at a training site.

With a number of levels :math:`L`, draws are clamped to :math:`0, \dots, L - 1`; the end cells then hold the tails, and the
bound stays a bound. It is the surjection ``Rounding`` on top of a law.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from probgen.distributions.surjections.push_forward import PushForward
from probgen.distributions.surjections.rounding import Rounding

__all__ = ["Dequantized"]


class Dequantized(PushForward):
    r"""The law of :math:`\lfloor Y \rfloor`, where :math:`Y` has a density.

    Args:
        distribution: The law of :math:`Y`, in units of one level.
        levels: Number of levels :math:`L`; None for all integers.
        noise: Function from integers ``x`` (as floating-point numbers ``[*sample, *batch, *event]``) to a distribution over
            the unit cube with the same events, and with ``rsample``; None for uniform noise.
        allow_estimate: Let ``log_prob`` return the bound from one draw of noise, fresh at every call.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: ``levels`` is not positive.

    References:
        Theis, van den Oord, Bethge (2016). A note on the evaluation of generative models. https://arxiv.org/abs/1511.01844
        Ho, Chen, Srinivas, Duan, Abbeel (2019). Flow++. https://arxiv.org/abs/1902.00275

    Example:
        >>> import torch
        >>> from pyro.distributions import Logistic
        >>> from probgen.distributions import Dequantized
        >>> d = Dequantized(Logistic(4.0, 1.0), levels=8)
        >>> d.log_prob_kind, d.support.check(d.sample((100,))).all()
        ('lower', tensor(True))
    """

    def __init__(
        self,
        distribution: torch.distributions.Distribution,
        levels: int | None = None,
        *,
        noise: Callable[[Tensor], torch.distributions.Distribution] | None = None,
        allow_estimate: bool = False,
        validate_args: bool | None = None,
    ) -> None:
        rounding = Rounding(levels, noise, event_dim=len(distribution.event_shape))
        super().__init__(distribution, rounding, allow_estimate=allow_estimate, validate_args=validate_args)
        self.levels = levels
        self.noise = noise

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base}, levels={self.levels})"

r"""One set of weights, many orders: order-agnostic training, and the mixture of all orders as a law.

A masked network has an order only through its masks, so the same weights serve K orders :math:`\sigma_k`. Trained on all,

.. math:: L(\theta) = -\frac1N \sum_n \frac1K \sum_k \log p_\theta(x_n \mid \sigma_k), \qquad
   p(x) = \frac1K \sum_k p_\theta(x \mid \sigma_k),

where the mixture is a law again, exact, and by Jensen's inequality never worse than the mean of its members:
:math:`-\log p(x) \le -\frac1K \sum_k \log p_\theta(x \mid \sigma_k)`. Each datum of a batch goes to one order, in turn: an
unbiased estimate of the sum over orders at the cost of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from probgen.autoregressive.masked import made
from probgen.distributions import AutoregressiveLaw, Mixture
from probgen.distributions.elements import Element
from probgen.infer import Objective
from probgen.nn import MADE

__all__ = ["OrderAgnosticLoss", "OrderEnsemble", "made_ensemble"]


class OrderEnsemble(nn.Module):
    r"""A module that returns the mixture of autoregressive laws, :math:`\frac1K \sum_k p(x \mid \sigma_k, c)`.

    Args:
        laws: The members, K laws of one event shape; they may share parameters.

    Raises:
        ValueError: there is none, or they differ in the shape of events or contexts.

    References:
        Uria, Murray, Larochelle (2014). A deep and tractable density estimator. https://arxiv.org/abs/1310.1757

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> ensemble = pg.autoregressive.made_ensemble((3, 3), orders=4, hidden=(32,))
        >>> law = ensemble()
        >>> torch.allclose(law.log_prob(ensemble.laws[0]().enumerate_support()).exp().sum(), torch.tensor(1.0))
        True
    """

    def __init__(self, laws: Sequence[AutoregressiveLaw]) -> None:
        super().__init__()
        if not laws:
            raise ValueError("`laws` must hold at least one law.")
        for name in ("event_shape", "context_shape"):
            found = {getattr(law, name) for law in laws}
            if len(found) > 1:
                raise ValueError(f"`laws` must agree in `{name}`; got {sorted(map(str, found))}.")
        self.laws = nn.ModuleList(laws)
        self.event_shape = laws[0].event_shape
        self.context_shape = laws[0].context_shape

    def forward(self, context: Tensor | None = None) -> Mixture:
        """The mixture, with the batch shape of the context."""
        laws = [law(context) for law in self.laws]
        return Mixture(laws, laws[0]._reference().new_zeros(len(laws)))


class OrderAgnosticLoss(Objective):
    r"""Minus the mean log-likelihood over data and orders, in nats; datum n is scored in the order :math:`n \bmod K`.

    Args:
        ensemble: The members, sharing their weights.

    References:
        Uria, Murray, Larochelle (2014). A deep and tractable density estimator. https://arxiv.org/abs/1310.1757

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> ensemble = pg.autoregressive.made_ensemble((4,), orders=2, hidden=(8,))
        >>> x = torch.tensor([[0.0, 1.0, 1.0, 0.0]]).expand(2, 4)
        >>> members = torch.stack([law().log_prob(x[0]) for law in ensemble.laws])
        >>> torch.allclose(pg.autoregressive.OrderAgnosticLoss(ensemble)(x), -members.mean())
        True
    """

    def __init__(self, ensemble: OrderEnsemble) -> None:
        super().__init__()
        self.ensemble = ensemble

    def forward(self, x: Tensor, context: Tensor | None = None, player: str = "model") -> Tensor:
        """The loss of data ``[n, *event]``, with a context ``[n, *context_shape]`` if there is one: a scalar."""
        count = len(self.ensemble.laws)
        terms = [
            law(None if context is None else context[k::count]).log_prob(x[k::count]).sum()
            for k, law in enumerate(self.ensemble.laws)
        ]
        return -torch.stack(terms).sum() / max(len(x), 1)


def made_ensemble(
    event_shape: Sequence[int],
    element: Element | None = None,
    *,
    orders: int = 8,
    masks: bool = True,
    seed: int = 0,
    **options: Any,
) -> OrderEnsemble:
    """Masked networks in several random orders, all of one set of weights; train them by ``OrderAgnosticLoss``.

    Args:
        event_shape: Shape of an event.
        element: The law of a position; Bernoulli by default.
        orders: How many orders, K; the first is the positions' own.
        masks: Whether each order also draws what every hidden unit sees.
        seed: Fixes the other orders.
        **options: As for ``made``, but for ``order`` and ``seed``.

    Raises:
        ValueError: there is no order.

    References:
        Germain, Gregor, Murray, Larochelle (2015). MADE: masked autoencoder for distribution estimation, section 4.2.
        https://arxiv.org/abs/1502.03509

    Example:
        >>> import probgen as pg
        >>> ensemble = pg.autoregressive.made_ensemble((8, 8), orders=4, hidden=(32,))
        >>> one = pg.autoregressive.made((8, 8), hidden=(32,))
        >>> sum(p.numel() for p in ensemble.parameters()) == sum(p.numel() for p in one.parameters())
        True
    """
    if orders < 1:
        raise ValueError(f"`orders` must be positive; got {orders}.")
    first = made(event_shape, element, **options)
    generator, laws = torch.Generator().manual_seed(seed), [first]
    for number in range(1, orders):
        order = torch.randperm(first.network.features, generator=generator).tolist()
        network = cast(MADE, first.network).reordered(order, seed=number if masks else None)
        laws.append(AutoregressiveLaw(network, event_shape, first.element, first.embedding))
    return OrderEnsemble(laws)

r"""The logarithm of :math:`\det(I + J)` from products with :math:`J` alone, and weights for its gradient.

For :math:`\lVert J \rVert < 1`, with probes :math:`\mathbb E[v v^\top] = I`,

.. math::

    \log\det(I + J) = \sum_{k \ge 1} \frac{(-1)^{k+1}}{k} \operatorname{tr} J^k
    = \mathbb E \sum_{k \ge 1} \frac{(-1)^{k+1}}{k}\, v^\top J^k v .

One loop over :math:`v_k = J^\top v_{k-1}`, :math:`v_0 = v`, gives two things: the value
:math:`\sum_k \frac{(-1)^{k+1}}{k} w_k\, v_k^\top v`, where :math:`w_k` is one or the weight of a random truncation, and

.. math:: u = \sum_{k \ge 1} (-1)^{k+1} w_k\, v_{k-1}, \qquad
    \mathbb E[u^\top\, \partial J\, v] = \operatorname{tr}\bigl((I + J)^{-1} \partial J\bigr) = \partial \log\det(I + J),

the Neumann series of :math:`(I + J)^{-\top} v`. So the gradient needs *one* differentiable product, :math:`u^\top J v` with
:math:`u` held fixed, however many terms the value has.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from probgen.distributions.numerics.layered_map import LayeredJacobian
from probgen.distributions.numerics.random_truncation import RandomTruncation
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["log_det_series", "shrinking_log_det_series", "truncation_bound"]


def log_det_series(
    transposed_product: Callable[[Tensor], Tensor],
    probes: Tensor,
    terms: int | Tensor,
    law: RandomTruncation | None = None,
    *,
    event_dim: int = 1,
) -> tuple[Tensor, Tensor]:
    r"""Return :math:`\sum_k \frac{(-1)^{k+1}}{k} w_k\, v^\top J^k v` and the weights :math:`u` of its gradient.

    Args:
        transposed_product: Maps ``v`` to :math:`J^\top v`, ``[k, *batch, *event]`` to the same shape.
        probes: The :math:`v`, shape ``[k, *batch, *event]``.
        terms: How many terms: a number, or random numbers ``[k, *batch]`` drawn from ``law`` (then the largest is read).
        law: Where the numbers come from: term k has the weight :math:`w_k = 1 / P(N \ge k)` where it is taken. None: one.
        event_dim: The rank of an event.

    Returns:
        Values ``[k, *batch]`` in nats and the weights ``[k, *batch, *event]``.

    References:
        Chen, Behrmann, Duvenaud, Jacobsen (2019). Residual flows for invertible generative modeling.
        https://arxiv.org/abs/1906.02735

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.log_det_series import log_det_series
        >>> value, weights = log_det_series(lambda v: 0.5 * v, torch.ones(1, 1), 30)
        >>> value.exp(), weights  # det(1.5), and the inverse of 1.5
        (tensor([1.5000]), tensor([[0.6667]]))
    """
    lead = probes.shape[: probes.dim() - event_dim]
    weights, products, vector = torch.zeros_like(probes), torch.zeros_like(probes), probes
    count = terms if isinstance(terms, int) else (int(terms.max()) if terms.numel() else 0)
    for k in range(1, count + 1):
        sign = (-1.0) ** (k + 1)
        if isinstance(terms, Tensor):
            taken = (terms >= k).to(probes.dtype) * (sign / (1.0 if law is None else law.survival(k)))
            factor = taken.reshape(*lead, *(1,) * event_dim)
            weights = torch.addcmul(weights, factor, vector)
            vector = transposed_product(vector)
            products = torch.addcmul(products, factor, vector, value=1.0 / k)
        else:
            weights = torch.add(weights, vector, alpha=sign)
            vector = transposed_product(vector)
            products = torch.add(products, vector, alpha=sign / k)
    return sum_rightmost(products * probes, event_dim), weights


def shrinking_log_det_series(
    jacobian: LayeredJacobian, probes: Tensor, terms: Tensor, law: RandomTruncation, *, event_dim: int = 1
) -> tuple[Tensor, Tensor]:
    """The same as ``log_det_series`` for one probe and random numbers of terms, without history, computing no term in vain.

    Rows are sorted by their numbers of terms, and those that have had their last one leave the batch: the cost follows the mean
    of the numbers, not the largest. Every row keeps the number that was drawn for it.

    Args:
        jacobian: Multiplies with the transposed Jacobian.
        probes: The probe ``[1, N, *event]``.
        terms: Numbers of terms ``[1, N]``.
        law: Where they come from.
        event_dim: The rank of an event.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.layered_map import LayeredJacobian
        >>> from probgen.distributions.numerics.log_det_series import log_det_series, shrinking_log_det_series
        >>> from probgen.distributions.numerics.random_truncation import RandomTruncation
        >>> half, law = LayeredJacobian((lambda v: 0.5 * v,), ()), RandomTruncation(1)
        >>> probes, terms = torch.ones(1, 3, 1), torch.tensor([[2, 5, 1]])
        >>> shrinking_log_det_series(half, probes, terms, law)[0], log_det_series(half, probes, terms, law)[0]
        (tensor([[0.2500, 0.3917, 0.5000]]), tensor([[0.2500, 0.3917, 0.5000]]))
    """
    order = terms[0].argsort(descending=True)
    left = terms[0].bincount().flip(0).cumsum(0).flip(0)[1:].tolist()  # how many rows have at least one, two, ... terms
    jacobian, start = jacobian.ordered(order), probes[0].index_select(0, order)
    weights, products, vector = torch.zeros_like(start), torch.zeros_like(start), start
    for k, count in enumerate(left, 1):
        factor, vector = (-1.0) ** (k + 1) / law.survival(k), vector[:count]
        weights[:count].add_(vector, alpha=factor)
        vector = jacobian.first(count)(vector)
        products[:count].add_(vector, alpha=factor / k)
    value = sum_rightmost(products * start, event_dim)
    back = order.argsort()
    return value.index_select(0, back).unsqueeze(0), weights.index_select(0, back).unsqueeze(0)


def truncation_bound(lipschitz: float, dimension: int, terms: int) -> float:
    r"""How far :math:`n` terms of the series can be from :math:`\log\det(I + J)`.

    .. math::

        \Bigl|\sum_{k > n} \frac{(-1)^{k+1}}{k} \operatorname{tr} J^k\Bigr| \le
        D \sum_{k > n} \frac{\kappa^k}{k} = D \Bigl(-\log(1 - \kappa) - \sum_{k \le n} \frac{\kappa^k}{k}\Bigr)

    Args:
        lipschitz: The bound :math:`\kappa` of :math:`\lVert J \rVert`, in [0, 1).
        dimension: The number of coordinates :math:`D`.
        terms: The number of terms :math:`n`.

    Raises:
        ValueError: ``lipschitz`` is not in [0, 1).

    References:
        Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen (2019). Invertible residual networks, theorem 3.
        https://arxiv.org/abs/1811.00995

    Example:
        >>> from probgen.distributions.numerics.log_det_series import truncation_bound
        >>> round(truncation_bound(0.97, 2, 10), 2), round(truncation_bound(0.5, 2, 10), 6)
        (1.72, 0.000165)
    """
    if not 0.0 <= lipschitz < 1.0:
        raise ValueError(f"`lipschitz` must be in [0, 1); got {lipschitz}.")
    tail, term, k = 0.0, lipschitz ** (terms + 1), terms + 1
    while term / k > 1e-17 * (tail + 1e-300) and term > 0.0:
        tail, term, k = tail + term / k, term * lipschitz, k + 1
    return dimension * tail

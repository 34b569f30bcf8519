r"""Permutations from scores: the best assignment, and its smooth stand-in.

For scores :math:`S` the best permutation maximizes :math:`\sum_i S_{i \pi(i)}`, found by the Hungarian method in
:math:`O(n^3)`. Sinkhorn's iteration divides rows and columns of :math:`e^{S / \tau}` by their sums in turn; it converges to
a doubly stochastic matrix, which tends to the best permutation as :math:`\tau \to 0`.
"""

from __future__ import annotations

import torch
from torch import Tensor, library

__all__ = ["best_assignment", "sinkhorn"]


@library.custom_op("probgen::best_assignment", mutates_args=())
def _best_assignment(scores: Tensor) -> Tensor:
    from scipy.optimize import linear_sum_assignment

    flat = scores.detach().to("cpu", torch.float64).reshape(-1, *scores.shape[-2:])
    columns = [torch.as_tensor(linear_sum_assignment(matrix.numpy(), maximize=True)[1]) for matrix in flat]
    empty = torch.empty(0, scores.shape[-1], dtype=torch.long)
    return (torch.stack(columns) if columns else empty).to(scores.device, torch.long).reshape(scores.shape[:-1])


@_best_assignment.register_fake
def _(scores: Tensor) -> Tensor:
    return scores.new_empty(scores.shape[:-1], dtype=torch.long)


@_best_assignment.register_vmap
def _(info: object, in_dims: tuple[int | None], scores: Tensor) -> tuple[Tensor, int]:
    return _best_assignment(scores.movedim(in_dims[0] or 0, 0)), 0


def best_assignment(scores: Tensor) -> Tensor:
    r"""The permutation with the largest total score: integers :math:`\pi(0), \ldots, \pi(n - 1)`, shape ``[*batch, n]``.

    It is found on the CPU and has no derivative.

    Args:
        scores: Shape ``[*batch, n, n]``.

    References:
        Kuhn (1955). The Hungarian method for the assignment problem. https://doi.org/10.1002/nav.3800020109

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.assignment import best_assignment
        >>> best_assignment(torch.tensor([[0.0, 2.0], [3.0, 4.0]]))
        tensor([1, 0])
    """
    result: Tensor = _best_assignment(scores.detach())
    return result


def sinkhorn(scores: Tensor, *, temperature: float = 1.0, iterations: int = 20) -> Tensor:
    r"""Divide rows and columns of :math:`e^{S / \tau}` by their sums in turn, in logarithms; the last division is of columns.

    Args:
        scores: Shape ``[*batch, n, n]``.
        temperature: :math:`\tau > 0`.
        iterations: How many pairs of divisions.

    References:
        Mena, Belanger, Linderman, Snoek (2018). Learning latent permutations with Gumbel-Sinkhorn networks.
        https://arxiv.org/abs/1802.08665

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.assignment import sinkhorn
        >>> sinkhorn(torch.tensor([[0.0, 9.0], [9.0, 0.0]])).round(decimals=2)
        tensor([[0., 1.],
                [1., 0.]])
    """
    log_matrix = scores / temperature
    for _ in range(iterations):
        log_matrix = log_matrix.log_softmax(-1).log_softmax(-2)
    return log_matrix.exp()

r"""Least squares: the critic regresses labels, ``b`` for data and ``a`` for draws; the generator wants the label ``c``.

.. math:: L_\text{critic} = \tfrac12 \mathbb E_p[(v - b)^2] + \tfrac12 \mathbb E_q[(v - a)^2],
    \qquad L_\text{generator} = \tfrac12 \mathbb E_q[(v - c)^2]

The best critic is the regression function :math:`v^* = (b\,p + a\,q)/(p + q)`. Put in, with
:math:`\int \frac{pq}{p + q} = \frac{2 - \Delta}{4}`, it gives the loss :math:`\tfrac{(b - a)^2}{8} (2 - \Delta)`, where

.. math:: \Delta(p, q) = \int \frac{(p - q)^2}{p + q}

is Pearson's :math:`\chi^2` of :math:`p + q` against :math:`2 q`: between 0 (equal laws) and 2 (disjoint ones).
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.infer.divergences.divergence import PointwiseDivergence

__all__ = ["LeastSquares"]


class LeastSquares(PointwiseDivergence):
    r"""The least-squares game; its divergence is :math:`\Delta = \chi^2(p + q \,\|\, 2q) = \int (p - q)^2/(p + q)`.

    With ``b - c = 1`` and ``b - a = 2``, as in (-1, 1, 0), the generator minimizes :math:`\Delta` up to a term of the data;
    with the default labels it wants its draws to be taken for data.

    Args:
        a: The label of draws.
        b: The label of data.
        c: The label that the generator wants its draws to get.

    Raises:
        ValueError: data and draws have the same label.

    References:
        Mao et al. (2017). Least squares generative adversarial networks. https://arxiv.org/abs/1611.04076

    Example:
        >>> import torch
        >>> from probgen.infer import LeastSquares
        >>> divergence = LeastSquares(a=-1.0, b=1.0, c=0.0)
        >>> divergence.best_output(torch.tensor([-50.0, 0.0, 50.0]))  # surely a draw, no idea, surely data
        tensor([-1.,  0.,  1.])
        >>> divergence.estimate(torch.ones(4), -torch.ones(4))  # data and draws told apart without error
        tensor(2.)
    """

    def __init__(self, a: float = 0.0, b: float = 1.0, c: float = 1.0) -> None:
        super().__init__()
        if a == b:
            raise ValueError(f"the labels `a` of draws and `b` of data must differ; both are {a}.")
        self.a, self.b, self.c = a, b, c

    def data_term(self, output: Tensor) -> Tensor:
        r""":math:`\tfrac12 (v - b)^2`."""
        return (output - self.b).square() / 2

    def draw_term(self, output: Tensor) -> Tensor:
        r""":math:`\tfrac12 (v - a)^2`."""
        return (output - self.a).square() / 2

    def generator_term(self, output: Tensor) -> Tensor:
        r""":math:`\tfrac12 (v - c)^2`."""
        return (output - self.c).square() / 2

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        r"""A lower bound of :math:`\Delta`: :math:`2 - 8 L_\text{critic}/(b - a)^2`."""
        return 2 - self.critic_loss(real, fake) * (8 / (self.b - self.a) ** 2)

    def log_ratio(self, output: Tensor) -> Tensor:
        r""":math:`\log (v - a) - \log (b - v)`; outputs beyond the labels count as the largest ratio there is."""
        share = (output - self.a) / (self.b - self.a)
        return torch.logit(share, eps=torch.finfo(output.dtype).eps)

    def best_output(self, log_ratio: Tensor) -> Tensor:
        r""":math:`a + (b - a)\, \sigma(\log p/q)`."""
        return self.a + (self.b - self.a) * torch.sigmoid(log_ratio)

    def extra_repr(self) -> str:
        """The labels."""
        return f"a={self.a}, b={self.b}, c={self.c}"

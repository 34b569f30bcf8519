r"""Maximum likelihood for a law that is a module: from a context to a distribution that can be scored.

.. math:: L(\theta) = -\frac1N \sum_{n=1}^N \log p_\theta(x_n \mid c_n)

in nats. Minimizing it fits :math:`\theta` to the data in Kullback–Leibler divergence; on held-out data it *is* the cross
entropy, the length of a code. A Pyro program with the law at one site has the same loss, summed: ``ELBO()(model)``. This is the
way without a program, for ``AutoregressiveLaw`` and everything else that is called with a context and returns a law.
"""

from __future__ import annotations

from typing import Literal, cast

from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.infer.objective import Objective

__all__ = ["MaximumLikelihood"]


class MaximumLikelihood(Objective):
    r"""The negative log-likelihood of a law, :math:`-\frac1N \sum_n \log p(x_n \mid c_n)`, in nats.

    Args:
        law: A module that returns a distribution with a ``log_prob``, called without arguments, or with a context.
        reduction: "mean" over the data, or their "sum", as ``ELBO`` has it.

    Raises:
        ValueError: the reduction has another name.

    References:
        Fisher (1922). On the mathematical foundations of theoretical statistics. https://doi.org/10.1098/rsta.1922.0009

    Example:
        >>> import torch
        >>> from probgen.distributions import AutoregressiveLaw
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.infer import MaximumLikelihood
        >>> from probgen.nn import MADE
        >>> law, x = AutoregressiveLaw(MADE(9, 1, hidden=(16,)), (3, 3), BernoulliElement()), torch.ones(5, 3, 3)
        >>> torch.allclose(MaximumLikelihood(law)(x), -law().log_prob(x).mean())
        True
    """

    def __init__(self, law: nn.Module, *, reduction: Literal["mean", "sum"] = "mean") -> None:
        super().__init__()
        if reduction not in ("mean", "sum"):
            raise ValueError(f"`reduction` must be 'mean' or 'sum'; got {reduction!r}.")
        self.law = law
        self.reduction = reduction

    def forward(self, x: Tensor, context: Tensor | None = None, player: str = "model") -> Tensor:
        """The loss of data ``[*batch, *event]``, with a context ``[*batch, *context_shape]`` if the law takes one: a scalar."""
        law = cast(TorchDistribution, self.law() if context is None else self.law(context))
        log_prob: Tensor = law.log_prob(x)
        if self.reduction == "sum":
            return -log_prob.sum()
        return -log_prob.sum() / max(log_prob.numel(), 1)

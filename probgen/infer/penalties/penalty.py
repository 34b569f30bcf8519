r"""What a penalty of the critic is: a weight times the mean of a term for each example.

The terms are *per example*: a norm is taken over the event's dimensions, never over the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

__all__ = ["Critic", "Penalty", "event_norm", "gradient_at"]

Critic: TypeAlias = Callable[[Tensor], Tensor]


class Penalty(nn.Module):
    r"""A penalty of the critic (abstract): :math:`\lambda \, \frac1N \sum_n r_n`.

    A subclass gives ``terms``.

    Args:
        weight: The weight :math:`\lambda`.

    Raises:
        ValueError: the weight is not positive.

    Example:
        >>> import torch
        >>> from probgen.infer import GradientPenalty
        >>> x = torch.randn(5, 3)
        >>> GradientPenalty(10.0)(lambda x: x[:, 0], x, x + 1)  # a 1-Lipschitz critic
        tensor(0.)
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        if not weight > 0:
            raise ValueError(f"`weight` must be positive; got {weight}.")
        self.weight = weight

    def terms(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """The terms of single examples, without the weight: ``[N]``.

        Args:
            critic: From events ``[N, *event]`` to outputs ``[N, ...]``; a context is bound in it.
            real: Data ``[N, *event]``.
            fake: Draws ``[N, *event]``.
        """
        raise NotImplementedError

    def forward(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """The weighted mean of the terms: a scalar.

        Args:
            critic: From events ``[N, *event]`` to outputs ``[N, ...]``.
            real: Data ``[N, *event]``.
            fake: Draws ``[N, *event]``.
        """
        terms = self.terms(critic, real, fake)
        return self.weight * terms.sum() / max(terms.numel(), 1)

    def extra_repr(self) -> str:
        """The weight."""
        return f"weight={self.weight}"


def gradient_at(critic: Critic, x: Tensor) -> Tensor:
    """The critic's gradient at single examples, ``[N, *event]``, differentiable in the critic's parameters.

    Where an example has several outputs it is the gradient of their sum; where the critic ignores the events it is zero.

    Args:
        critic: From events to outputs; an example's outputs must depend on that example only (no batch normalization).
        x: Where, ``[N, *event]``; treated as constants.

    Example:
        >>> import torch
        >>> from probgen.infer.penalties.penalty import gradient_at
        >>> gradient_at(lambda x: x.square().sum(1), torch.ones(2, 3))
        tensor([[2., 2., 2.],
                [2., 2., 2.]], grad_fn=<MulBackward0>)
    """
    at = x.detach().requires_grad_()
    with torch.enable_grad():
        total = critic(at).sum()
        gradient: Tensor = torch.autograd.grad(total, at, create_graph=True, materialize_grads=True)[0]
    return gradient


def event_norm(x: Tensor) -> Tensor:
    """The Euclidean norm of every example, ``[N]``; its gradient at zero is zero.

    Args:
        x: Shape ``[N, *event]``.

    Example:
        >>> import torch
        >>> from probgen.infer.penalties.penalty import event_norm
        >>> event_norm(torch.full((2, 2, 2), 3.0))
        tensor([6., 6.])
    """
    norm: Tensor = torch.linalg.vector_norm(x[:, None].flatten(1), dim=1)
    return norm

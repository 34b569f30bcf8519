r"""Consistency: the critic says the same of an example and of the example augmented.

.. math:: R = \lambda\, \mathbb E_p\bigl[\|v(x) - v(T(x))\|^2\bigr],
    \qquad \text{and if balanced also } \lambda\, \mathbb E_q\bigl[\|v(y) - v(T(y))\|^2\bigr]

:math:`T` is random and keeps what the data mean: small shifts, flips. Only the critic's objective changes, so the generator
does not learn to draw augmented data.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from probgen.infer.penalties.penalty import Critic, Penalty

__all__ = ["ConsistencyPenalty"]


class ConsistencyPenalty(Penalty):
    r"""The penalty :math:`\lambda \|v(x) - v(T(x))\|^2` on data, and on draws too if it is balanced.

    An example's outputs count by their mean square.

    Args:
        augmentation: A random change of events, ``[N, *event]`` to the same shape.
        weight: The weight :math:`\lambda`; 10 in the papers.
        balanced: Treat draws as data are treated; the weight serves both.

    Raises:
        ValueError: the weight is not positive.

    References:
        Zhang, Zhang, Odena, Lee (2020). Consistency regularization for generative adversarial networks.
        https://arxiv.org/abs/1910.12027

        Zhao, Singh, Lee, Zhang, Odena, Zhang (2021). Improved consistency regularization for GANs.
        https://arxiv.org/abs/2002.04724

    Example:
        >>> import torch
        >>> from probgen.infer import ConsistencyPenalty
        >>> x = torch.ones(4, 2)
        >>> ConsistencyPenalty(lambda x: x + 1, weight=10.0)(lambda x: x.sum(1), x, x)  # 10 * 2^2
        tensor(40.)
    """

    def __init__(self, augmentation: Callable[[Tensor], Tensor], weight: float = 10.0, *, balanced: bool = False) -> None:
        super().__init__(weight)
        self.augmentation = augmentation
        self.balanced = balanced

    def terms(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """Mean squared changes of the outputs, ``[N]``; those of the i-th draw are added to those of the i-th datum.

        Args:
            critic: From events ``[N, *event]`` to outputs ``[N, ...]``.
            real: Data ``[N, *event]``.
            fake: Draws ``[N, *event]``.

        Raises:
            ValueError: it is balanced and there are not as many draws as data.
        """
        if not self.balanced:
            return self._changes(critic, real.detach())
        if len(real) != len(fake):
            raise ValueError(f"a balanced penalty needs as many draws as data; got {len(fake)} and {len(real)}.")
        return self._changes(critic, real.detach()) + self._changes(critic, fake.detach())

    def _changes(self, critic: Critic, x: Tensor) -> Tensor:
        change = critic(x) - critic(self.augmentation(x))
        return change[:, None].flatten(1).square().mean(1)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"weight={self.weight}, balanced={self.balanced}"

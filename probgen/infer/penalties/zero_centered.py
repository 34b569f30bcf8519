r"""Zero-centered gradient penalties: the critic is flat where the data (R1) or the draws (R2) are.

.. math:: R_1 = \frac\gamma2\, \mathbb E_p\bigl[\|\nabla v(x)\|^2\bigr], \qquad
    R_2 = \frac\gamma2\, \mathbb E_q\bigl[\|\nabla v(y)\|^2\bigr]

At the equilibrium :math:`p = q` the best critic is flat, so, unlike a slope of one, they do not move it. Near it they make
the rotation of a two-player game a spiral inwards: for the Dirac-GAN, with a point mass each and :math:`v(x) = \psi x`, the
Jacobian of the game has eigenvalues :math:`\tfrac12\bigl(-\gamma \pm \sqrt{\gamma^2 - 1}\bigr)`, and :math:`\pm \tfrac i2`
without the penalty.
"""

from __future__ import annotations

from torch import Tensor

from probgen.infer.penalties.penalty import Critic, Penalty, gradient_at

__all__ = ["R1", "R2"]


class R1(Penalty):
    r"""The penalty :math:`\frac\gamma2 \|\nabla v(x)\|^2` on data. The half is part of it, as in the paper.

    Args:
        weight: The weight :math:`\gamma`; 10 for small images, more for large ones.

    Raises:
        ValueError: the weight is not positive.

    References:
        Mescheder, Geiger, Nowozin (2018). Which training methods for GANs do actually converge?
        https://arxiv.org/abs/1801.04406

    Example:
        >>> import torch
        >>> from probgen.infer import R1
        >>> x = torch.randn(8, 2)
        >>> R1(1.0)(lambda x: x @ torch.tensor([3.0, 4.0]), x, x)  # 25 / 2
        tensor(12.5000)
    """

    def __init__(self, weight: float = 10.0) -> None:
        super().__init__(weight)

    def terms(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        r""":math:`\tfrac12 \|\nabla v\|^2` at every example of the data, ``[N]``.

        Args:
            critic: From events ``[N, *event]`` to outputs ``[N, ...]``.
            real: Data ``[N, *event]``.
            fake: Not used.
        """
        return half_squared_slope(critic, real)


class R2(Penalty):
    r"""The penalty :math:`\frac\gamma2 \|\nabla v(y)\|^2` on draws. The half is part of it, as in the paper.

    Args:
        weight: The weight :math:`\gamma`.

    Raises:
        ValueError: the weight is not positive.

    References:
        Mescheder, Geiger, Nowozin (2018). Which training methods for GANs do actually converge?
        https://arxiv.org/abs/1801.04406

    Example:
        >>> import torch
        >>> from probgen.infer import R2
        >>> R2(2.0)(lambda x: x.square().sum(1) / 2, torch.zeros(1, 1), torch.tensor([[3.0]])).detach()
        tensor(9.)
    """

    def __init__(self, weight: float = 10.0) -> None:
        super().__init__(weight)

    def terms(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        r""":math:`\tfrac12 \|\nabla v\|^2` at every draw, ``[M]``; the generator gets no gradient from it.

        Args:
            critic: From events ``[M, *event]`` to outputs ``[M, ...]``.
            real: Not used.
            fake: Draws ``[M, *event]``.
        """
        return half_squared_slope(critic, fake)


def half_squared_slope(critic: Critic, x: Tensor) -> Tensor:
    r"""Half the squared norm of the critic's gradient at single examples, ``[N]``.

    Args:
        critic: From events to outputs.
        x: Where, ``[N, *event]``.

    Example:
        >>> import torch
        >>> from probgen.infer.penalties.zero_centered import half_squared_slope
        >>> float(half_squared_slope(lambda x: 2 * x[:, 0], torch.zeros(1, 3)))
        2.0
    """
    return gradient_at(critic, x)[:, None].flatten(1).square().sum(1) / 2

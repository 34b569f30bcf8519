r"""The hinge game: the critic stops pushing where it is right by a margin of one.

.. math:: L_\text{critic} = \mathbb E_p[\max(0, 1 - v)] + \mathbb E_q[\max(0, 1 + v)],
    \qquad L_\text{generator} = -\mathbb E_q[v]

The best critic is :math:`v^* = \operatorname{sign}(p - q)`; its loss is :math:`2 - 2\,\mathrm{TV}(p, q)`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import relu

from probgen.infer.divergences.divergence import PointwiseDivergence

__all__ = ["Hinge"]


class Hinge(PointwiseDivergence):
    r"""The hinge game; its divergence is the total variation.

    References:
        Lim, Ye (2017). Geometric GAN. https://arxiv.org/abs/1705.02894

        Miyato et al. (2018). Spectral normalization for generative adversarial networks. https://arxiv.org/abs/1802.05957

    Example:
        >>> import torch
        >>> from probgen.infer import Hinge
        >>> Hinge().critic_loss(torch.zeros(4), torch.zeros(4))
        tensor(2.)
    """

    def data_term(self, output: Tensor) -> Tensor:
        r""":math:`\max(0, 1 - v)`."""
        return relu(1 - output)

    def draw_term(self, output: Tensor) -> Tensor:
        r""":math:`\max(0, 1 + v)`."""
        return relu(1 + output)

    def generator_term(self, output: Tensor) -> Tensor:
        """Minus the output."""
        return -output

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        """A lower bound of the total variation: one minus half the loss."""
        return 1 - self.critic_loss(real, fake) / 2

    def best_output(self, log_ratio: Tensor) -> Tensor:
        r""":math:`\operatorname{sign} \log(p/q)`: which is likelier, not by how much, so there is no ``log_ratio``."""
        return torch.sign(log_ratio)

r"""The LeCam penalty: outputs stay near the moving means of the other side.

.. math:: R = \lambda \bigl( \mathbb E_p[(v(x) - \alpha_q)^2] + \mathbb E_q[(v(y) - \alpha_p)^2] \bigr),
    \qquad \alpha_p, \alpha_q \text{ moving means of } v \text{ on data and on draws}

With little data a critic learns them by heart and its outputs drift apart; the penalty pulls them together. With the
Wasserstein losses the game then minimizes a weighted LeCam divergence :math:`\int (p - q)^2/(p + q)`, as least squares does.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.infer.penalties.penalty import Critic, Penalty

__all__ = ["LeCamPenalty"]


class LeCamPenalty(Penalty):
    r"""The penalty :math:`\lambda [(v(x) - \alpha_q)^2 + (v(y) - \alpha_p)^2]`.

    The moving means are buffers; they advance at every use in training mode, after which that batch is scored. In evaluation
    mode they stand still.

    Args:
        weight: The weight :math:`\lambda`.
        decay: How much of a moving mean is kept at every step.

    Raises:
        ValueError: the weight is not positive, or the decay not in [0, 1).

    References:
        Tseng, Jiang, Liu, Yang, Yang (2021). Regularizing generative adversarial networks under limited data.
        https://arxiv.org/abs/2104.03310

    Example:
        >>> import torch
        >>> from probgen.infer import LeCamPenalty
        >>> penalty = LeCamPenalty(1.0).eval()  # both means still zero
        >>> penalty(lambda x: x, torch.tensor([1.0]), torch.tensor([2.0]))
        tensor(5.)
    """

    of_real: Tensor
    of_fake: Tensor

    def __init__(self, weight: float = 0.3, *, decay: float = 0.99) -> None:
        super().__init__(weight)
        if not 0 <= decay < 1:
            raise ValueError(f"`decay` must be in [0, 1); got {decay}.")
        self.decay = decay
        self.register_buffer("of_real", torch.zeros(()))
        self.register_buffer("of_fake", torch.zeros(()))

    def terms(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """Mean squared distances of the outputs to the other side's moving mean, ``[N]``.

        Args:
            critic: From events ``[N, *event]`` to outputs ``[N, ...]``.
            real: Data ``[N, *event]``.
            fake: Draws ``[N, *event]``.

        Raises:
            ValueError: there are not as many draws as data.
        """
        if len(real) != len(fake):
            raise ValueError(f"the penalty needs as many draws as data; got {len(fake)} and {len(real)}.")
        outputs, of_draws = (critic(x.detach())[:, None].flatten(1) for x in (real, fake))
        if self.training:
            self._advance(outputs.detach(), of_draws.detach())
        # The buffers change in place at the next step; the graph of this one keeps copies.
        to_draws = (outputs - self.of_fake.to(outputs, copy=True)).square().mean(1)
        return to_draws + (of_draws - self.of_real.to(outputs, copy=True)).square().mean(1)

    def _advance(self, outputs: Tensor, of_draws: Tensor) -> None:
        with torch.no_grad():
            for buffer, values in ((self.of_real, outputs), (self.of_fake, of_draws)):
                if values.numel():
                    buffer.lerp_(values.mean().to(buffer), 1 - self.decay)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"weight={self.weight}, decay={self.decay}"

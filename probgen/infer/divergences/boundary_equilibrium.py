r"""Boundary equilibrium: the critic is an autoencoder, its output how badly it reconstructs.

.. math:: v(x) = \|x - A(x)\|, \qquad
    L_\text{critic} = \mathbb E_p[v] - k_t\, \mathbb E_q[v], \qquad L_\text{generator} = \mathbb E_q[v]

The critic reconstructs data well and draws badly, but draws only so much that draws stay at :math:`\gamma` times the error of
data; the *balance* :math:`k` is a state that follows,

.. math:: k_{t+1} = \min\bigl(1, \max\bigl(0,\, k_t + \lambda (\gamma\, \mathbb E_p[v] - \mathbb E_q[v])\bigr)\bigr),
    \qquad k_0 = 0.

Small :math:`\gamma` gives sharp draws that vary little, large :math:`\gamma` the opposite. What is watched is the
*convergence measure*

.. math:: M = \mathbb E_p[v] + \bigl|\gamma\, \mathbb E_p[v] - \mathbb E_q[v]\bigr|,

small where data are reconstructed and the balance holds. Reconstruction errors are numbers on the line, and
:math:`|\mathbb E_p[v] - \mathbb E_q[v]|` is a lower bound of the Wasserstein-1 distance between their laws; :math:`M` is not
a distance between :math:`p` and :math:`q`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probgen.infer.divergences.divergence import Divergence, mean_score

__all__ = ["BoundaryEquilibrium", "ReconstructionCritic"]


class ReconstructionCritic(nn.Module):
    r"""An autoencoder as a critic: :math:`v(x) = \frac1D \sum_d |x_d - A(x)_d|^\eta`.

    Args:
        autoencoder: From events ``[N, *event]`` (and a context, where there is one) to reconstructions of the same shape.
        power: The exponent :math:`\eta`, 1 or 2 in the paper.

    Raises:
        ValueError: the exponent is less than one.

    References:
        Berthelot, Schumm, Metz (2017). BEGAN: boundary equilibrium generative adversarial networks.
        https://arxiv.org/abs/1703.10717

    Example:
        >>> import torch
        >>> from probgen.infer import ReconstructionCritic
        >>> ReconstructionCritic(torch.nn.ReLU())(torch.tensor([[1.0, -3.0], [0.0, 0.0]]))  # negative numbers are lost
        tensor([1.5000, 0.0000])
    """

    def __init__(self, autoencoder: nn.Module, power: float = 1.0) -> None:
        super().__init__()
        if power < 1:
            raise ValueError(f"`power` must be at least 1; got {power}.")
        self.autoencoder = autoencoder
        self.power = power

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The mean error of every example, ``[N]``.

        Args:
            x: Events ``[N, *event]``.
            context: Shape ``[N, *context_shape]``, where the autoencoder takes one.

        Raises:
            ValueError: the reconstructions have another shape.
        """
        reconstruction: Tensor = self.autoencoder(x) if context is None else self.autoencoder(x, context)
        if reconstruction.shape != x.shape:
            raise ValueError(f"`autoencoder` must return shape {tuple(x.shape)}; it returned {tuple(reconstruction.shape)}.")
        return (x - reconstruction).abs().pow(self.power)[:, None].flatten(1).mean(1)

    def extra_repr(self) -> str:
        """The exponent."""
        return f"power={self.power}"


class BoundaryEquilibrium(Divergence):
    r"""The game of boundary equilibrium (BEGAN); its critic gives errors, such as :class:`ReconstructionCritic`.

    The balance is a buffer, saved with the model. Under several processes each moves its own by its share of the batch, unless
    buffers are broadcast.

    Args:
        gamma: The ratio of errors of draws to errors of data to hold, in (0, 1].
        rate: How fast the balance moves, :math:`\lambda`.

    Raises:
        ValueError: either is out of its range.

    References:
        Berthelot, Schumm, Metz (2017). BEGAN: boundary equilibrium generative adversarial networks.
        https://arxiv.org/abs/1703.10717

    Example:
        >>> import torch
        >>> from probgen.infer import BoundaryEquilibrium
        >>> divergence = BoundaryEquilibrium(gamma=0.5, rate=0.1)
        >>> real, fake = torch.tensor([4.0]), torch.tensor([1.0])  # errors of draws below half of those of data
        >>> divergence.advance(real, fake)
        >>> divergence.balance, divergence.critic_loss(real, fake), divergence.estimate(real, fake)
        (tensor(0.1000), tensor(3.9000), tensor(5.))
    """

    balance: Tensor

    def __init__(self, gamma: float = 0.5, rate: float = 1e-3) -> None:
        super().__init__()
        if not 0 < gamma <= 1:
            raise ValueError(f"`gamma` must be in (0, 1]; got {gamma}.")
        if not rate > 0:
            raise ValueError(f"`rate` must be positive; got {rate}.")
        self.gamma = gamma
        self.rate = rate
        self.register_buffer("balance", torch.zeros(()))

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """The error of data less the balance times the error of draws.

        Args:
            real: Errors of data, ``[N, ...]``.
            fake: Errors of draws, ``[M, ...]``.
        """
        # A copy: `advance` may change the buffer before this loss is differentiated.
        balance = self.balance.to(fake, copy=True)
        return mean_score(real) - balance * mean_score(fake)

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The error of draws.

        Args:
            fake: Errors of draws, ``[M, ...]``.
            real: Not used.
        """
        return mean_score(fake)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        """The convergence measure M, in units of the errors: smaller is better; not a bound of a divergence.

        Args:
            real: Errors of data, ``[N, ...]``.
            fake: Errors of draws, ``[M, ...]``.
        """
        return mean_score(real) + self._imbalance(real, fake).abs()

    def advance(self, real: Tensor, fake: Tensor) -> None:
        """Move the balance by the rate times the imbalance; without host synchronization.

        Args:
            real: Errors of data, ``[N, ...]``.
            fake: Errors of draws, ``[M, ...]``.
        """
        with torch.no_grad():
            self.balance.add_(self.rate * self._imbalance(real, fake).to(self.balance)).clamp_(0, 1)

    def _imbalance(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.gamma * mean_score(real) - mean_score(fake)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"gamma={self.gamma}, rate={self.rate}"

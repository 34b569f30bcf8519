r"""Relativistic divergences: the critic says which of two is the data, not whether one is.

Draw a pair :math:`(x, y) \sim p \otimes q`. A critic of pairs :math:`v(x) - v(y)` compares :math:`P = p \otimes q`, data
first, with :math:`Q = q \otimes p`, data last. Any divergence of one example becomes one of pairs,

.. math:: L_\text{critic} = \tfrac12 \mathbb E\bigl[\ell_p(v(x) - v(y)) + \ell_q(v(y) - v(x))\bigr],
    \qquad L_\text{generator} = \tfrac12 \mathbb E\bigl[\ell_p(v(y) - v(x)) + \ell_q(v(x) - v(y))\bigr]:

the generator plays the critic's game with the roles exchanged. For the cross entropy both terms are the same and
:math:`L_\text{critic} = \mathbb E[\operatorname{softplus}(v(y) - v(x))]`. There the best pair critic, the log-ratio of
:math:`P` to :math:`Q`,

.. math:: \log \frac{p(x)\, q(y)}{q(x)\, p(y)} = v^*(x) - v^*(y), \qquad v^* = \log \frac pq + \text{constant},

is a difference, so the bound of :math:`\mathrm{JS}(p \otimes q, q \otimes p)` is tight. The generator is moved by data as
well as by draws, and a constant added to the critic changes nothing.

The *average* form compares each example with the mean output of the other side,
:math:`\tilde v(x) = v(x) - \mathbb E_q[v]`, :math:`\tilde v(y) = v(y) - \mathbb E_p[v]`, and takes the sum of both terms.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probgen.infer.divergences.classic import Minimax, NonSaturating
from probgen.infer.divergences.divergence import Divergence, PointwiseDivergence, mean_score
from probgen.infer.penalties.penalty import Penalty

__all__ = ["Relativistic"]


class Relativistic(Divergence):
    r"""The relativistic form of a divergence: of :math:`p \otimes q` from :math:`q \otimes p`.

    ``Relativistic(NonSaturating())`` is RSGAN, with ``average=True`` RaSGAN; over ``LeastSquares(-1, 1, 1)`` RaLSGAN (with
    half of its loss), over ``Hinge()`` RaHingeGAN.

    Args:
        base: A pointwise divergence; its ``data_term`` and ``draw_term`` are used, and what holds its
            critic; its ``generator_term`` is not.
        average: Compare with the mean of the other side, rather than example with example.

    Raises:
        TypeError: ``base`` is not pointwise.

    References:
        Jolicoeur-Martineau (2019). The relativistic discriminator: a key element missing from standard GAN.
        https://arxiv.org/abs/1807.00734

        Jolicoeur-Martineau (2020). On relativistic f-divergences. https://arxiv.org/abs/1901.02474

    Example:
        >>> import torch
        >>> from probgen.infer import NonSaturating, Relativistic
        >>> divergence = Relativistic(NonSaturating())
        >>> real, fake = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.0])
        >>> torch.allclose(divergence.critic_loss(real, fake), divergence.critic_loss(real + 7, fake + 7))
        True
    """

    def __init__(self, base: PointwiseDivergence, *, average: bool = False) -> None:
        super().__init__()
        if not isinstance(base, PointwiseDivergence):
            raise TypeError(f"`base` must be a pointwise divergence, such as NonSaturating(); got {base!r}.")
        self.base = base
        self.average = average

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        """Those of the base: they hold the critic, whatever its outputs are compared with."""
        return self.base.penalties

    @property
    def generator_sees_data(self) -> bool:
        """It does: the generator's draws are compared with data."""
        return True

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """The base's loss on comparisons; half of it for pairs, since a pair is seen from both ends.

        Args:
            real: Outputs on data, ``[N, ...]``.
            fake: Outputs on draws, ``[N, ...]``; the i-th is compared with the i-th of ``real``.

        Raises:
            ValueError: pairs are compared and the shapes differ.
        """
        of_real, of_fake = self._comparisons(real, fake)
        loss = self.base.critic_loss(of_real, of_fake)
        return loss if self.average else loss / 2

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The critic's loss with the roles of data and draws exchanged.

        Args:
            fake: Outputs on draws, ``[N, ...]``.
            real: Outputs on data, ``[N, ...]``.

        Raises:
            ValueError: ``real`` is missing, or pairs are compared and the shapes differ.
        """
        if real is None:
            raise ValueError("`real` must be the critic's outputs on data: relativistic generators see them; got None.")
        return self.critic_loss(fake, real)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        r"""A lower bound of a divergence between p and q.

        For pairs it is the base's bound of :math:`D(p \otimes q \,\|\, q \otimes p)`. For averages, how far the loss is
        below that of a critic that knows nothing: the largest such value is a divergence of its own (Jolicoeur-Martineau
        2020) without a closed form; the means of a batch bias it.
        """
        if not self.average:
            return self.base.estimate(*self._comparisons(real, fake))
        nothing = self.base.critic_loss(torch.zeros_like(real), torch.zeros_like(fake))
        return nothing - self.critic_loss(real, fake)

    def best_output(self, log_ratio: Tensor) -> Tensor:
        r"""For pairs over a cross entropy the log-ratio itself (or with any constant added).

        Raises:
            NotImplementedError: the best critic of pairs is not a difference of outputs, or means are compared.
        """
        if self.average or not isinstance(self.base, Minimax | NonSaturating):
            return super().best_output(log_ratio)
        return log_ratio

    def constrain(self, critic: nn.Module) -> None:
        """As the base does."""
        self.base.constrain(critic)

    def _comparisons(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        if self.average:
            return real - mean_score(fake), fake - mean_score(real)
        if real.shape != fake.shape:
            raise ValueError(f"pairs need as many draws as data; got shapes {tuple(real.shape)} and {tuple(fake.shape)}.")
        return real - fake, fake - real

    def extra_repr(self) -> str:
        """Which form."""
        return f"average={self.average}"

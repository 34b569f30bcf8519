r"""CycleGAN: two translators between two kinds of data of which no pairs are known.

From examples :math:`a \sim p_A` and :math:`b \sim p_B`, drawn independently of each other, learn :math:`G: A \to B` and
:math:`F: B \to A` that minimize

.. math::

    D(p_B \,\|\, G_\# p_A) + D(p_A \,\|\, F_\# p_B)
    + \lambda\, \bigl(\mathbb E\, |F(G(a)) - a| + \mathbb E\, |G(F(b)) - b|\bigr)
    + \mu\, \bigl(\mathbb E\, |G(b) - b| + \mathbb E\, |F(a) - a|\bigr),

where each :math:`D` is seen by a critic, :math:`|\cdot|` is the mean over pixels of absolute differences, and :math:`\lambda =
10` in the paper: without its weight the cycle term hardly counts. The first two terms want the right marginals, the third one
that no information is lost. Neither says *which* example belongs to which: if :math:`T` is a symmetry of :math:`p_B`, then
:math:`(T G, F T^{-1})` has the same loss (:mod:`probgen.gan.reflection`). The last term asks a translator to leave alone what
is of its target's kind already; it can break that tie where the two kinds look alike.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.gan.critic_losses import CriticLosses
from probgen.gan.draw_pool import DrawPool
from probgen.infer.adversarial.law_module import LawModule
from probgen.infer.divergences.divergence import Divergence, mean_score
from probgen.infer.divergences.least_squares import LeastSquares
from probgen.infer.objective import Objective, Player
from probgen.infer.penalties import Penalty

__all__ = ["CycleGAN"]


class CycleGAN(Objective):
    r"""Two conditional laws, two critics, and the losses of both pairs; train it with ``infer.fit`` on batches ``(a, b)``.

    Args:
        law_ab: From events of A to the law of an event of B: an ``ImplicitLaw`` (with a context, the event of A), or another
            module that returns a distribution with ``rsample``.
        law_ba: From events of B to the law of an event of A.
        critic_a: From events of A to outputs ``[N, ...]``.
        critic_b: From events of B to outputs ``[N, ...]``.
        divergence: What the critics measure; least squares by default. One object serves both critics, so one with a state of
            its own must be copied: give a pair.
        cycle_weight: The weight :math:`\lambda` of the way there and back.
        identity_weight: The weight :math:`\mu` of leaving alone what is translated already; 5 for photographs in the authors'
            code. It needs events of one shape.
        pool_size: Earlier draws kept for each critic.
        penalties: Penalties of both critics; the second critic gets copies, for some have a state.

    Raises:
        ValueError: a weight is negative.

    References:
        Zhu, Park, Isola, Efros (2017). Unpaired image-to-image translation using cycle-consistent adversarial networks.
        https://arxiv.org/abs/1703.10593

    Example:
        >>> import torch
        >>> from probgen.gan import CycleGAN, deterministic_law
        >>> from probgen.infer import fit
        >>> there, back = (deterministic_law(torch.nn.Linear(1, 1), (1,), (1,)) for _ in range(2))
        >>> model = CycleGAN(there, back, torch.nn.Linear(1, 1), torch.nn.Linear(1, 1))
        >>> fit(model, [(torch.randn(8, 1), torch.randn(8, 1))] * 2, progress=False).players
        ['critics', 'generators']
        >>> model.law_ab(torch.zeros(5, 1)).sample().shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        law_ab: nn.Module,
        law_ba: nn.Module,
        critic_a: nn.Module,
        critic_b: nn.Module,
        *,
        divergence: Divergence | tuple[Divergence, Divergence] | None = None,
        cycle_weight: float = 10.0,
        identity_weight: float = 0.0,
        pool_size: int = 50,
        penalties: Sequence[Penalty] = (),
    ) -> None:
        super().__init__()
        if not (cycle_weight >= 0 and identity_weight >= 0):
            raise ValueError(
                f"`cycle_weight` and `identity_weight` must not be negative; got {cycle_weight}, {identity_weight}."
            )
        self.ab, self.ba = LawModule(law_ab), LawModule(law_ba)
        pair = divergence if isinstance(divergence, tuple) else (divergence or LeastSquares(),) * 2
        self.losses_a = CriticLosses(critic_a, pair[0], penalties)
        self.losses_b = CriticLosses(critic_b, pair[1], copy.deepcopy(tuple(penalties)))
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight
        self.pool_size = pool_size
        self.pool_a, self.pool_b = DrawPool(pool_size, _event_shape(law_ba)), DrawPool(pool_size, _event_shape(law_ab))

    @property
    def players(self) -> Mapping[str, Player]:
        """The two critics together, who begin every round, and the two translators."""
        critics = (*self.losses_a.critic.parameters(), *self.losses_b.critic.parameters())
        return {"critics": Player(critics), "generators": Player((*self.ab.parameters(), *self.ba.parameters()))}

    def law_ab(self, a: Tensor) -> TorchDistribution:
        """The law of what events ``[*batch, *event_a]`` of A become in B."""
        return self.ab(a)  # type: ignore[no-any-return]

    def law_ba(self, b: Tensor) -> TorchDistribution:
        """The law of what events ``[*batch, *event_b]`` of B become in A."""
        return self.ba(b)  # type: ignore[no-any-return]

    def forward(self, a: Tensor, b: Tensor, *, player: str = "generators") -> Tensor:
        """One player's loss on examples of both kinds: a scalar.

        Args:
            a: Examples of A, ``[N, *event_a]``.
            b: Examples of B, ``[M, *event_b]``; those in the same row have nothing to do with each other.
            player: "critics" or "generators".

        Raises:
            ValueError: there is no such player, or the identity term compares events of different shapes.
        """
        if player not in ("critics", "generators"):
            raise ValueError(f"`player` must be 'critics' or 'generators'; got {player!r}.")
        if self.identity_weight and a.shape[1:] != b.shape[1:]:
            raise ValueError(f"`identity_weight` must be 0 for events of different shapes, {a.shape[1:]} and {b.shape[1:]}.")
        return self._critic_loss(a, b) if player == "critics" else self._generator_loss(a, b)

    def cycle_distance(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """How far there and back leads away, ``mean |F(G(a)) - a|`` and ``mean |G(F(b)) - b|``, without gradients.

        Args:
            a: Examples of A, ``[N, *event_a]``.
            b: Examples of B, ``[M, *event_b]``.

        Returns:
            Means over each event, ``[N]`` and ``[M]``.
        """
        with torch.no_grad():
            back, again = self.law_ba(self.law_ab(a).sample()).sample(), self.law_ab(self.law_ba(b).sample()).sample()
            return (back - a).abs().flatten(1).mean(1), (again - b).abs().flatten(1).mean(1)

    def _critic_loss(self, a: Tensor, b: Tensor) -> Tensor:
        with torch.no_grad():
            fake_b, fake_a = self.pool_b(self.law_ab(a).sample()), self.pool_a(self.law_ba(b).sample())
        return self.losses_b.of_critic(b, fake_b) + self.losses_a.of_critic(a, fake_a)

    def _generator_loss(self, a: Tensor, b: Tensor) -> Tensor:
        fake_b, fake_a = self.law_ab(a).rsample(), self.law_ba(b).rsample()
        loss = self.losses_b.of_generator(fake_b, b) + self.losses_a.of_generator(fake_a, a)
        if self.cycle_weight:
            back, again = self.law_ba(fake_b).rsample(), self.law_ab(fake_a).rsample()
            loss = loss + self.cycle_weight * (_distance(back, a) + _distance(again, b))
        if self.identity_weight:
            same_b, same_a = self.law_ab(b).rsample(), self.law_ba(a).rsample()
            loss = loss + self.identity_weight * (_distance(same_b, b) + _distance(same_a, a))
        return loss


def _distance(x: Tensor, y: Tensor) -> Tensor:
    return mean_score((x - y).abs())


def _event_shape(law: nn.Module) -> tuple[int, ...]:
    shape = getattr(law, "event_shape", None)
    if shape is None:
        raise TypeError(f"a translator must say the `event_shape` of its draws, as ImplicitLaw does; got {type(law).__name__}.")
    return tuple(shape)

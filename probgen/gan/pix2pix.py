r"""Pix2pix: a conditional law of targets given sources, from pairs of them.

.. math:: D\bigl(p(x, y) \,\|\, p(x)\, q_\theta(y \mid x)\bigr) + \lambda\, \mathbb E\, |g_\theta(z, x) - y|, \qquad z \sim p_0

The critic sees pairs of source and draw, so it judges whether the draw belongs to its source; the distance to the one known
target, with :math:`\lambda = 100` in the paper, says so directly. But the best *single guess* under an absolute distance is
the median of :math:`p(y \mid x)`, whatever the noise: the distance asks a generator to ignore its noise. With :math:`m \ge 2`
draws for each source it is replaced by the energy score (:mod:`probgen.infer.scoring_rules`), which is smallest where
the draws have the law of the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.gan.critic_losses import CriticLosses
from probgen.infer.adversarial.law_module import LawModule
from probgen.infer.divergences import Divergence, NonSaturating
from probgen.infer.divergences.divergence import mean_score
from probgen.infer.objective import Objective, Player
from probgen.infer.penalties import Penalty
from probgen.infer.scoring_rules import energy_score

__all__ = ["Pix2Pix"]


class Pix2Pix(Objective):
    r"""A conditional law, a critic of pairs, and their losses; train it with ``infer.fit`` on batches ``(source, target)``.

    Args:
        law: From sources ``[N, *source]`` to the law of a target: an ``ImplicitLaw`` whose generator takes real noise, or
            another module that returns a distribution with ``rsample``.
        critic: From targets ``[N, *target]`` and sources ``[N, *source]`` to outputs ``[N, ...]``.
        divergence: What the critic measures; non-saturating by default, as in the paper.
        distance_weight: The weight :math:`\lambda` of the distance to the target.
        draws: Draws for each source; with two or more the distance is the energy score of whole events, and the draws keep
            their spread.
        penalties: Penalties of the critic.

    Raises:
        ValueError: the weight is negative, or there is no draw.

    References:
        Isola, Zhu, Zhou, Efros (2017). Image-to-image translation with conditional adversarial networks.
        https://arxiv.org/abs/1611.07004

        Gneiting, Raftery (2007). Strictly proper scoring rules, prediction, and estimation.
        https://doi.org/10.1198/016214506000001437

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions import ImplicitLaw, standard_normal
        >>> generator, critic = pg.nn.MLP(2, 3, context_features=4), pg.nn.MLP(3, 1, context_features=4)
        >>> model = pg.gan.Pix2Pix(ImplicitLaw(standard_normal(2), generator, (3,), context_shape=(4,)), critic)
        >>> pairs = [(torch.randn(8, 4), torch.randn(8, 3))]
        >>> pg.infer.fit(model, pairs * 2, progress=False).players
        ['critic', 'generator']
        >>> model.law_ab(torch.zeros(5, 4)).sample().shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        law: nn.Module,
        critic: nn.Module,
        *,
        divergence: Divergence | None = None,
        distance_weight: float = 100.0,
        draws: int = 1,
        penalties: Sequence[Penalty] = (),
    ) -> None:
        super().__init__()
        if not distance_weight >= 0 or draws < 1:
            raise ValueError(
                f"`distance_weight` must not be negative and `draws` at least 1; got {distance_weight} and {draws}."
            )
        self.law = LawModule(law)
        self.losses = CriticLosses(critic, divergence or NonSaturating(), penalties)
        self.distance_weight = distance_weight
        self.draws = draws

    @property
    def players(self) -> Mapping[str, Player]:
        """The critic, who begins every round, and the generator."""
        return {
            "critic": Player(tuple(self.losses.critic.parameters())),
            "generator": Player(tuple(self.law.parameters())),
        }

    def law_ab(self, source: Tensor) -> TorchDistribution:
        """The law of the target of each source ``[*batch, *source]``."""
        return self.law(source)  # type: ignore[no-any-return]

    def forward(self, source: Tensor, target: Tensor, *, player: str = "generator") -> Tensor:
        """One player's loss on pairs: a scalar.

        Args:
            source: Shape ``[N, *source]``.
            target: Shape ``[N, *target]``; each row belongs to the source in the same row.
            player: "critic" or "generator".

        Raises:
            ValueError: there is no such player, or ``target`` and the draws have different shapes.
        """
        if player == "critic":
            with torch.no_grad():
                fake = _like(self.law_ab(source).sample(), target, 1)
            return self.losses.of_critic(target, fake, source)
        if player != "generator":
            raise ValueError(f"`player` must be 'critic' or 'generator'; got {player!r}.")
        drawn = _like(self.law_ab(_repeated(source, self.draws)).rsample(), target, self.draws)
        loss = self.losses.of_generator(drawn, _repeated(target, self.draws), _repeated(source, self.draws))
        if self.distance_weight:
            draws = drawn.reshape(self.draws, *target.shape)
            event_dim = 0 if self.draws == 1 else target.dim() - 1
            loss = loss + self.distance_weight * mean_score(energy_score(draws, target, event_dim))
        return loss


def _like(drawn: Tensor, target: Tensor, times: int) -> Tensor:
    if drawn.shape != (times * len(target), *target.shape[1:]):
        came = (len(drawn) // times, *drawn.shape[1:])
        raise ValueError(f"`target` must be like the law's draws for `source`, {came}; got {tuple(target.shape)}.")
    return drawn


def _repeated(x: Tensor, times: int) -> Tensor:
    return x if times == 1 else x.repeat(times, *(1,) * (x.dim() - 1))

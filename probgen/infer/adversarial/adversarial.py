r"""Adversarial training: a generator's law brought to the data's by a divergence that a critic estimates.

.. math:: \min_\theta D(p \,\|\, q_\theta), \qquad
    D(p \,\|\, q_\theta) = \max_\phi \mathbb E_p[a(v_\phi(x))] - \mathbb E_{q_\theta}[b(v_\phi(x))]

Two players: the critic takes some steps in :math:`\phi`, then the generator one in :math:`\theta`, each minimizing the loss
that the divergence gives it. ``infer.fit`` plays the rounds; nothing here owns an optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn
from torch.distributions import Distribution

from probgen.infer.adversarial.law_module import LawModule
from probgen.infer.adversarial.packing import packed
from probgen.infer.divergences.divergence import Divergence
from probgen.infer.objective import Objective, Player
from probgen.infer.penalties.penalty import Penalty

__all__ = ["Adversarial", "AdversarialLoss"]


class Adversarial:
    r"""How to train by a critic; applied to a law and a critic it gives the loss of both.

    Args:
        divergence: What is minimized: ``NonSaturating()``, ``Wasserstein(gradient_penalty=10.0)``, ``Hinge()``, ...
        critic_steps: Steps of the critic in every round; each takes a batch of its own.
        penalties: Penalties of the critic, beside those that belong to the divergence: ``R1(10.0)``, ...
        packing: How many examples the critic judges at once (PacGAN); its input has that many times the channels.
        augmentation: A differentiable, random change of events ``[N, *event]`` that data and draws both get before the critic
            sees them.

    Raises:
        TypeError: ``divergence`` is none.
        ValueError: ``critic_steps`` or ``packing`` is less than one.

    References:
        Goodfellow et al. (2014). Generative adversarial nets. https://arxiv.org/abs/1406.2661

        Nowozin, Cseke, Tomioka (2016). f-GAN. https://arxiv.org/abs/1606.00709

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.infer import Adversarial, NonSaturating
        >>> q = ImplicitDistribution(standard_normal(2), torch.nn.Linear(2, 2), event_shape=(2,))
        >>> loss = Adversarial(NonSaturating())(q, torch.nn.Linear(2, 1))
        >>> {name: len(player.parameters) for name, player in loss.players.items()}
        {'critic': 2, 'generator': 2}
    """

    def __init__(
        self,
        divergence: Divergence,
        *,
        critic_steps: int = 1,
        penalties: Sequence[Penalty] = (),
        packing: int = 1,
        augmentation: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        if not isinstance(divergence, Divergence):
            raise TypeError(f"`divergence` must be a Divergence, such as NonSaturating(); got {divergence!r}.")
        if critic_steps < 1 or packing < 1:
            raise ValueError(f"`critic_steps` and `packing` must be at least 1; got {critic_steps} and {packing}.")
        self.divergence = divergence
        self.critic_steps = critic_steps
        self.penalties = tuple(penalties)
        self.packing = packing
        self.augmentation = augmentation

    def __call__(self, law: Distribution | nn.Module, critic: nn.Module) -> AdversarialLoss:
        """Return the loss of a law and a critic as a module with the parameters of both."""
        return AdversarialLoss(self, law, critic)


class AdversarialLoss(Objective):
    r"""The losses of a critic and of a generator; built by :class:`Adversarial`.

    Args:
        method: How to train.
        law: What generates: a distribution that can be drawn from with gradients, or a module that returns one.
        critic: From events ``[N, *event]``, and a context where the law takes one, to outputs ``[N, ...]``.

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitLaw, standard_normal
        >>> from probgen.infer import Adversarial, Wasserstein, fit
        >>> _ = torch.manual_seed(0)
        >>> law = ImplicitLaw(standard_normal(1), torch.nn.Linear(1, 1), event_shape=(1,))
        >>> loss = Adversarial(Wasserstein(gradient_penalty=1.0))(law, torch.nn.Linear(1, 1))
        >>> history = fit(loss, [torch.randn(64, 1)], steps=4, progress=False)
        >>> history.players
        ['critic', 'generator', 'critic', 'generator']
    """

    def __init__(self, method: Adversarial, law: Distribution | nn.Module, critic: nn.Module) -> None:
        super().__init__()
        self.method = method
        self.law = LawModule(law)
        self.critic = critic
        self.divergence = method.divergence
        self.penalties = nn.ModuleList([*method.divergence.penalties, *method.penalties])

    @property
    def players(self) -> Mapping[str, Player]:
        """The critic, who begins every round, and the generator."""
        critic = Player(tuple(self.critic.parameters()), self.method.critic_steps)
        return {"critic": critic, "generator": Player(tuple(self.law.parameters()))}

    def forward(self, x: Tensor, context: Tensor | None = None, *, player: str = "generator") -> Tensor:
        """One player's loss on a batch of data: a scalar.

        Args:
            x: Data ``[N, *event]``.
            context: Shape ``[N, *context_shape]``, if the law takes one; the critic gets it too.
            player: "critic" or "generator".

        Raises:
            ValueError: there is no such player, or the critic gives no output for each example.
        """
        if player not in ("critic", "generator"):
            raise ValueError(f"`player` must be 'critic' or 'generator'; got {player!r}.")
        self.divergence.constrain(self.critic)
        return self._critic_loss(x, context) if player == "critic" else self._generator_loss(x, context)

    def estimate(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The divergence between data and fresh draws as the critic shows it, without gradients: a scalar.

        Args:
            x: Data ``[N, *event]``.
            context: Shape ``[N, *context_shape]``, if the law takes one.
        """
        with torch.no_grad():
            real, fake = self._seen(x), self._seen(self._draws(x, context, gradients=False))
            return self.divergence.estimate(self._outputs(real, context), self._outputs(fake, context))

    def _critic_loss(self, x: Tensor, context: Tensor | None) -> Tensor:
        real, fake = self._seen(x), self._seen(self._draws(x, context, gradients=False))
        of_real, of_fake = self._outputs(real, context), self._outputs(fake, context)
        loss = self.divergence.critic_loss(of_real, of_fake)
        for penalty in self.penalties:
            loss = loss + penalty(lambda at: self._outputs(at, context), real, fake)
        if self.training:
            self.divergence.advance(of_real.detach(), of_fake.detach())
        return loss

    def _generator_loss(self, x: Tensor, context: Tensor | None) -> Tensor:
        of_fake = self._outputs(self._seen(self._draws(x, context, gradients=True)), context)
        if not self.divergence.generator_sees_data:
            return self.divergence.generator_loss(of_fake)
        return self.divergence.generator_loss(of_fake, self._outputs(self._seen(x), context))

    def _draws(self, x: Tensor, context: Tensor | None, *, gradients: bool) -> Tensor:
        """As many draws as there are data, one for each context."""
        law: TorchDistribution = self.law(context)
        shape = torch.Size((len(x),) if context is None else ())
        if gradients:
            return law.rsample(shape)
        with torch.no_grad():
            return law.sample(shape)

    def _seen(self, x: Tensor) -> Tensor:
        """Events as the critic sees them: augmented, in packs."""
        augmentation = self.method.augmentation
        return packed(x if augmentation is None else augmentation(x), self.method.packing)

    def _outputs(self, seen: Tensor, context: Tensor | None) -> Tensor:
        outputs: Tensor = self.critic(seen) if context is None else self.critic(seen, self._packed_context(context))
        if outputs.shape[:1] != seen.shape[:1]:
            raise ValueError(f"`critic` must return [{len(seen)}, ...], outputs for each; it returned {tuple(outputs.shape)}.")
        return outputs

    def _packed_context(self, context: Tensor) -> Tensor:
        number = self.method.packing
        return packed(context[:, None] if context.dim() == 1 and number > 1 else context, number)

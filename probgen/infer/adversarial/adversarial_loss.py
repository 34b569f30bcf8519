r"""The losses of a critic and of a generator as one module with two players.

With :math:`T` the augmentation and packs in the place of examples,

.. math:: L_\text{critic}(\phi) = \ell_c\bigl(v_\phi(T x_{1:N}),\, v_\phi(T y_{1:N})\bigr) + \sum_j R_j, \qquad
    L_\text{generator}(\theta) = \ell_g\bigl(v_\phi(T y_{1:N})\bigr), \qquad y_n \sim q_\theta

In the critic's turn the draws carry no gradient, in the generator's the critic's parameters want none (``infer.fit`` sees to
that), though the gradient passes through it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn
from torch.distributions import Distribution

from probgen.infer.adversarial.best_draws import mean_of_lowest
from probgen.infer.adversarial.law_module import LawModule
from probgen.infer.adversarial.matching import other_contexts, wrong_outputs
from probgen.infer.adversarial.packing import packed
from probgen.infer.annealed import Annealed
from probgen.infer.divergences.divergence import PointwiseDivergence
from probgen.infer.evaluation_mode import evaluating
from probgen.infer.objective import Objective, Player

if TYPE_CHECKING:
    from probgen.infer.adversarial.adversarial import Adversarial

__all__ = ["AdversarialLoss"]

_HALF = (torch.bfloat16, torch.float16)


class AdversarialLoss(Objective):
    r"""The losses of a critic and of a generator; built by :class:`Adversarial`.

    Over several processes each has draws, packs, best draws and batch statistics of its own; the gradients are averaged.

    Args:
        method: How to train.
        law: What generates: a distribution that can be drawn from with gradients, or a module that returns one.
        critic: From events ``[N, *event]``, and a context where the law takes one, to outputs ``[N, ...]``; None where the
            divergence needs none. One whose parameters want no gradient is a fixed function and takes no turns.

    Raises:
        TypeError: ``critic`` is no module, or is missing though the divergence needs one.
        ValueError: ``law`` cannot be drawn from with gradients.

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

    def __init__(self, method: Adversarial, law: Distribution | nn.Module, critic: nn.Module | None) -> None:
        super().__init__()
        if critic is None and (method.divergence.needs_critic or method.penalties):
            raise TypeError(f"{type(method.divergence).__name__} and penalties need a critic; got None.")
        if critic is not None and not isinstance(critic, nn.Module):
            raise TypeError(f"`critic` must be a torch.nn.Module; got {type(critic).__name__}.")
        if isinstance(law, Distribution):
            _require_rsample(law)
        self.method = method
        self.law = LawModule(law)
        self.critic = critic
        self.divergence = method.divergence
        self.penalties = nn.ModuleList([*method.divergence.penalties, *method.penalties])
        self.augmentation = method.augmentation
        self.top_k = method.top_k
        self._critic_learns = critic is not None and any(p.requires_grad for p in critic.parameters())

    @property
    def players(self) -> Mapping[str, Player]:
        """The critic, who begins every round, and the generator; the generator alone where no critic learns."""
        generator = Player(tuple(self.law.parameters()))
        if self.critic is None or not self._critic_learns:
            return {"generator": generator}
        return {"critic": Player(tuple(self.critic.parameters()), self.method.critic_steps), "generator": generator}

    def forward(self, x: Tensor, context: Tensor | None = None, *, player: str = "generator") -> Tensor:
        """One player's loss on a batch of data: a scalar.

        Args:
            x: Data ``[N, *event]``.
            context: Shape ``[N, *context_shape]``, if the law takes one; the critic gets it too.
            player: "critic" or "generator".

        Raises:
            ContextError: the context is missing or has another shape.
            ValueError: there is no such player, the law's draws are not like the data, N is no multiple of the packing, or the
                critic gives no output for each example.
        """
        if player not in ("critic", "generator") or (player == "critic" and self.critic is None):
            raise ValueError(f"`player` must be one of {sorted(self.players)}; got {player!r}.")
        if self.critic is not None:
            self.divergence.constrain(self.critic)
        return self._critic_loss(x, context) if player == "critic" else self._generator_loss(x, context)

    def estimate(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The divergence between data and fresh draws as the critic shows it, in evaluation mode, without gradients: a scalar.

        A number that should fall, it serves for validation: ``fit(..., validation=lambda loss: loss.estimate(held_out))``.

        Args:
            x: Data ``[N, *event]``.
            context: Shape ``[N, *context_shape]``, if the law takes one.
        """
        with torch.no_grad(), evaluating(self):
            real, fake, given = self._seen(x), self._seen(self._draws(x, context)), self._packed_context(context)
            return self.divergence.estimate(self._outputs(real, given), self._outputs(fake, given))

    def _critic_loss(self, x: Tensor, context: Tensor | None) -> Tensor:
        with torch.no_grad():
            drawn = self._draws(x, context)
        real, fake, given = self._seen(x), self._seen(drawn), self._packed_context(context)
        of_real, of_fake = self._outputs(real, given), self._outputs(fake, given)
        loss = self.divergence.critic_loss(of_real, of_fake)
        if self.method.mismatched:
            loss = (loss + self._loss_of_wrong_contexts(real, of_real, of_fake, given)) / 2
        if self.training:
            self.divergence.advance(of_real.detach(), of_fake.detach())
        return loss + self._penalty(real, fake, given) if len(self.penalties) else loss

    def _generator_loss(self, x: Tensor, context: Tensor | None) -> Tensor:
        given = self._packed_context(context)
        of_fake = self._outputs(self._seen(self._draws(x, context)), given)
        if self.top_k is not None and isinstance(self.divergence, PointwiseDivergence):
            share = self.top_k() if isinstance(self.top_k, Annealed) else self.top_k
            loss = mean_of_lowest(self.divergence.generator_term(of_fake), share)
        elif self.divergence.generator_sees_data:
            loss = self.divergence.generator_loss(of_fake, self._outputs(self._seen(x), given))
        else:
            loss = self.divergence.generator_loss(of_fake)
        penalty = self.method.generator_penalty
        return loss if penalty is None else loss + penalty(self.law)

    def _loss_of_wrong_contexts(self, real: Tensor, of_real: Tensor, of_fake: Tensor, given: Tensor | None) -> Tensor:
        """The critic's loss with data that have another's context in the place of draws."""
        if given is None:
            raise ValueError("`mismatched` needs a context for every example; got None.")
        of_wrong = self._outputs(real, other_contexts(given))
        return self.divergence.critic_loss(of_real, wrong_outputs(of_wrong, of_fake, given))

    def _penalty(self, real: Tensor, fake: Tensor, given: Tensor | None) -> Tensor:
        """The sum of the penalties on a random share of the batch."""
        if self.method.penalty_share < 1.0:
            some = torch.randperm(len(real), device=real.device)[: math.ceil(self.method.penalty_share * len(real))]
            real, fake, given = real[some], fake[some], None if given is None else given[some]
        values = [penalty(lambda at: self._outputs(at, given), real, fake) for penalty in self.penalties]
        return torch.stack(values).sum() if len(values) > 1 else values[0]

    def _draws(self, x: Tensor, context: Tensor | None) -> Tensor:
        """As many draws as there are data, one for each context; with gradients where they are on."""
        law: TorchDistribution = self.law(context)
        if context is not None and law.batch_shape != x.shape[:1]:
            wanted = f"[N, *context_shape], a row for each of {len(x)} examples"
            raise ValueError(f"`context` must have shape {wanted}; got {tuple(context.shape)}.")
        shape = torch.Size((len(x),) if context is None else ())
        if torch.is_grad_enabled():
            _require_rsample(law)
            drawn = law.rsample(shape)
        else:
            drawn = law.sample(shape)
        if drawn.shape != x.shape or drawn.device != x.device:
            wanted, came = f"{tuple(x.shape)} on {x.device}", f"{tuple(drawn.shape)} on {drawn.device}"
            raise ValueError(f"`law` must draw what is like the data, {wanted}; it drew {came}.")
        if drawn.dtype != x.dtype and drawn.dtype not in _HALF and x.dtype not in _HALF:
            raise ValueError(f"`x` must have the dtype of the law's draws, {drawn.dtype}; got {x.dtype}.")
        return drawn.to(x.dtype) if drawn.dtype in _HALF else drawn  # the last layer may have run under autocast

    def _seen(self, x: Tensor) -> Tensor:
        """Events as the critic sees them: augmented, in packs."""
        return packed(x if self.augmentation is None else self.augmentation(x), self.method.packing)

    def _outputs(self, seen: Tensor, given: Tensor | None) -> Tensor:
        if self.critic is None:
            return seen
        outputs: object = self.critic(seen) if given is None else self.critic(seen, given)
        if not isinstance(outputs, Tensor) or outputs.shape[:1] != seen.shape[:1]:
            got = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise ValueError(f"`critic` must return a tensor [{len(seen)}, ...], outputs for each; it returned {got}.")
        return outputs.float() if outputs.dtype in _HALF else outputs

    def _packed_context(self, context: Tensor | None) -> Tensor | None:
        number = self.method.packing
        if context is None or number == 1:
            return context
        return packed(context[:, None] if context.dim() == 1 else context, number)


def _require_rsample(law: Distribution) -> None:
    if not law.has_rsample:
        raise ValueError(
            f"`law` must be drawn from with gradients (has_rsample), for the generator learns through its draws; "
            f"{type(law).__name__} is not. Relax it, or train it by its density with `infer.MaximumLikelihood`."
        )

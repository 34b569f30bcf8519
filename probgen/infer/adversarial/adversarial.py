r"""Adversarial training: a generator's law brought to the data's by a divergence that a critic estimates.

.. math:: \min_\theta D(p \,\|\, q_\theta), \qquad
    D(p \,\|\, q_\theta) = \max_\phi \mathbb E_p[a(v_\phi(x))] - \mathbb E_{q_\theta}[b(v_\phi(x))]

Two players: the critic takes some steps in :math:`\phi`, then the generator one in :math:`\theta`, each minimizing the loss
that the divergence gives it. ``infer.fit`` plays the rounds; nothing here owns an optimizer. :class:`Adversarial` says how,
:class:`~probgen.infer.AdversarialLoss` is the module that ``fit`` gets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.distributions import Distribution

from probgen.infer.adversarial.adversarial_loss import AdversarialLoss
from probgen.infer.annealed import Annealed
from probgen.infer.divergences.divergence import Divergence, PointwiseDivergence
from probgen.infer.penalties.penalty import Penalty

__all__ = ["Adversarial"]


class Adversarial:
    r"""How to train by a critic; applied to a law and a critic it gives the loss of both.

    The law may be any that is drawn from with gradients (``has_rsample``): an ``ImplicitLaw``, a flow, a decoder's law, or a
    distribution made of modules. Data and draws pass the critic in batches of their own, so that layers which look at the
    whole batch (batch normalization) see each kind by itself. Every turn, also a generator's, takes a batch.

    Args:
        divergence: What is minimized: ``NonSaturating()``, ``Wasserstein(gradient_penalty=10.0)``, ``Hinge()``, ...
        critic_steps: Steps of the critic in every round; each takes a batch of its own.
        penalties: Penalties of the critic, beside those that belong to the divergence: ``R1(10.0)``, ...
        penalty_share: Share of each batch, drawn at random, on which the penalties are taken. Their gradient is right on
            average whatever the share, so 1/16 costs what a "lazy" penalty in every 16th step costs (Karras et al.), but needs
            no counter, no larger weight and no other settings of Adam.
        packing: How many examples the critic judges at once (PacGAN); its input has that many times the channels.
        top_k: Share of the draws that the generator learns from, those with the lowest loss (see
            :mod:`~probgen.infer.adversarial.best_draws`); a number in (0, 1] or an ``Annealed`` one, which counts all turns.
        mismatched: Also show the critic data with a wrong context, as draws (see :mod:`~probgen.infer.adversarial.matching`).
        augmentation: A differentiable, random change of events ``[N, *event]`` that data and draws both get before the critic
            sees them: ``DifferentiableAugmentation()``.
        generator_penalty: A function from the law's module to a scalar that is added to the generator's loss, weight included:
            ``lambda law: 1e-4 * orthogonal_penalty(law)``.

    Raises:
        TypeError: ``divergence`` is none, or gives no term for each draw and ``top_k`` is asked for; ``penalties`` are others.
        ValueError: a number is out of its range.

    References:
        Goodfellow et al. (2014). Generative adversarial nets. https://arxiv.org/abs/1406.2661

        Nowozin, Cseke, Tomioka (2016). f-GAN. https://arxiv.org/abs/1606.00709

        Karras et al. (2020). Analyzing and improving the image quality of StyleGAN. https://arxiv.org/abs/1912.04958

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
        penalty_share: float = 1.0,
        packing: int = 1,
        top_k: float | Annealed | None = None,
        mismatched: bool = False,
        augmentation: Callable[[Tensor], Tensor] | None = None,
        generator_penalty: Callable[[nn.Module], Tensor] | None = None,
    ) -> None:
        if not isinstance(divergence, Divergence):
            raise TypeError(f"`divergence` must be a Divergence, such as NonSaturating(); got {divergence!r}.")
        counts: tuple[object, ...] = (critic_steps, packing)
        if not all(isinstance(number, int) and number >= 1 for number in counts):
            raise ValueError(f"`critic_steps` and `packing` must be integers, at least 1; got {critic_steps} and {packing}.")
        _require_share("penalty_share", penalty_share)
        if top_k is not None:
            for value in (top_k.start, top_k.end) if isinstance(top_k, Annealed) else (top_k,):
                _require_share("top_k", value)
            if not isinstance(divergence, PointwiseDivergence):
                raise TypeError(f"`top_k` needs a PointwiseDivergence, a term for each draw; got {type(divergence).__name__}.")
        if isinstance(penalties, nn.Module) or not all(isinstance(penalty, Penalty) for penalty in penalties):
            raise TypeError(f"`penalties` must be a sequence of Penalty modules, such as [R1(10.0)]; got {penalties!r}.")
        self.divergence = divergence
        self.critic_steps = critic_steps
        self.penalties = tuple(penalties)
        self.penalty_share = penalty_share
        self.packing = packing
        self.top_k = top_k
        self.mismatched = mismatched
        self.augmentation = augmentation
        self.generator_penalty = generator_penalty

    def __call__(self, law: Distribution | nn.Module, critic: nn.Module | None = None) -> AdversarialLoss:
        """The loss of a law and a critic, as a module with the parameters of both.

        Args:
            law: What generates: a distribution that can be drawn from with gradients, or a module that returns one.
            critic: From events ``[N, *event]``, and a context where the law takes one, to outputs ``[N, ...]``. None where the
                divergence compares the events themselves (kernel divergences); then the generator plays alone.
        """
        return AdversarialLoss(self, law, critic)


def _require_share(name: str, value: float) -> None:
    if not 0.0 < value <= 1.0:
        raise ValueError(f"`{name}` must be a share in (0, 1]; got {value}.")

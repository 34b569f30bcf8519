r"""A critic with its divergence: the losses of critic and generator on data and draws that are given.

``infer.AdversarialLoss`` draws from its law by itself. A translator's loss has further terms in the same draws (their distance
from a target, the way back), and shows its critic draws from a pool; so here the draws come from outside.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.infer.divergences import Divergence
from probgen.infer.penalties import Penalty

__all__ = ["CriticLosses"]


class CriticLosses(nn.Module):
    r"""What a critic and a generator minimize, as functions of data and draws.

    Args:
        critic: From events ``[N, *event]``, and a context where it takes one, to outputs ``[N, ...]``.
        divergence: Which losses.
        penalties: Penalties of the critic, beside those that belong to the divergence.

    Raises:
        TypeError: ``divergence`` is none, or ``critic`` no module.

    Example:
        >>> import torch
        >>> from probgen.gan import CriticLosses
        >>> from probgen.infer import Wasserstein
        >>> losses = CriticLosses(torch.nn.Identity(), Wasserstein())
        >>> losses.of_critic(torch.ones(4, 1), torch.zeros(4, 1)), losses.of_generator(torch.zeros(4, 1), torch.ones(4, 1))
        (tensor(-1.), tensor(-0.))
    """

    def __init__(self, critic: nn.Module, divergence: Divergence, penalties: Sequence[Penalty] = ()) -> None:
        super().__init__()
        if not isinstance(critic, nn.Module):
            raise TypeError(f"`critic` must be a torch.nn.Module; got {type(critic).__name__}.")
        if not isinstance(divergence, Divergence):
            raise TypeError(f"`divergence` must be a Divergence, such as LeastSquares(); got {divergence!r}.")
        self.critic = critic
        self.divergence = divergence
        self.penalties = nn.ModuleList([*divergence.penalties, *penalties])

    def of_critic(self, real: Tensor, fake: Tensor, context: Tensor | None = None) -> Tensor:
        """The critic's loss: a scalar, without gradients for whatever made the draws.

        Args:
            real: Data ``[N, *event]``.
            fake: Draws ``[M, *event]``; M = N where there are penalties.
            context: What the critic sees beside an event, ``[N, *context_shape]``.
        """
        fake = fake.detach()
        self.divergence.constrain(self.critic)
        of_real, of_fake = self.outputs(real, context), self.outputs(fake, context)
        loss = self.divergence.critic_loss(of_real, of_fake)
        for penalty in self.penalties:
            loss = loss + penalty(lambda at: self.outputs(at, context), real, fake)
        if self.training:
            self.divergence.advance(of_real.detach(), of_fake.detach())
        return loss

    def of_generator(self, fake: Tensor, real: Tensor, context: Tensor | None = None) -> Tensor:
        """The generator's loss: a scalar.

        Args:
            fake: Draws ``[M, *event]``.
            real: Data ``[N, *event]``, for the divergences whose generator sees them.
            context: What the critic sees beside an event.
        """
        self.divergence.constrain(self.critic)
        of_fake = self.outputs(fake, context)
        if not self.divergence.generator_sees_data:
            return self.divergence.generator_loss(of_fake)
        return self.divergence.generator_loss(of_fake, self.outputs(real, context))

    def outputs(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The critic's outputs ``[N, ...]``.

        Args:
            x: Events ``[N, *event]``.
            context: Shape ``[N, *context_shape]``.

        Raises:
            ValueError: there is no output for each event.
        """
        outputs: Tensor = self.critic(x) if context is None else self.critic(x, context)
        if outputs.shape[:1] != x.shape[:1]:
            raise ValueError(f"`critic` must return [{len(x)}, ...], outputs for each; it returned {tuple(outputs.shape)}.")
        return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs

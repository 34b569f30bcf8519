r"""Generator and critic as multilayer perceptrons, for vectors and small images.

.. math:: g(z, c) = \mathrm{MLP}([z, e(c)]), \qquad v(x, c) = \mathrm{MLP}([x, e'(c)])

A context enters both by concatenation: the conditional GAN. The two players have embeddings :math:`e, e'` of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from probgen.gan.parts import GAN, law_of, own_conditioning, packed_shape
from probgen.nn import MLP, Conditioning
from probgen.nn.adversarial import ConditionVector, spectral_normalized

__all__ = ["MLPCritic", "MLPGenerator", "mlp_gan"]


class MLPGenerator(nn.Module):
    """Noise ``[n, noise_features]``, and a context, to events ``[n, *event_shape]``.

    Args:
        event_shape: Shape of an event.
        noise_features: Width of the noise.
        hidden: Widths of the hidden layers.
        activation: Makes the activation of hidden layers.
        output: Applied to the events: ``nn.Tanh()`` for images in [-1, 1], say; None for nothing.
        conditioning: What turns a context into a vector; None: no context.

    Example:
        >>> import torch
        >>> from probgen.gan import MLPGenerator
        >>> MLPGenerator((1, 8, 8), 16)(torch.zeros(5, 16)).shape
        torch.Size([5, 1, 8, 8])
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        noise_features: int,
        *,
        hidden: Sequence[int] = (128, 128),
        activation: Callable[[], nn.Module] = nn.ReLU,
        output: nn.Module | None = None,
        conditioning: Conditioning | None = None,
    ) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)
        self.condition = ConditionVector(conditioning)
        size, width = math.prod(self.event_shape), self.condition.features
        self.network = MLP(noise_features, size, hidden=hidden, activation=activation, context_features=width)
        self.output = nn.Identity() if output is None else output

    def forward(self, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Events ``[n, *event_shape]`` of noise ``[n, noise_features]`` and a context ``[n, *context_shape]``."""
        made: Tensor = self.output(self.network(noise, self.condition(context, "MLPGenerator", noise.shape[:1])))
        return made.reshape(-1, *self.event_shape)


class MLPCritic(nn.Module):
    """Events ``[n, *event_shape]``, and a context, to outputs ``[n, 1]``.

    Args:
        event_shape: Shape of an event, or of a pack of them.
        hidden: Widths of the hidden layers.
        activation: Makes the activation of hidden layers.
        conditioning: What turns a context into a vector; None: no context.

    Example:
        >>> import torch
        >>> from probgen.gan import MLPCritic
        >>> MLPCritic((1, 8, 8))(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        hidden: Sequence[int] = (128, 128),
        activation: Callable[[], nn.Module] = nn.ReLU,
        conditioning: Conditioning | None = None,
    ) -> None:
        super().__init__()
        self.condition = ConditionVector(conditioning)
        size, width = math.prod(event_shape), self.condition.features
        self.network = MLP(size, 1, hidden=hidden, activation=activation, context_features=width)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Outputs ``[n, 1]`` of events ``[n, *event_shape]`` and a context ``[n, *context_shape]``."""
        condition = self.condition(context, "MLPCritic", x.shape[:1])
        return self.network(x.flatten(1), condition)  # type: ignore[no-any-return]


def mlp_gan(
    event_shape: Sequence[int],
    noise_features: int = 16,
    *,
    hidden: Sequence[int] = (128, 128),
    critic_hidden: Sequence[int] | None = None,
    activation: Callable[[], nn.Module] = nn.ReLU,
    critic_activation: Callable[[], nn.Module] | None = None,
    output: nn.Module | None = None,
    spectral: bool = False,
    packing: int = 1,
    conditioning: Conditioning | None = None,
) -> GAN:
    """A generator and a critic that are multilayer perceptrons.

    Args:
        event_shape: Shape of an event.
        noise_features: Width of the noise.
        hidden: Widths of the generator's hidden layers.
        critic_hidden: Widths of the critic's; as the generator's by default.
        activation: Makes the activation of hidden layers.
        critic_activation: Makes the critic's; as the generator's by default.
        output: Applied to what is generated: ``nn.Tanh()`` for images in [-1, 1].
        spectral: Spectral normalization of the critic's layers.
        packing: Events that the critic judges at once; the same as in ``Adversarial(packing=...)``.
        conditioning: What turns a context into a vector, as ``ClassConditioning(10)`` does with labels; the critic gets a copy.

    References:
        Goodfellow et al. (2014). Generative adversarial nets. https://arxiv.org/abs/1406.2661

        Mirza, Osindero (2014). Conditional generative adversarial nets. https://arxiv.org/abs/1411.1784

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> law, critic = pg.gan.mlp_gan((1, 8, 8), conditioning=pg.nn.ClassConditioning(10, features=8))
        >>> law(torch.arange(10)).sample((2,)).shape, critic(torch.zeros(3, 1, 8, 8), torch.arange(3)).shape
        (torch.Size([2, 10, 1, 8, 8]), torch.Size([3, 1]))
    """
    generator = MLPGenerator(
        event_shape, noise_features, hidden=hidden, activation=activation, output=output, conditioning=conditioning
    )
    critic = MLPCritic(
        packed_shape(event_shape, packing),
        hidden=hidden if critic_hidden is None else critic_hidden,
        activation=critic_activation or activation,
        conditioning=own_conditioning(conditioning, packing),
    )
    law = law_of(generator, noise_features, event_shape, conditioning)
    return GAN(law, spectral_normalized(critic) if spectral else critic)

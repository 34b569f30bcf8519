r"""The generative adversarial network in the comparison: a law by class that can only be drawn from, and its mixture.

.. math:: x = g(z, y), \qquad z \sim N(0, I), \qquad q(x) = \sum_y P(y)\, q(x \mid y)

Generator and critic are multilayer perceptrons of centered gray values :math:`k/8 - 1`, which draws are rounded to. There is no
density: no bits per dimension, no Bayes' rule, no score of outliers, no code of an image; the draws are what can be judged.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyro
import torch
from torch import Tensor, nn

from probgen import gan
from probgen.demo.problem import CLASSES, LEVELS, centered, pixels, square
from probgen.demo.registry import DigitModel
from probgen.distributions import ImplicitDistribution, Quantization
from probgen.infer import R1, Adversarial, NonSaturating, Objective, Player
from probgen.nn import ClassConditioning

__all__ = ["GANModel", "adversarial", "digits_gan"]

NOISE = 32


def digits_gan(*, width: int = 256) -> gan.GAN:
    """A generator of centered 8x8 digits by class and its critic, both with two hidden layers.

    Args:
        width: Of the hidden layers.

    Example:
        >>> import torch
        >>> from probgen.demo import digits_gan
        >>> law, critic = digits_gan(width=16)
        >>> law(torch.arange(10)).sample().shape
        torch.Size([10, 1, 8, 8])
    """
    return gan.mlp_gan(
        (1, 8, 8),
        NOISE,
        hidden=(width, width),
        critic_activation=lambda: nn.LeakyReLU(0.2),
        output=nn.Tanh(),
        conditioning=ClassConditioning(CLASSES, features=16),
    )


class GANModel(DigitModel):
    """A generative adversarial network behind the demo's interface; without a label one is drawn first.

    Args:
        networks: A law of centered images ``[1, 8, 8]`` with a label as context, and its critic.
        frequency: Probabilities of the classes, ``[10]``; the same for all by default.

    Example:
        >>> import torch
        >>> from probgen.demo import GANModel, digits_gan
        >>> model = GANModel(digits_gan(width=16))
        >>> model.kind, model.sample(3).shape, model.sample(3, torch.arange(3)).shape
        ('none', torch.Size([3, 64]), torch.Size([3, 64]))
    """

    kind = "none"
    frequency: Tensor

    def __init__(self, networks: gan.GAN, frequency: Tensor | None = None) -> None:
        super().__init__()
        self.generator_law, self.critic = networks
        self.register_buffer("frequency", torch.full((CLASSES,), 1 / CLASSES) if frequency is None else frequency)

    def law(self, label: Tensor) -> ImplicitDistribution:
        """The law of centered images ``[1, 8, 8]``, given labels."""
        return self.generator_law(label)  # type: ignore[no-any-return]

    def forward(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The Pyro program: as many draws as there are images. They cannot be observed, for there is no density."""
        with pyro.plate("digits", len(v)):
            return pyro.sample("x", self.law(self._labels(len(v)) if label is None else label))

    @torch.no_grad()
    def sample(self, n: int, label: Tensor | None = None) -> Tensor:
        """Draws, rounded to gray values, in the middle of their cells."""
        return _pixels(self.law(self._labels(n) if label is None else label).sample())

    @torch.no_grad()
    def decode(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """The images of noise ``[n, 32]`` and labels ``[n]``, which are drawn if not given."""
        return _pixels(self.law(self._labels(len(z)) if label is None else label).generate(z))

    @torch.no_grad()
    def pictures(self) -> dict[str, Tensor]:
        """One noise for every digit; arcs between the noise of two draws."""
        noise, digits = torch.randn(5, NOISE), torch.arange(CLASSES)
        shared = torch.stack([self.decode(z.expand(CLASSES, -1), digits) for z in noise])
        start, end, weights = torch.randn(5, NOISE), torch.randn(5, NOISE), torch.linspace(0, 1, CLASSES)
        arcs = _pixels(gan.draws_between(self.law(digits[:5]), start, end, weights)).transpose(0, 1)
        return {
            "One noise in each row, given to every digit: the noise holds the style.": shared,
            "Interpolation: arcs between the noise of two draws, for the digits 0 to 4.": arcs,
        }

    def _labels(self, n: int) -> Tensor:
        return torch.multinomial(self.frequency, n, replacement=True)


def adversarial(model: DigitModel) -> nn.Module:
    """The game that trains it: the non-saturating loss with a penalty of the critic's slope at data on a quarter of each batch.

    Args:
        model: A ``GANModel``.

    Raises:
        TypeError: it is another one.

    Example:
        >>> import torch
        >>> from probgen.demo import GANModel, adversarial, digits_gan
        >>> loss = adversarial(GANModel(digits_gan(width=16)))
        >>> list(loss.players), loss(torch.rand(5, 64), torch.arange(5), player="critic").shape
        (['critic', 'generator'], torch.Size([]))
    """
    if not isinstance(model, GANModel):
        raise TypeError(f"`model` must be a GANModel; got {type(model).__name__}.")
    return _Game(model)


class _Game(Objective):
    """The players' losses, as sums over the batch like those of the other families."""

    def __init__(self, model: GANModel) -> None:
        super().__init__()
        method = Adversarial(NonSaturating(), penalties=[R1(0.5)], penalty_share=0.25)
        self.loss = method(model.generator_law, model.critic)

    @property
    def players(self) -> Mapping[str, Player]:
        return self.loss.players

    def forward(self, v: Tensor, label: Tensor, *, player: str = "generator") -> Tensor:
        return len(v) * self.loss(square(centered(v)).unsqueeze(-3), label, player=player)  # type: ignore[no-any-return]


def _pixels(x: Tensor) -> Tensor:
    """Centered images ``[*batch, 1, 8, 8]`` as pixels ``[*batch, 64]`` in the middle of their cells."""
    return pixels(Quantization(LEVELS, -1.0, 1.0).snap(x).flatten(-3))

r"""The generative adversarial network in the comparison: a law by class that can only be drawn from, and its mixture.

.. math:: x = g(z, y), \qquad z \sim N(0, I), \qquad q(x) = \sum_y P(y)\, q(x \mid y)

Generator and critic are perceptrons (on larger images strided convolutions) of centered gray values, which draws are rounded
to. There is no density: no bits per dimension, no Bayes' rule, no score of outliers, no code of an image; the draws are what
can be judged.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyro
import torch
from torch import Tensor, nn

from probgen import gan
from probgen.demo.image_format import DIGITS, ImageFormat
from probgen.demo.problem import Problem
from probgen.demo.registry import ImageModel
from probgen.distributions import ImplicitDistribution
from probgen.distributions.numerics.interpolation import spherical
from probgen.infer import R1, Adversarial, NonSaturating, Objective, Player
from probgen.nn import ClassConditioning

__all__ = ["GANModel", "adversarial", "digits_gan", "gan_model", "image_gan"]

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
        DIGITS.shape,
        NOISE,
        hidden=(width, width),
        critic_activation=lambda: nn.LeakyReLU(0.2),
        output=nn.Tanh(),
        conditioning=ClassConditioning(DIGITS.num_classes, features=16),
    )


def image_gan(images: ImageFormat, *, channels: int = 24) -> gan.GAN:
    """A generator of centered gray images by class and its critic, of strided convolutions.

    Args:
        images: Their format.
        channels: Of the level next to the image.

    Example:
        >>> import torch
        >>> from probgen.demo import ImageFormat, image_gan
        >>> law, critic = image_gan(ImageFormat(28, 28, levels=256, num_classes=10), channels=8)
        >>> law(torch.arange(10)).sample().shape
        torch.Size([10, 1, 28, 28])
    """
    classes = ClassConditioning(images.num_classes, features=16)
    return gan.dcgan(
        images.shape, NOISE, channels=channels, normalization="layer", critic_normalization="none", conditioning=classes
    )


def gan_model(problem: Problem, *, conditional: bool) -> GANModel:
    """The entry's model: perceptrons for small images, convolutions for others.

    Args:
        problem: The data.
        conditional: Serves both.

    Example:
        >>> from probgen.demo import Settings, gan_model, load_problem
        >>> gan_model(load_problem(Settings.smoke()), conditional=True).kind
        'none'
    """
    if problem.images == DIGITS:
        return GANModel(digits_gan(width=8 * problem.width), problem.frequency)
    return GANModel(image_gan(problem.images, channels=problem.width), problem.frequency, problem.images)


class GANModel(ImageModel):
    """A generative adversarial network behind the demo's interface; without a label one is drawn first.

    Args:
        networks: A law of centered images ``[1, height, width]`` with a label as context, and its critic.
        frequency: Probabilities of the classes; the same for all by default.
        images: The format of the images.

    Example:
        >>> import torch
        >>> from probgen.demo import GANModel, digits_gan
        >>> model = GANModel(digits_gan(width=16))
        >>> model.kind, model.sample(3).shape, model.sample(3, torch.arange(3)).shape
        ('none', torch.Size([3, 64]), torch.Size([3, 64]))
    """

    kind = "none"
    latent = f"one way, {NOISE} numbers to an image"
    frequency: Tensor

    def __init__(self, networks: gan.GAN, frequency: Tensor | None = None, images: ImageFormat = DIGITS) -> None:
        super().__init__(images)
        self.generator_law, self.critic = networks
        classes = images.num_classes
        self.register_buffer("frequency", torch.full((classes,), 1 / classes) if frequency is None else frequency)

    def law(self, label: Tensor) -> ImplicitDistribution:
        """The law of centered images ``[1, height, width]``, given labels."""
        return self.generator_law(label)  # type: ignore[no-any-return]

    def forward(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The Pyro program: as many draws as there are images. They cannot be observed, for there is no density."""
        with pyro.plate("images", len(v)):
            return pyro.sample("x", self.law(self._labels(len(v)) if label is None else label))

    def data(self, v: Tensor) -> Tensor:
        """Centered images ``[*batch, 1, height, width]`` of pixels, as the critic sees them."""
        return self.images.square(self.images.centered(v)).unsqueeze(-3)

    def _sample(self, n: int, label: Tensor | None) -> Tensor:
        """Draws, rounded to gray values, in the middle of their cells."""
        return self._pixels(self.law(self._labels(n) if label is None else label).sample())

    def _decode(self, z: Tensor, label: Tensor | None) -> Tensor:
        """The images of noise and labels, which are drawn if not given."""
        return self._pixels(self.law(self._labels(len(z)) if label is None else label).generate(z))

    def path(self, ends: Tensor, weights: Tensor) -> Tensor:
        """On an arc between the noise of two draws of one class: there is no code of a real image."""
        start, end = torch.randn(2, NOISE)
        return self.decode(spherical(start, end, weights), torch.zeros(len(weights), dtype=torch.long))

    @torch.no_grad()
    def pictures(self) -> dict[str, Tensor]:
        """One noise for every class; arcs between the noise of two draws."""
        classes = torch.arange(self.images.num_classes, device=self.device)
        noise = torch.randn(5, NOISE, device=self.device)
        shared = torch.stack([self.decode(z.expand(len(classes), -1), classes) for z in noise])
        start, end = torch.randn(2, 5, NOISE, device=self.device)
        weights = torch.linspace(0, 1, 10, device=self.device)
        arcs = self._pixels(gan.draws_between(self.law(classes[:5]), start, end, weights)).transpose(0, 1)
        return {
            "One noise in each row, given to every class: the noise holds the style.": shared,
            "Interpolation: arcs between the noise of two draws, for the first five classes.": arcs.cpu(),
        }

    def _labels(self, n: int) -> Tensor:
        return torch.multinomial(self.frequency, n, replacement=True)

    def _pixels(self, x: Tensor) -> Tensor:
        """Centered images ``[*batch, 1, height, width]`` as pixels ``[*batch, D]`` in the middle of their cells."""
        return self.images.pixels(self.images.quantization.snap(x).flatten(-3))


def adversarial(model: ImageModel) -> nn.Module:
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
        self.loss, self.data = method(model.generator_law, model.critic), model.data

    @property
    def players(self) -> Mapping[str, Player]:
        return self.loss.players

    def forward(self, v: Tensor, label: Tensor, *, player: str = "generator") -> Tensor:
        return len(v) * self.loss(self.data(v), label, player=player)  # type: ignore[no-any-return]

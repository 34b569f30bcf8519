r"""The problem: densities of 8x8 digits over the unit cube, honestly compared.

Images have integer values 0 to 16. They are dequantized uniformly, :math:`v = (x + u)/17 \in [0, 1)^{64}`, anew in every epoch,
and every model is a density of :math:`v`. Its bits per dimension are exact for :math:`v` and, by Jensen's inequality, an upper
bound of the code length of the integers (see ``probgen.data.dequantization``). All models are scored on the same noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from probgen.data import Split, dequantize, load_digits, to_logits
from probgen.distributions.bijectors import Affine, Bijector, Compose, Lift

__all__ = ["CLASSES", "LEVELS", "PIXELS", "Problem", "Settings", "centered", "load_problem", "one_hot", "pixels", "square"]

LEVELS, PIXELS, CLASSES = 17, 64, 10
ALPHA = 0.05


@dataclass(frozen=True)
class Settings:
    """How much work to do.

    Attributes:
        steps: Training steps of each model.
        toy_steps: Training steps of each two-dimensional flow.
        draws: Dequantizations over which every test density is averaged.
        samples: Samples for reweighting and for speed.
        toys: How many two-dimensional laws to fit.
        seed: Fixes everything.
        width: Channels of networks on images.

    Example:
        >>> from probgen.demo import Settings
        >>> Settings.smoke().steps < Settings().steps
        True
    """

    steps: int = 800
    toy_steps: int = 400
    draws: int = 4
    samples: int = 2000
    toys: int = 6
    seed: int = 0
    width: int = 32

    @classmethod
    def smoke(cls) -> Settings:
        """A few steps of everything, to see that it runs."""
        return cls(steps=20, toy_steps=5, draws=1, samples=100, toys=2, width=8)


@dataclass(frozen=True)
class Problem:
    """Digits as pixels in the unit cube.

    Attributes:
        train: Integer images ``[n, 64]`` with labels.
        validation: The same, for choosing.
        test: The same, for reporting.
        test_v: The test images, dequantized: ``[draws, n, 64]``, the same for every model.
        loc: Mean of the training images' logits, ``[64]``.
        scale: Their standard deviation, ``[64]``.
        width: Channels of networks on images.

    Example:
        >>> from probgen.demo import Settings, load_problem
        >>> load_problem(Settings.smoke()).test_v.shape
        torch.Size([1, 397, 64])
    """

    train: Split
    validation: Split
    test: Split
    test_v: Tensor
    loc: Tensor
    scale: Tensor
    width: int = 32

    @property
    def to_pixels(self) -> Bijector:
        """The fixed last layer of flows on vectors: standardized logits to pixels."""
        return Affine(self.loc, self.scale) >> self.from_logits

    @property
    def from_logits(self) -> Bijector:
        """The fixed last layer of every flow: logits to pixels, onto a box a little larger than the unit cube."""
        widen = Affine(-ALPHA / (1 - 2 * ALPHA), 1 / (1 - 2 * ALPHA))
        return Compose(Lift(torch.distributions.SigmoidTransform()), widen)

    def noisy(self, x: Tensor, seed: int) -> Tensor:
        """Dequantize integer images ``[n, 64]`` with noise fixed by ``seed``."""
        return dequantize(x, LEVELS, generator=torch.Generator().manual_seed(seed))


def load_problem(settings: Settings) -> Problem:
    """Load the embedded digits and prepare what all models share.

    Args:
        settings: ``draws``, ``seed`` and ``width`` are used.

    Example:
        >>> from probgen.demo import Settings, load_problem
        >>> len(load_problem(Settings.smoke()).train)
        1200
    """
    digits = load_digits()
    train, validation, test = (Split(s.x.flatten(1), s.y) for s in (digits.train, digits.validation, digits.test))
    generator = torch.Generator().manual_seed(settings.seed)
    logits, _ = to_logits(dequantize(train.x, LEVELS, generator=generator), ALPHA)
    test_v = torch.stack([dequantize(test.x, LEVELS, generator=generator) for _ in range(settings.draws)])
    return Problem(train, validation, test, test_v, logits.mean(0), logits.std(0), settings.width)


def one_hot(label: Tensor) -> Tensor:
    """Labels ``[*batch]`` as vectors ``[*batch, 10]``: the context of class-conditional models.

    Args:
        label: Integers 0 to 9.

    Example:
        >>> import torch
        >>> from probgen.demo import one_hot
        >>> one_hot(torch.tensor(2)).shape
        torch.Size([10])
    """
    return functional.one_hot(label, CLASSES).to(torch.get_default_dtype())


def centered(v: Tensor) -> Tensor:
    """Centered gray values :math:`k/8 - 1` of the cells that pixels lie in, ``[*batch, 64]``.

    Args:
        v: Pixels in the unit cube, ``[*batch, 64]``.

    Example:
        >>> import torch
        >>> from probgen.demo.problem import centered
        >>> centered(torch.tensor([0.0, 0.5, 1.0]))
        tensor([-1.,  0.,  1.])
    """
    return (v * LEVELS).floor().clamp(0, LEVELS - 1) / 8 - 1


def pixels(x: Tensor) -> Tensor:
    """Pixels in the unit cube, in the middle of the cells of centered gray values, ``[*batch, 64]``.

    Args:
        x: Centered gray values, ``[*batch, 64]``.

    Example:
        >>> import torch
        >>> from probgen.demo.problem import centered, pixels
        >>> pixels(torch.tensor([0.0])), centered(pixels(torch.tensor([-0.5, 0.75])))
        (tensor([0.5000]), tensor([-0.5000,  0.7500]))
    """
    return (((x + 1) * 8 + 0.5) / LEVELS).clamp(0, 1)


def square(x: Tensor) -> Tensor:
    """Flat images ``[*batch, 64]`` as images ``[*batch, 8, 8]``.

    Args:
        x: Pixels in row-major order.

    Example:
        >>> import torch
        >>> from probgen.demo.problem import square
        >>> square(torch.zeros(5, 64)).shape
        torch.Size([5, 8, 8])
    """
    return x.reshape(*x.shape[:-1], 8, 8)

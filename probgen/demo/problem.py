r"""The problem: densities of small gray images over the unit cube, honestly compared.

Images have integer values :math:`0, \dots, L - 1`. They are dequantized uniformly, :math:`v = (x + u)/L \in [0, 1)^D`, anew
in every epoch, and every model is a density of :math:`v`. Its bits per dimension are exact for :math:`v` and, by Jensen's
inequality, an upper bound of the code length of the integers (see ``probgen.data.dequantization``). All models are scored on
the same noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.data import (
    Dataset,
    Split,
    dequantize,
    load_digits,
    load_fashion_mnist,
    load_or_stand_in,
    logit_preprocessing,
    to_logits,
)
from probgen.demo.image_format import ImageFormat
from probgen.demo.settings import Settings
from probgen.distributions.bijectors import Affine, Bijector

__all__ = ["DATA", "Problem", "load_problem"]

DATA: dict[str, Callable[[], Dataset]] = {"digits": load_digits, "fashion-mnist": load_fashion_mnist}
"""Name to loader."""

_FINE = 1e-6  # the logit's margin for bytes: black stays apart from the next level; 17 levels are apart at 0.05
_MOST = 10_000  # training images from which moments are taken


@dataclass(frozen=True)
class Problem:
    """Images as pixels in the unit cube; they stay on the CPU.

    Attributes:
        name: Of the data.
        images: Their format.
        train: Integer images ``[n, D]`` with labels.
        validation: The same, for choosing.
        test: The same, for reporting; perhaps the first of more.
        test_v: The test images, dequantized: ``[draws, n, D]``, the same for every model.
        loc: Mean of the training images' logits, ``[D]``.
        scale: Their standard deviation, ``[D]``.
        width: Channels of networks on images.
        sampler_steps: Of diffusion.

    Example:
        >>> from probgen.demo import Settings, load_problem
        >>> load_problem(Settings.smoke()).test_v.shape
        torch.Size([1, 100, 64])
    """

    name: str
    images: ImageFormat
    train: Split
    validation: Split
    test: Split
    test_v: Tensor
    loc: Tensor
    scale: Tensor
    width: int = 32
    sampler_steps: int = 12

    @property
    def to_pixels(self) -> Bijector:
        """The fixed last layer of flows on vectors: standardized logits to pixels."""
        return Affine(self.loc, self.scale) >> self.from_logits

    @property
    def from_logits(self) -> Bijector:
        """The fixed last layer of every flow: logits to pixels, onto a box a little larger than the unit cube."""
        return logit_preprocessing(margin(self.images))

    @property
    def frequency(self) -> Tensor:
        """Shares of the classes in the training images, ``[classes]``."""
        return torch.bincount(self.train.labels, minlength=self.images.num_classes) / len(self.train)

    @property
    def narrow(self) -> int:
        """Channels of networks that are normalized in groups of eight: about two thirds of ``width``."""
        return max(8, 2 * self.width // 3 // 8 * 8)

    def noisy(self, x: Tensor, seed: int) -> Tensor:
        """Dequantize integer images ``[n, D]`` with noise fixed by ``seed``."""
        return self.images.noisy(x, seed)

    def examples(self, count: int | None = None) -> Tensor:
        """The first test image of each class, ``[classes, D]`` pixels; with a number, as many from the first classes on."""
        labels = self.test.labels.tolist()
        first = [labels.index(k) for k in range(self.images.num_classes) if k in labels]
        return self.test_v[0][first[:count]]


def load_problem(settings: Settings) -> Problem:
    """Load images and prepare what all models share.

    Args:
        settings: what concerns the data; with ``stand_in`` enlarged digits will do where they are not here.

    Raises:
        ValueError: there is no such data set.
        DataNotFoundError: its files are not here.

    Example:
        >>> from probgen.demo import Settings, load_problem
        >>> len(load_problem(Settings.smoke()).train)
        1200
    """
    if settings.data not in DATA:
        raise ValueError(f"`data` must be one of {', '.join(DATA)}; got {settings.data!r}.")
    found = load_or_stand_in(DATA[settings.data], stand_in=settings.stand_in)
    height, width = found.train.x.shape[-2:]
    images = ImageFormat(height, width, found.levels or 256, int(found.train.labels.max()) + 1)
    train, validation, test = (Split(s.x.flatten(1), s.y) for s in (found.train, found.validation, found.test))
    train = train.take(range(min(settings.train_images, len(train))))
    test = test.take(range(min(settings.test_images, len(test))))
    generator = torch.Generator().manual_seed(settings.seed)
    logits, _ = to_logits(dequantize(train.x[:_MOST], images.levels, generator=generator), margin(images))
    test_v = torch.stack([dequantize(test.x, images.levels, generator=generator) for _ in range(settings.draws)])
    sizes = {"width": settings.width, "sampler_steps": settings.sampler_steps}
    return Problem(found.name, images, train, validation, test, test_v, logits.mean(0), logits.std(0), **sizes)


def margin(images: ImageFormat) -> float:
    """How far the logit keeps from the ends of the unit interval.

    Args:
        images: The finer the levels, the less.

    Example:
        >>> from probgen.demo import DIGITS
        >>> from probgen.demo.problem import margin
        >>> margin(DIGITS)
        0.05
    """
    return 0.05 if images.levels <= 32 else _FINE

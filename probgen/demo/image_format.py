r"""What all models of one data set share: the size of its images, how many levels of gray, how many classes.

A model sees pixels :math:`v = (k + u) / L \in [0, 1)^D`, flat, in row-major order: dequantized integers k. Those that model the
integers work on centered gray values :math:`x = 2k / (L - 1) - 1`, the centers of L levels on [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from probgen.data import dequantize, quantize
from probgen.distributions import Quantization

__all__ = ["DIGITS", "ImageFormat"]


@dataclass(frozen=True)
class ImageFormat:
    """The format of gray images with classes.

    Attributes:
        height: Rows of pixels.
        width: Columns.
        levels: Gray values, L.
        num_classes: Classes.

    Example:
        >>> import torch
        >>> from probgen.demo import ImageFormat
        >>> fashion = ImageFormat(28, 28, levels=256, num_classes=10)
        >>> fashion.num_pixels, fashion.shape, fashion.quantization.levels
        (784, (1, 28, 28), 256)
        >>> v = torch.tensor([0.0, 0.5, 1.0])
        >>> fashion.integers(v), fashion.pixels(fashion.centered(v))
        (tensor([  0, 128, 255]), tensor([0.0020, 0.5020, 0.9980]))
    """

    height: int
    width: int
    levels: int
    num_classes: int

    @property
    def num_pixels(self) -> int:
        """How many pixels an image has, D."""
        return self.height * self.width

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width), as networks see an image."""
        return 1, self.height, self.width

    @property
    def quantization(self) -> Quantization:
        """The levels, centered."""
        return Quantization(self.levels, -1.0, 1.0)

    @property
    def small(self) -> bool:
        """Whether a pixel can be one number among few: then perceptrons and tables of masses do."""
        return self.num_pixels <= 256

    def integers(self, v: Tensor) -> Tensor:
        """The gray values 0 to L - 1 whose cells pixels lie in, any shape."""
        return quantize(v, self.levels)

    def centered(self, v: Tensor) -> Tensor:
        """Centered gray values of the cells that pixels lie in, any shape."""
        return (v * self.levels).floor().clamp(0, self.levels - 1) * (2 / (self.levels - 1)) - 1

    def pixels(self, x: Tensor) -> Tensor:
        """Pixels in the middle of the cells of centered gray values, any shape."""
        return (((x + 1) * ((self.levels - 1) / 2) + 0.5) / self.levels).clamp(0, 1)

    def square(self, x: Tensor) -> Tensor:
        """Flat images ``[*batch, D]`` as images ``[*batch, height, width]``."""
        return x.reshape(*x.shape[:-1], self.height, self.width)

    def noisy(self, x: Tensor, seed: int) -> Tensor:
        """Dequantize integer images with noise fixed by ``seed``, on the CPU."""
        return dequantize(x, self.levels, generator=torch.Generator().manual_seed(seed))

    def one_hot(self, label: Tensor) -> Tensor:
        """Labels ``[*batch]`` as vectors ``[*batch, classes]``: the context of models by class."""
        return functional.one_hot(label, self.num_classes).to(torch.get_default_dtype())


DIGITS = ImageFormat(8, 8, levels=17, num_classes=10)
"""The embedded digits."""

r"""Two measured properties of handwriting, how thick its strokes are and how much it leans, and captions that tell them.

For ink :math:`p(u, v) \in [0, 1]` at the pixel in row :math:`u` and column :math:`v`,

.. math::

    \text{thickness} = \frac{2 \sum p}{\sum \|\nabla p\|}, \qquad
    \text{slant} = -\frac{\sum p\,(u - \bar u)(v - \bar v)}{\sum p\,(u - \bar u)^2}.

A long stroke of width :math:`w` has :math:`2 w` times its area for every unit of outline, and :math:`\sum \|\nabla p\|` is the
length of the outline, averaged over all levels of gray at which it can be drawn (the coarea formula). The slant is the shift to
the right for every pixel up, of the line that fits the columns best: 0 upright, 1 at 45 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.data.captions import DIGIT_WORDS
from probgen.data.styles import gradient_magnitude

__all__ = ["StrokeCaptions", "slant", "stroke_thickness"]


def stroke_thickness(images: Tensor) -> Tensor:
    """The mean width of strokes, in pixels, ``[N]``.

    Args:
        images: Light strokes on dark, ``[N, 1, H, W]``, values in [-1, 1].

    Example:
        >>> import torch
        >>> from probgen.data import stroke_thickness
        >>> bar = -torch.ones(2, 1, 40, 40)
        >>> bar[0, 0, :, 10:13], bar[1, 0, :, 10:16] = 1.0, 1.0  # 3 and 6 columns
        >>> stroke_thickness(bar)
        tensor([3., 6.])
    """
    area, outline = ((images + 1) / 2).flatten(1).sum(1), gradient_magnitude(images).flatten(1).sum(1)
    return 2 * area / outline.clamp_min(1e-6)


def slant(images: Tensor) -> Tensor:
    """How far strokes lean to the right, in pixels a pixel up, ``[N]``; 0 for images without ink.

    Args:
        images: Light strokes on dark, ``[N, 1, H, W]``, values in [-1, 1].

    Example:
        >>> import torch
        >>> from probgen.data import slant
        >>> italic = torch.eye(8).flip(0)[None, None] * 2 - 1  # from below on the left to above on the right
        >>> slant(italic), slant(-torch.ones(1, 1, 8, 8))
        (tensor([1.]), tensor([0.]))
    """
    ink = ((images + 1) / 2).squeeze(1)
    ink = ink / ink.sum((1, 2), keepdim=True).clamp_min(1e-6)
    rows, columns = (torch.arange(n, dtype=images.dtype, device=images.device) for n in ink.shape[1:])
    row = rows[None, :, None] - (ink * rows[:, None]).sum((1, 2), keepdim=True)
    column = columns - (ink * columns).sum((1, 2), keepdim=True)
    return -(ink * row * column).sum((1, 2)) / (ink * row.square()).sum((1, 2)).clamp_min(1e-6)


@dataclass(frozen=True)
class StrokeCaptions:
    """Captions of digits from labels and measured strokes: "a bold seven", "a thin slanted three", "five".

    A word is used only where the property is there, and then not always: a caption may say less than is true, never other than
    is true.

    Attributes:
        thin: Thickness below which a digit is thin.
        bold: Thickness above which it is bold.
        slanted: Slant above which it is slanted.

    Example:
        >>> import torch
        >>> from probgen.data import StrokeCaptions
        >>> bar = -torch.ones(1, 1, 40, 40)
        >>> bar[..., 10:16] = 1.0
        >>> captions = StrokeCaptions(thin=2.0, bold=4.0, slanted=0.3)
        >>> captions(bar, torch.tensor([1]), say=1.0)
        ['a bold one']
    """

    thin: float
    bold: float
    slanted: float

    @classmethod
    def of(cls, images: Tensor, share: float = 0.25) -> StrokeCaptions:
        """Bounds such that this share of images are thin, bold, and slanted.

        Args:
            images: Shape ``[N, 1, H, W]``.
            share: The share.
        """
        thickness = stroke_thickness(images).double()
        bounds = (thickness.quantile(share), thickness.quantile(1 - share), slant(images).double().quantile(1 - share))
        return cls(*(float(bound) for bound in bounds))

    def __call__(
        self, images: Tensor, labels: Tensor, *, say: float = 0.75, generator: torch.Generator | None = None
    ) -> list[str]:
        """A caption for every image.

        Args:
            images: Shape ``[N, 1, H, W]``.
            labels: Digits 0 to 9, ``[N]``.
            say: Probability that a property is told where it is there.
            generator: Which are told.
        """
        thickness, lean = stroke_thickness(images).tolist(), slant(images).tolist()
        told = (torch.rand(len(images), 2, generator=generator) < say).tolist()
        return [
            self._caption(DIGIT_WORDS[digit], width, angle, *tell)
            for digit, width, angle, tell in zip(labels.tolist(), thickness, lean, told, strict=True)
        ]

    def _caption(self, word: str, width: float, angle: float, tell_width: bool, tell_angle: bool) -> str:  # noqa: FBT001
        properties = []
        if tell_width and not self.thin <= width <= self.bold:
            properties.append("thin" if width < self.thin else "bold")
        if tell_angle and angle > self.slanted:
            properties.append("slanted")
        return " ".join(["a", *properties, word]) if properties else word

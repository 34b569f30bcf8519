r"""Other kinds of the same images: edges, negatives, turns, bold strokes, colors. For translators, paired and unpaired.

Every function takes images ``[N, C, H, W]`` with values in :math:`[-1, 1]` and returns images of that range; each is a known
map, so what a translator learned without pairs can be compared with the truth. :func:`unpaired` cuts a data set into two
halves that share no example.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from probgen.data.dataset import split_indices

__all__ = ["bold", "colored", "edges", "gradient_magnitude", "negative", "rotated", "unpaired"]

Color = Sequence[float]


def gradient_magnitude(images: Tensor) -> Tensor:
    r"""The length of the gradient at every pixel, by Sobel's filters: ``[N, C, H, W]``, in units of a pixel's range per pixel.

    Args:
        images: Shape ``[N, C, H, W]``, values in [-1, 1].

    References:
        Sobel (2014). History and definition of the Sobel operator. https://doi.org/10.13140/RG.2.1.1912.4965

    Example:
        >>> import torch
        >>> from probgen.data import gradient_magnitude
        >>> ramp = torch.linspace(-1, 1, 5).expand(1, 1, 5, 5)  # a quarter of the range from pixel to pixel
        >>> gradient_magnitude(ramp)[0, 0, 2]
        tensor([0.1250, 0.2500, 0.2500, 0.2500, 0.1250])
    """
    smooth, slope = images.new_tensor([1.0, 2.0, 1.0]) / 4, images.new_tensor([-1.0, 0.0, 1.0]) / 4
    filters = torch.stack([torch.outer(smooth, slope), torch.outer(slope, smooth)])[:, None]
    channels = images.shape[1]
    flat = functional.pad(images.reshape(-1, 1, *images.shape[2:]), (1, 1, 1, 1), mode="replicate")
    length: Tensor = functional.conv2d(flat, filters).square().sum(1).sqrt()
    return length.reshape(len(images), channels, *images.shape[2:])


def edges(images: Tensor, threshold: float = 0.2) -> Tensor:
    """Where the gradient is steep: 1 at edges, -1 elsewhere. A negative has the same edges as its original.

    Args:
        images: Shape ``[N, C, H, W]``, values in [-1, 1].
        threshold: The least gradient of an edge, in ranges per pixel.

    Example:
        >>> import torch
        >>> from probgen.data import edges
        >>> step = torch.cat([-torch.ones(1, 1, 4, 3), torch.ones(1, 1, 4, 3)], dim=-1)
        >>> edges(step)[0, 0, 0], torch.equal(edges(step), edges(-step))
        (tensor([-1., -1.,  1.,  1., -1., -1.]), True)
    """
    steep = (gradient_magnitude(images).amax(1, keepdim=True) >= threshold).to(images.dtype)
    return 2 * steep - 1


def negative(images: Tensor) -> Tensor:
    """Dark for light and light for dark.

    Args:
        images: Shape ``[N, C, H, W]``, values in [-1, 1].

    Example:
        >>> import torch
        >>> from probgen.data import negative
        >>> negative(torch.full((1, 1, 1, 1), 0.25)).item()
        -0.25
    """
    return -images


def rotated(images: Tensor, quarter_turns: int = 1) -> Tensor:
    """Turned counterclockwise by multiples of 90 degrees.

    Args:
        images: Shape ``[N, C, H, W]``.
        quarter_turns: How many.

    Example:
        >>> import torch
        >>> from probgen.data import rotated
        >>> rotated(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))[0, 0]
        tensor([[2., 4.],
                [1., 3.]])
    """
    return torch.rot90(images, quarter_turns, dims=(-2, -1))


def bold(images: Tensor) -> Tensor:
    """Strokes one pixel wider on every side: the largest value among a pixel and its eight neighbors.

    Args:
        images: Shape ``[N, C, H, W]``, light strokes on dark.

    Example:
        >>> import torch
        >>> from probgen.data import bold
        >>> dot = -torch.ones(1, 1, 5, 5)
        >>> dot[0, 0, 2, 2] = 1.0
        >>> int((bold(dot) > 0).sum())
        9
    """
    return functional.max_pool2d(images, 3, stride=1, padding=1)


def colored(images: Tensor, ink: Color | Tensor, paper: Color | Tensor) -> Tensor:
    """Gray images as mixtures of two colors: ``[N, 3, H, W]``; 1 becomes ink, -1 paper.

    Args:
        images: Shape ``[N, 1, H, W]``, values in [-1, 1].
        ink: Red, green and blue in [-1, 1], or a color for each image, ``[N, 3]``.
        paper: Likewise.

    Raises:
        ValueError: the images are not gray.

    Example:
        >>> import torch
        >>> from probgen.data import colored
        >>> colored(torch.ones(1, 1, 1, 1), ink=(1.0, 0.5, -1.0), paper=(0.0, 0.0, 0.0)).flatten()
        tensor([ 1.0000,  0.5000, -1.0000])
    """
    if images.dim() != 4 or images.shape[1] != 1:
        raise ValueError(f"`images` must be gray, [N, 1, H, W]; got {list(images.shape)}.")
    share = (images + 1) / 2
    first, second = (torch.as_tensor(c, dtype=images.dtype, device=images.device).reshape(-1, 3, 1, 1) for c in (ink, paper))
    return share * first + (1 - share) * second


def unpaired(examples: Tensor, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two halves that share no example, in an order that does not tell which belongs to which.

    Args:
        examples: Shape ``[N, ...]``.
        seed: Which halves.

    Example:
        >>> import torch
        >>> from probgen.data import unpaired
        >>> a, b = unpaired(torch.arange(6))
        >>> sorted([*a.tolist(), *b.tolist()])
        [0, 1, 2, 3, 4, 5]
    """
    half = len(examples) // 2
    first, second, *_ = split_indices(len(examples), [half, half], seed=seed)
    return examples[first], examples[second]

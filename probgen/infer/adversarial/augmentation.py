r"""Differentiable augmentation: the critic sees data and draws only after a random change.

.. math:: v(T_\omega(x)), \qquad T_\omega \text{ drawn anew for every example, of data and of draws alike}

With few data a critic learns them by heart. Changing the data alone would teach the generator the changes; changing both, by
the same law, compares :math:`T_\omega` of data with :math:`T_\omega` of draws, whose laws agree if those of data and draws do.
The change is differentiable, so that the generator's gradient passes through it. A change is a function of images
``[N, C, H, W]``; its random numbers are drawn for every image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

__all__ = ["DifferentiableAugmentation", "color", "cutout", "translation"]


class DifferentiableAugmentation(nn.Module):
    r"""Random changes of images, one after another; an ``augmentation`` for :class:`~probgen.infer.Adversarial`.

    Args:
        changes: Functions from images ``[N, C, H, W]`` to images; default :func:`color`, :func:`translation` and :func:`cutout`
            as in the paper.

    References:
        Zhao, Liu, Lin, Zhu, Han (2020). Differentiable augmentation for data-efficient GAN training.
        https://arxiv.org/abs/2006.10738

    Example:
        >>> import torch
        >>> from probgen.infer import DifferentiableAugmentation
        >>> from probgen.infer.adversarial import cutout, translation
        >>> augmentation = DifferentiableAugmentation([translation, cutout])
        >>> augmentation(torch.zeros(5, 3, 8, 8)).shape
        torch.Size([5, 3, 8, 8])
    """

    def __init__(self, changes: Sequence[Callable[[Tensor], Tensor]] | None = None) -> None:
        super().__init__()
        self.changes = (color, translation, cutout) if changes is None else tuple(changes)

    def forward(self, images: Tensor) -> Tensor:
        """Changed images, of the same shape.

        Args:
            images: Shape ``[N, C, H, W]``.

        Raises:
            ValueError: they have another number of dimensions.
        """
        if images.dim() != 4:
            raise ValueError(f"`images` must have shape [N, C, H, W]; got {tuple(images.shape)}.")
        for change in self.changes:
            images = change(images)
        return images

    def extra_repr(self) -> str:
        """The names of the changes."""
        return ", ".join(getattr(change, "__name__", repr(change)) for change in self.changes)


def color(images: Tensor, brightness: float = 0.5, saturation: float = 1.0, contrast: float = 0.5) -> Tensor:
    r"""Shift the brightness, then scale the distance from each pixel's gray, then that from the image's mean.

    The shift is uniform between :math:`\pm` ``brightness``, the factors between :math:`1 \pm` ``saturation`` and
    :math:`1 \pm` ``contrast``.

    Args:
        images: Shape ``[N, C, H, W]``.
        brightness: Largest shift, in units of the pixels.
        saturation: Largest change of the first factor; images with one channel have no saturation.
        contrast: Largest change of the second.

    Example:
        >>> import torch
        >>> from probgen.infer.adversarial import color
        >>> color(torch.ones(2, 1, 4, 4), brightness=0.0).unique()  # a gray image has no contrast
        tensor([1.])
    """
    images = images + brightness * _between(images)
    gray = images.mean(1, keepdim=True)
    images = gray + (1 + saturation * _between(images)) * (images - gray)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (1 + contrast * _between(images)) * (images - mean)


def translation(images: Tensor, share: float = 0.125) -> Tensor:
    """Move every image by a whole number of pixels, up to a share of its height and width; zeros come in.

    Args:
        images: Shape ``[N, C, H, W]``.
        share: Largest shift as a share of the size.

    Example:
        >>> import torch
        >>> from probgen.infer.adversarial import translation
        >>> translation(torch.ones(1, 1, 4, 4), 0.0).sum()
        tensor(16.)
    """
    for dim in (2, 3):
        size = images.shape[dim]
        most = int(share * size + 0.5)
        shift = torch.randint(-most, most + 1, (len(images), 1), device=images.device)
        source = torch.arange(size, device=images.device) - shift
        inside = ((source >= 0) & (source < size)).to(images.dtype)
        lined = [len(images), 1, 1, 1]
        lined[dim] = size
        index = source.clamp(0, size - 1).reshape(lined).expand(images.shape)
        images = torch.gather(images, dim, index) * inside.reshape(lined)
    return images


def cutout(images: Tensor, share: float = 0.5) -> Tensor:
    """Set a box to zero whose sides are a share of the image's, around a pixel drawn from all of them.

    Args:
        images: Shape ``[N, C, H, W]``.
        share: Side of the box as a share of the size; a part of it may lie outside.

    Example:
        >>> import torch
        >>> from probgen.infer.adversarial import cutout
        >>> bool((cutout(torch.ones(9, 1, 8, 8)).sum((1, 2, 3)) <= 60).all())  # at least a quarter of the box lies inside
        True
    """
    outside = []
    for dim in (2, 3):
        size = images.shape[dim]
        side = int(share * size + 0.5)
        first = torch.randint(0, size + 1 - side % 2, (len(images), 1), device=images.device) - side // 2
        place = torch.arange(size, device=images.device)
        outside.append((place < first) | (place >= first + side))
    kept = outside[0][:, None, :, None] | outside[1][:, None, None, :]
    return images * kept.to(images.dtype)


def _between(images: Tensor) -> Tensor:
    """A number in (-1, 1) for every image, ``[N, 1, 1, 1]``."""
    return 2 * torch.rand(len(images), 1, 1, 1, dtype=images.dtype, device=images.device) - 1

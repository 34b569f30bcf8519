r"""Stacked digits: several gray images as the channels of one, so that ten classes make a thousand modes.

.. math:: x = (x_1, \dots, x_s), \qquad y = \sum_{i=1}^s y_i\, C^{s - i}, \qquad (x_i, y_i) \text{ independent}

With three digits there are 1000 classes, whose probabilities are the products :math:`p_{y_1} p_{y_2} p_{y_3}` of the digits'
frequencies: nearly equal, and known. Which of them a generator reaches, a classifier of single digits tells from the channels.

References:
    Metz, Poole, Pfau, Sohl-Dickstein (2017). Unrolled generative adversarial networks. https://arxiv.org/abs/1611.02163
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["join_labels", "stack_images", "stacked_probabilities"]


def stack_images(images: Tensor, number: int, *, stack: int = 3, generator: torch.Generator | None = None) -> Tensor:
    """Stacks of images drawn with replacement: ``[number, stack, *image]``.

    Args:
        images: Gray images ``[n, height, width]``, or events of any shape.
        number: How many stacks.
        stack: Images of a stack.
        generator: For the choice; None takes the global random state.

    Raises:
        ValueError: there are no images, or a count is out of range.

    References:
        Metz, Poole, Pfau, Sohl-Dickstein (2017). Unrolled generative adversarial networks. https://arxiv.org/abs/1611.02163

    Example:
        >>> from probgen.data import load_digits, stack_images
        >>> stack_images(load_digits().train.x, 5).shape
        torch.Size([5, 3, 8, 8])
    """
    if images.dim() < 1 or len(images) == 0:
        raise ValueError(f"`images` must hold at least one image; got shape {tuple(images.shape)}.")
    if number < 0 or stack < 1:
        raise ValueError(f"`number` must not be negative and `stack` at least 1; got {number} and {stack}.")
    return images[torch.randint(len(images), (number, stack), generator=generator, device=images.device)]


def join_labels(labels: Tensor, classes: int = 10) -> Tensor:
    """The class of stacks, ``[*batch]``, from those of their images: the number whose digits they are.

    Args:
        labels: Integers ``[*batch, stack]`` from 0 to ``classes - 1``.
        classes: Classes of one image.

    Raises:
        ValueError: a label is out of range, or there is none.

    Example:
        >>> import torch
        >>> from probgen.data import join_labels
        >>> join_labels(torch.tensor([[0, 4, 2], [9, 9, 9]]))
        tensor([ 42, 999])
    """
    if labels.dim() < 1 or labels.shape[-1] < 1 or labels.is_floating_point():
        raise ValueError(f"`labels` must be integers [*batch, stack]; got {labels.dtype} {tuple(labels.shape)}.")
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"`labels` must lie in 0, ..., {classes - 1}; got {int(labels.min())}, ..., {int(labels.max())}.")
    place = classes ** torch.arange(labels.shape[-1] - 1, -1, -1, device=labels.device)
    return (labels * place).sum(-1)


def stacked_probabilities(labels: Tensor, *, stack: int = 3, classes: int = 10) -> Tensor:
    """Probabilities of the classes of stacks, ``[classes**stack]``, in the order of ``join_labels``, in float64.

    Args:
        labels: Classes of the single images, ``[n]``.
        stack: Images of a stack.
        classes: Classes of one image.

    Raises:
        ValueError: there are no labels, one is out of range, or ``stack`` is not positive.

    Example:
        >>> import torch
        >>> from probgen.data import stacked_probabilities
        >>> stacked_probabilities(torch.tensor([0, 0, 0, 1]), stack=2, classes=2)
        tensor([0.5625, 0.1875, 0.1875, 0.0625], dtype=torch.float64)
    """
    if labels.dim() != 1 or len(labels) == 0 or stack < 1:
        raise ValueError(
            f"`labels` must be integers [n], at least one, and `stack` positive; got {tuple(labels.shape)}, {stack}."
        )
    single = torch.bincount(join_labels(labels[:, None], classes), minlength=classes).double() / len(labels)
    joint = single
    for _ in range(stack - 1):
        joint = torch.outer(joint, single).flatten()
    return joint

r"""Packing: the critic judges several examples at once, and so sees how much they differ.

.. math:: v(x_1, \dots, x_m), \qquad x_i \sim p \text{ independent, or } x_i \sim q \text{ independent}

A generator that covers few modes gives packs whose examples agree too often; packing makes that a difference between the
laws of packs.
"""

from __future__ import annotations

from torch import Tensor

__all__ = ["packed"]


def packed(x: Tensor, number: int) -> Tensor:
    """Packs of examples, side by side in the first dimension of the event: ``[N / m, m C, ...]``.

    Args:
        x: Examples ``[N, C, ...]``.
        number: Examples of a pack, m.

    Raises:
        ValueError: N is no multiple of m, or the events have no dimension.

    References:
        Lin et al. (2018). PacGAN: the power of two samples in generative adversarial networks. https://arxiv.org/abs/1712.04086

    Example:
        >>> import torch
        >>> from probgen.infer.adversarial.packing import packed
        >>> packed(torch.zeros(6, 3, 8, 8), 2).shape
        torch.Size([3, 6, 8, 8])
    """
    if number == 1:
        return x
    if x.dim() < 2 or len(x) % number:
        raise ValueError(
            f"packs of {number} need [N, C, ...] with N a multiple of {number}; got {tuple(x.shape)}: drop incomplete batches."
        )
    return x.reshape(len(x) // number, number * x.shape[1], *x.shape[2:])

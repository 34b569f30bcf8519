r"""Sums of standard normal noise, and the length that such noise has.

In d dimensions standard normal noise has a length of about :math:`\sqrt d`; a sum :math:`z_1 - z_2 + z_3` of three independent
ones has :math:`\sqrt{3 d}`, a mean of k of them :math:`\sqrt{d / k}`. A generator or a flow has never been trained on noise of
these lengths, so results of arithmetic can be brought back to :math:`\sqrt d`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["combined_noise", "typical_length"]


def combined_noise(noises: Sequence[Tensor], weights: Sequence[float], *, rescaled: bool = True) -> Tensor:
    r"""Arithmetic on noise, :math:`\sum_i w_i z_i`: with weights (1, -1, 1), "A' is to A as ? is to B".

    Args:
        noises: Vectors ``[*batch, d]``.
        weights: One number w for each.
        rescaled: Bring the result to the length :math:`\sqrt d` of typical noise.

    Returns:
        Shape ``[*batch, d]``.

    Raises:
        ValueError: there is no noise, or the numbers of noises and weights differ.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.noise_arithmetic import combined_noise
        >>> combined_noise([torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])], [1.0, -1.0]).norm()  # the root of 2
        tensor(1.4142)
    """
    if not noises or len(noises) != len(weights):
        raise ValueError(f"`noises` and `weights` must be as many, at least one; got {len(noises)} and {len(weights)}.")
    parts = [weight * noise for weight, noise in zip(weights, torch.broadcast_tensors(*noises), strict=True)]
    total = torch.stack(parts).sum(0)
    return typical_length(total) if rescaled else total


def typical_length(noise: Tensor) -> Tensor:
    r"""Noise in the same direction, with the length :math:`\sqrt d` that standard normal noise has; 0 stays 0.

    Args:
        noise: Vectors ``[*batch, d]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.noise_arithmetic import typical_length
        >>> typical_length(torch.tensor([[3.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]))
        tensor([[2., 0., 0., 0.],
                [0., 0., 0., 0.]])
    """
    length = torch.linalg.vector_norm(noise, dim=-1, keepdim=True)
    return noise * (math.sqrt(noise.shape[-1]) / torch.where(length > 0, length, torch.ones_like(length)))

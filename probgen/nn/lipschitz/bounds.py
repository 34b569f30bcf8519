r"""Upper bounds of spectral norms that need no iteration over batches: the Gram iteration.

Squaring a matrix squares its singular values, :math:`\sigma(G_t) = \sigma(W)^{2^t}` for :math:`G_0 = W`,
:math:`G_{t+1} = G_t^* G_t`, and the Frobenius norm lies between the largest singular value and :math:`\sqrt r` times it, where
:math:`r` is the rank. Hence

.. math:: \sigma(W) \;\le\; \lVert G_t \rVert_F^{\,1 / 2^t} \;\le\; r^{\,1 / 2^{t+1}} \sigma(W) :

a bound *from above*, for every :math:`t`, with a factor of 1.04 at most for :math:`t = 6` and rank 128 (1.004 for matrices of
normal draws). Power iteration approaches the
norm from *below*, and keeps a vector from one training step to the next; here there is no state, so a network is the same
function in training and in evaluation. Every step is rescaled, so nothing overflows, and the result is widened by what rounding
may have taken.

A convolution with zero padding is part of a circular convolution on a larger image (by the kernel's size less one): zeros
around the image keep its ends from meeting. The circular one is block diagonal in the Fourier basis
(``probgen.nn.convolution_operator_norm``), so the largest bound over the blocks bounds the norm of the convolution.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.distributions.numerics.linear import full_precision

__all__ = ["convolution_norm_bound", "spectral_norm_bound"]

_ROUNDING = 32.0


def spectral_norm_bound(matrix: Tensor, iterations: int = 6) -> Tensor:
    r"""An upper bound of the largest singular value, tight up to the factor :math:`r^{1/2^{t+1}}`.

    Args:
        matrix: Real or complex, shape ``[*batch, m, n]``.
        iterations: The number of squarings :math:`t`.

    Returns:
        Shape ``[*batch]``, differentiable; 0 for a zero matrix, up to the smallest normal number.

    Raises:
        ValueError: it is no matrix, or ``iterations`` is negative.

    References:
        Delattre, Barthélemy, Araujo, Allauzen (2023). Efficient bound of Lipschitz constant for convolutional layers by Gram
        iteration. https://arxiv.org/abs/2305.16173

    Example:
        >>> import torch
        >>> from probgen.nn import spectral_norm_bound
        >>> matrix = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
        >>> spectral_norm_bound(matrix), spectral_norm_bound(torch.eye(2), iterations=0)
        (tensor(3.0000), tensor(1.4142))
    """
    if matrix.dim() < 2 or iterations < 0:
        raise ValueError(f"`matrix` must be [*batch, m, n] and `iterations` >= 0; got {tuple(matrix.shape)}, {iterations}.")
    gram = matrix.to(torch.promote_types(matrix.dtype, torch.float32))
    tiny = torch.finfo(gram.dtype).tiny
    log_scale = gram.real.new_zeros(gram.shape[:-2])
    with full_precision(gram):
        for _ in range(iterations):
            size = torch.linalg.vector_norm(gram, dim=(-2, -1), keepdim=True).clamp(min=tiny)
            gram, log_scale = gram / size, 2.0 * (log_scale + size[..., 0, 0].log())
            gram = gram.mH @ gram if gram.shape[-1] <= gram.shape[-2] else gram @ gram.mH
        size = torch.linalg.vector_norm(gram, dim=(-2, -1)).clamp(min=tiny)
        bound = torch.exp((log_scale + size.log()) / 2.0**iterations)
        return (bound * (1.0 + _ROUNDING * float(torch.finfo(gram.dtype).eps))).to(matrix.real.dtype)


def convolution_norm_bound(weight: Tensor, size: tuple[int, int], iterations: int = 6) -> Tensor:
    """An upper bound of the norm of a convolution of images with zero padding (stride one).

    Args:
        weight: ``[out, in, k_1, k_2]``.
        size: ``(H, W)`` of the images.
        iterations: As for ``spectral_norm_bound``.

    Returns:
        A scalar, differentiable.

    Raises:
        ValueError: the weight is no stack of kernels.

    References:
        Sedghi, Gupta, Long (2019). The singular values of convolutional layers. https://arxiv.org/abs/1805.10408

    Example:
        >>> import torch
        >>> from probgen.nn import convolution_norm_bound
        >>> blur = torch.full((1, 1, 3, 3), 1 / 9)
        >>> convolution_norm_bound(blur, (8, 8))
        tensor(1.0000)
    """
    if weight.dim() != 4:
        raise ValueError(f"`weight` must be [out, in, k, k]; got {tuple(weight.shape)}.")
    if tuple(weight.shape[2:]) == (1, 1):
        return spectral_norm_bound(weight[:, :, 0, 0], iterations)
    wide = weight.to(torch.promote_types(weight.dtype, torch.float32))
    padded = (size[0] + weight.shape[2] - 1, size[1] + weight.shape[3] - 1)
    spectrum = torch.fft.rfft2(wide, s=padded).permute(2, 3, 0, 1)
    return spectral_norm_bound(spectrum, iterations).amax().to(weight.dtype)

r"""Upper bounds of spectral norms that need no iteration over batches: the Gram iteration.

Squaring a matrix squares its singular values, :math:`\sigma(G_t) = \sigma(W)^{2^t}` for :math:`G_0 = W`,
:math:`G_{t+1} = G_t^* G_t`, and the Frobenius norm lies between the largest singular value and :math:`\sqrt r` times it, where
:math:`r` is the rank. Hence

.. math:: \sigma(W) \;\le\; \lVert G_t \rVert_F^{\,1 / 2^t} \;\le\; r^{\,1 / 2^{t+1}} \sigma(W) :

a bound *from above*, for every :math:`t`, with a factor of 1.04 at most for :math:`t = 6` and rank 128 (1.004 for matrices of
normal draws). Power iteration approaches the norm from *below*, and keeps a vector from one training step to the next; here
there is no state, so a network is the same function in training and in evaluation. Every third step is rescaled, so nothing
overflows, and the result is widened by what rounding may have taken.

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
_UNSCALED = 3  # how many squarings go by without rescaling: numbers fall to 1/r^4 at most


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
    wide = matrix.to(torch.promote_types(matrix.dtype, torch.float32))
    with full_precision(wide):
        bound = _iterated(wide, iterations)
        return (bound * (1.0 + _ROUNDING * float(torch.finfo(wide.dtype).eps))).to(matrix.real.dtype)


def _iterated(matrix: Tensor, iterations: int) -> Tensor:
    """The bound without room for rounding. Scales leave it as it is, so they are constants to a derivative."""
    size = matrix.detach().abs().amax((-2, -1), keepdim=True) if matrix.numel() else matrix.detach().real.new_ones((1, 1))
    gram, log_scale = _divided(matrix, size)
    for step in range(iterations):
        gram, log_scale = gram @ gram if step else _gram(gram), 2.0 * log_scale
        if step % _UNSCALED == 0:
            gram, log_size = _divided(gram, torch.linalg.vector_norm(gram.detach(), dim=(-2, -1), keepdim=True))
            log_scale = log_scale + log_size
    last = torch.linalg.vector_norm(gram, dim=(-2, -1)).clamp(min=torch.finfo(gram.dtype).tiny)
    return torch.exp((log_scale + last.log()) / 2.0**iterations)


def _gram(matrix: Tensor) -> Tensor:
    return matrix.mH @ matrix if matrix.shape[-1] <= matrix.shape[-2] else matrix @ matrix.mH


def _divided(matrix: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """The matrix over its size, and the logarithm of that."""
    size = size.clamp(min=torch.finfo(matrix.dtype).tiny)
    return matrix / size, size[..., 0, 0].log()


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

r"""Spectral normalization, orthogonal regularization, and what the norm of a convolution really is.

.. math:: \bar W = W / \sigma(W), \qquad \sigma(W) = \max_{v \neq 0} \frac{\|W v\|_2}{\|v\|_2}
    \approx u^\top W v, \quad v \leftarrow \frac{W^\top u}{\|W^\top u\|}, \quad u \leftarrow \frac{W v}{\|W v\|}

One step of the power iteration is taken in every forward pass in training, none in evaluation. A linear layer
:math:`x \mapsto \bar W x` has Lipschitz constant one. *A convolution has not*: its weight ``[out, in, k, k]`` is normalized as
the matrix ``[out, in k k]``, which maps one patch, not the image. The convolution itself is a linear map of images whose norm
is larger, by a factor of up to k: on circular images it is block diagonal in the Fourier basis,

.. math:: \|W *\| = \max_\omega \sigma\bigl(\hat W(\omega)\bigr), \qquad
    \hat W(\omega)_{oi} = \sum_d W_{oi}[d]\, e^{-2 \pi \mathrm i\, \omega \cdot d},

so a spectrally normalized network is Lipschitz with a constant that is known only up to such factors (but bounded).
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

__all__ = ["convolution_operator_norm", "orthogonal_penalty", "spectral_normalized"]

_Network = TypeVar("_Network", bound=nn.Module)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_LINEAR = (nn.Linear, nn.Bilinear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)


def spectral_normalized(module: _Network, *, power_iterations: int = 1) -> _Network:
    """Divide every weight of linear and convolutional layers and embeddings by its largest singular value, while it is used.

    This is torch's ``parametrizations.spectral_norm`` on all layers of a network; those that have it already are left alone.
    ``deepcopy``, ``state_dict``, ``double``, ``pg.save`` and ``infer.compile`` work as ever; torch does not pickle such
    modules.

    Args:
        module: The network, changed in place.
        power_iterations: Steps of the power iteration a forward pass in training.

    Returns:
        The same network.

    Raises:
        ValueError: a weight is all zero (it has no direction), or ``power_iterations`` is not positive.

    References:
        Miyato, Kataoka, Koyama, Yoshida (2018). Spectral normalization for generative adversarial networks.
        https://arxiv.org/abs/1802.05957

    Example:
        >>> import torch
        >>> from probgen.nn import MLP, spectral_normalized
        >>> _ = torch.manual_seed(0)
        >>> critic = spectral_normalized(MLP(2, 1, hidden=(32, 32)), power_iterations=20)
        >>> round(torch.linalg.matrix_norm(critic.layers[1].weight, 2).item(), 3)
        1.0
    """
    if power_iterations < 1:
        raise ValueError(f"`power_iterations` must be positive; got {power_iterations}.")
    for name, part in list(module.named_modules()):
        if not isinstance(part, (*_LINEAR, nn.Embedding)) or parametrize.is_parametrized(part, "weight"):
            continue
        if not bool(part.weight.detach().any()):
            raise ValueError(f"the weight of `{name or type(part).__name__}` is zero: it cannot be spectrally normalized.")
        parametrizations.spectral_norm(part, n_power_iterations=power_iterations)
    return module


def convolution_operator_norm(weight: Tensor, size: tuple[int, int]) -> Tensor:
    r"""The largest singular value of a circular convolution of images: :math:`\max_\omega \sigma(\hat W(\omega))`, exact.

    With zero padding instead the norm is at most this in the limit of large images.

    Args:
        weight: ``[out, in, k_1, k_2]``, with ``k`` at most the size of the image.
        size: ``(H, W)`` of the images.

    Returns:
        A scalar, differentiable.

    Raises:
        ValueError: the weight is no stack of kernels, or does not fit into the image.

    References:
        Sedghi, Gupta, Long (2019). The singular values of convolutional layers. https://arxiv.org/abs/1805.10408

    Example:
        >>> import torch
        >>> from probgen.nn import convolution_operator_norm
        >>> blur = torch.full((1, 1, 3, 3), 1 / 9)
        >>> convolution_operator_norm(blur, (8, 8)), torch.linalg.matrix_norm(blur.flatten(1), 2)  # constants pass unchanged
        (tensor(1.), tensor(0.3333))
    """
    if weight.dim() != 4 or weight.shape[2] > size[0] or weight.shape[3] > size[1]:
        raise ValueError(f"`weight` must be [out, in, k, k] with k at most {tuple(size)}; got {tuple(weight.shape)}.")
    spectrum = torch.fft.fft2(weight, s=size).permute(2, 3, 0, 1)
    norms: Tensor = torch.linalg.matrix_norm(spectrum, 2)
    return norms.amax()


def orthogonal_penalty(module: nn.Module) -> Tensor:
    r"""How far the rows of the weights are from being orthogonal, whatever their lengths.

    .. math:: R(W) = \bigl\| W W^\top \odot (\mathbf 1 - I) \bigr\|_F^2, \qquad W: [\mathrm{out}, \mathrm{in} \cdot k \cdot k]

    summed over all linear and convolutional layers (embeddings have none). BigGAN adds :math:`10^{-4}` times this to the
    generator's loss: its truncated draws then stay good. Under spectral normalization it acts on the weights before it.

    Args:
        module: The network.

    Returns:
        A scalar; 0 for a network without such layers.

    References:
        Brock, Donahue, Simonyan (2019). Large scale GAN training for high fidelity natural image synthesis, equation 3.
        https://arxiv.org/abs/1809.11096

    Example:
        >>> import torch
        >>> from probgen.nn import orthogonal_penalty
        >>> layer = torch.nn.Linear(2, 2)
        >>> layer.weight.data = torch.tensor([[3.0, 0.0], [1.0, 2.0]])
        >>> orthogonal_penalty(layer).item()  # 2 * (3 * 1)^2
        18.0
    """
    total: Tensor | None = None
    for part in module.modules():
        if isinstance(part, _LINEAR):
            rows = _rows(part)
            gram = rows @ rows.mT
            term = (gram - torch.diag(gram.diagonal())).square().sum()
            total = term if total is None else total + term
    return torch.zeros(()) if total is None else total


def _rows(layer: nn.Module) -> Tensor:
    """The weight before any parametrization, as a matrix with one row an output."""
    weight: Tensor = layer.weight  # type: ignore[assignment]
    if parametrize.is_parametrized(layer, "weight"):
        weight = layer.parametrizations["weight"].original  # type: ignore[union-attr,index]
    if isinstance(layer, _TRANSPOSED):  # [in, out / groups, ...]
        weight = weight.transpose(0, 1)
    return weight.flatten(1)

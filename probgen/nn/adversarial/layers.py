r"""Choices by name that generators and critics share: normalizations, the range of images, how weights start.

Batch normalization makes a critic's output for one example depend on all others of its batch. A penalty on the critic's
gradient *at each example* then has no meaning, and data and draws, which come in batches of their own, can be told apart by
their statistics alone. Critics with a gradient penalty use ``"layer"``, ``"instance"`` or ``"none"``.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

__all__ = [
    "ConditionalNormalization",
    "Normalization",
    "OutputRange",
    "cancels_bias",
    "normal_initialized",
    "normalization_layer",
    "output_activation",
    "uniform_initialized",
]

Normalization = Literal["batch", "layer", "instance", "none"]
OutputRange = Literal["tanh", "sigmoid", "identity"]


def normalization_layer(name: Normalization, channels: int, *, affine: bool = True) -> nn.Module:
    """A normalization of ``[N, channels, H, W]`` with a learned scale and shift a channel, or without.

    ``"batch"``: each channel over the batch and all pixels; ``"layer"``: each example over channels and pixels; ``"instance"``:
    each channel of each example over its pixels (undefined on one pixel); ``"none"``: nothing.

    Args:
        name: Which.
        channels: How many channels.
        affine: Whether it has a scale and a shift.

    Raises:
        ValueError: the name is unknown.

    References:
        Ioffe, Szegedy (2015). Batch normalization. https://arxiv.org/abs/1502.03167

        Ulyanov, Vedaldi, Lempitsky (2016). Instance normalization. https://arxiv.org/abs/1607.08022

    Example:
        >>> from probgen.nn.adversarial import normalization_layer
        >>> type(normalization_layer("layer", 8)).__name__
        'GroupNorm'
    """
    if name == "batch":
        return nn.BatchNorm2d(channels, affine=affine)
    if name == "layer":
        return nn.GroupNorm(1, channels, affine=affine)
    if name == "instance":  # as nn.InstanceNorm2d, which fails on empty batches
        return nn.GroupNorm(channels, channels, affine=affine)
    if name == "none":
        return nn.Identity()
    raise ValueError(f"`normalization` must be 'batch', 'layer', 'instance' or 'none'; got {name!r}.")


class ConditionalNormalization(nn.Module):
    r"""A normalization whose scale and shift follow a vector: :math:`(1 + W_1 e) \odot \mathrm{norm}(h) + W_2 e + b`.

    Args:
        name: ``"batch"``, ``"layer"``, ``"instance"`` or ``"none"``.
        channels: How many channels.
        features: Width of the vector; 0: scale and shift are learned constants.

    Raises:
        ValueError: the name is unknown.

    References:
        Dumoulin, Shlens, Kudlur (2017). A learned representation for artistic style. https://arxiv.org/abs/1610.07629

        de Vries et al. (2017). Modulating early visual processing by language. https://arxiv.org/abs/1707.00683

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial import ConditionalNormalization
        >>> ConditionalNormalization("batch", 8, features=3)(torch.randn(5, 8, 4, 4), torch.zeros(5, 3)).shape
        torch.Size([5, 8, 4, 4])
    """

    def __init__(self, name: Normalization, channels: int, features: int = 0) -> None:
        super().__init__()
        self.normalization = normalization_layer(name, channels, affine=not features)
        self.features = nn.Linear(features, 2 * channels) if features else None

    def forward(self, h: Tensor, condition: Tensor | None = None) -> Tensor:
        """Normalize ``h`` ``[N, channels, H, W]``; ``condition`` is ``[N, features]``."""
        normalized: Tensor = self.normalization(h)
        if self.features is None or condition is None:
            return normalized
        scale, shift = self.features(condition)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(shift, normalized, 1 + scale)


def cancels_bias(name: Normalization) -> bool:
    """Whether a bias a channel has no effect before this normalization.

    Args:
        name: ``"batch"``, ``"layer"``, ``"instance"`` or ``"none"``.

    Example:
        >>> from probgen.nn.adversarial.layers import cancels_bias
        >>> cancels_bias("batch"), cancels_bias("layer")
        (True, False)
    """
    return name in ("batch", "instance")


def output_activation(name: OutputRange) -> nn.Module:
    """What brings a generator's output into the range of the data.

    Args:
        name: ``"tanh"`` for images in [-1, 1], ``"sigmoid"`` for [0, 1], ``"identity"`` for all reals.

    Raises:
        ValueError: the name is unknown.

    Example:
        >>> from probgen.nn.adversarial import output_activation
        >>> output_activation("tanh")
        Tanh()
    """
    if name == "tanh":
        return nn.Tanh()
    if name == "sigmoid":
        return nn.Sigmoid()
    if name == "identity":
        return nn.Identity()
    raise ValueError(f"`output` must be 'tanh', 'sigmoid' or 'identity'; got {name!r}.")


def normal_initialized(module: nn.Module, scale: float = 0.02) -> None:
    """Start a network as DCGAN does: weights N(0, scale^2), scales of normalizations N(1, scale^2), biases and shifts 0.

    Args:
        module: The network, changed in place.
        scale: Standard deviation.

    References:
        Radford, Metz, Chintala (2016). Unsupervised representation learning with deep convolutional generative adversarial
        networks. https://arxiv.org/abs/1511.06434

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial import normal_initialized
        >>> _ = torch.manual_seed(0)
        >>> layer = torch.nn.Linear(100, 100)
        >>> normal_initialized(layer)
        >>> round(layer.weight.std().item(), 2), layer.bias.abs().max().item()
        (0.02, 0.0)
    """
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(part.weight, 0.0, scale)
        elif isinstance(part, (nn.BatchNorm2d, nn.GroupNorm)) and part.affine:
            nn.init.normal_(part.weight, 1.0, scale)
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)


def uniform_initialized(module: nn.Module) -> None:
    r"""Start a residual network as SNGAN does: weights uniform with variance 2 / (fan in + fan out) (Glorot), biases 0.

    Args:
        module: The network, changed in place.

    References:
        Glorot, Bengio (2010). Understanding the difficulty of training deep feedforward neural networks.
        https://proceedings.mlr.press/v9/glorot10a.html

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial import uniform_initialized
        >>> layer = torch.nn.Linear(100, 200)
        >>> uniform_initialized(layer)
        >>> bool(layer.weight.abs().max() <= 0.02**0.5)
        True
    """
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)

r"""Choices by name that generators and critics share: normalizations, the range of images, how weights start.

Batch normalization makes a critic's output for one example depend on all others of its batch. A penalty on the critic's
gradient *at each example* then has no meaning, and data and draws, which come in batches of their own, can be told apart by
their statistics alone. Critics with a gradient penalty use ``"layer"``, ``"instance"`` or ``"none"``.
"""

from __future__ import annotations

from typing import Literal

from torch import nn

__all__ = ["Normalization", "OutputRange", "normal_initialized", "normalization_layer", "output_activation"]

Normalization = Literal["batch", "layer", "instance", "none"]
OutputRange = Literal["tanh", "sigmoid", "identity"]


def normalization_layer(name: Normalization, channels: int) -> nn.Module:
    """A normalization of ``[N, channels, H, W]`` with a learned scale and shift a channel.

    ``"batch"``: each channel over the batch and all pixels; ``"layer"``: each example over channels and pixels; ``"instance"``:
    each channel of each example over its pixels (undefined on one pixel); ``"none"``: nothing.

    Args:
        name: Which.
        channels: How many channels.

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
        return nn.BatchNorm2d(channels)
    if name == "layer":
        return nn.GroupNorm(1, channels)
    if name == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    if name == "none":
        return nn.Identity()
    raise ValueError(f"`normalization` must be 'batch', 'layer', 'instance' or 'none'; got {name!r}.")


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
        elif isinstance(part, (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d)):
            nn.init.normal_(part.weight, 1.0, scale)
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)

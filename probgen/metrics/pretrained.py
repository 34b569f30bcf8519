r"""Features of a network that was trained elsewhere, for color images of any size.

Images in [0, 1] are resized to what the network was trained on, gray ones repeated to three channels, and standardized,

.. math:: x \mapsto h\Bigl(\frac{\mathrm{resize}(x) - m}{s}\Bigr),

with the mean :math:`m` and the deviation :math:`s` of its training. Resizing is bilinear *with* antialiasing: without it a
distance depends on the library that resized (Parmar, Zhang, Zhu, 2022). The name of the network is a part of every number
computed on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

__all__ = ["PretrainedFeatures", "imagenet_features"]

_CHUNK = 64
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as all of torchvision's networks want them


class PretrainedFeatures(nn.Module):
    """A network of images as an extractor of features; its parameters are frozen, and it stays in evaluation mode.

    Args:
        network: From standardized images ``[n, 3, *image_size]`` to features ``[n, ...]``.
        name: What its numbers will be labeled with.
        image_size: (height, width) of its images.
        mean: Of its training images, one number a channel.
        spread: Standard deviation of them.

    Raises:
        ValueError: mean and spread are not three numbers each, or a spread is not positive.

    References:
        Parmar, Zhang, Zhu (2022). On aliased resizing and surprising subtleties in GAN evaluation.
        https://arxiv.org/abs/2104.11222

    Example:
        >>> import torch
        >>> from probgen.metrics import PretrainedFeatures
        >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1))  # stands for a trained one
        >>> extractor = PretrainedFeatures(network, "a small network", (32, 32))
        >>> extractor, extractor(torch.rand(5, 1, 28, 28)).shape
        (a small network at 32x32, torch.Size([5, 4]))
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self,
        network: nn.Module,
        name: str,
        image_size: Sequence[int] = (224, 224),
        *,
        mean: Sequence[float] = _MEAN,
        spread: Sequence[float] = _SPREAD,
    ) -> None:
        super().__init__()
        if len(mean) != 3 or len(spread) != 3 or not min(spread) > 0:
            raise ValueError(f"`mean` and `spread` must be three numbers, a spread positive; got {mean} and {spread}.")
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.name = name
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.register_buffer("mean", torch.tensor([float(v) for v in mean]).reshape(3, 1, 1))
        self.register_buffer("spread", torch.tensor([float(v) for v in spread]).reshape(3, 1, 1))

    def train(self, mode: bool = True) -> PretrainedFeatures:  # noqa: FBT001, FBT002  (torch's signature)
        """Stay in evaluation mode: statistics of batches would change the features."""
        return super().train(mode=False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Features ``[n, features]``.

        Args:
            images: Values in [0, 1], ``[n, H, W]``, ``[n, 1, H, W]`` or ``[n, 3, H, W]``.

        Raises:
            ValueError: the images have another shape, or are not floating-point numbers.
        """
        x = images.unsqueeze(1) if images.dim() == 3 else images
        if x.dim() != 4 or x.shape[1] not in (1, 3) or not x.is_floating_point():
            raise ValueError(
                "`images` must be floating-point numbers in [0, 1] of shape [n, H, W], [n, 1, H, W] or [n, 3, H, W]; "
                f"got {tuple(images.shape)} of {images.dtype}."
            )
        return torch.cat([self._features(part) for part in x.split(_CHUNK)])

    def _features(self, x: Tensor) -> Tensor:
        resized = interpolate(x.to(self.mean), self.image_size, mode="bilinear", antialias=True, align_corners=False)
        features: Tensor = self.network((resized.expand(-1, 3, -1, -1) - self.mean) / self.spread)
        return features.flatten(1)

    def __repr__(self) -> str:
        return f"{self.name} at {self.image_size[0]}x{self.image_size[1]}"


def imagenet_features(model: str = "resnet18") -> PretrainedFeatures:
    """The features before the last layer of one of torchvision's classifiers, trained on ImageNet.

    Torchvision is no dependency: ``pip install probgen[imagenet]``. Its weights are downloaded at the first use.

    Args:
        model: A network of ``torchvision.models`` whose last layer is ``fc``: "resnet18", "resnet50", "inception_v3".

    Raises:
        ImportError: torchvision is not installed.
        ValueError: the network has no last layer ``fc``.

    Example:
        >>> from probgen.metrics import imagenet_features
        >>> try:
        ...     imagenet_features("no network of this name")
        ... except (ImportError, ValueError) as error:
        ...     print(type(error).__name__ in ("ImportError", "ValueError"))
        True
    """
    try:
        from torchvision.models import get_model  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        raise ImportError("features of ImageNet need torchvision: pip install probgen[imagenet].") from None
    network = get_model(model, weights="DEFAULT")
    if not hasattr(network, "fc"):
        raise ValueError(f"`model` must name a network whose last layer is `fc`; {model!r} has none.")
    network.fc = nn.Identity()
    side = 299 if model.startswith("inception") else 224
    return PretrainedFeatures(network, f"{model} of torchvision, ImageNet", (side, side))

"""Black and white from levels of gray, by chance: a pixel is white with the probability of its intensity.

Drawn anew at every visit (*dynamic* binarization) it is the law of binary images that likelihoods of MNIST are published for,
and keeps a model from learning one draw by heart. Test images are drawn once, with a fixed generator.

References:
    Salakhutdinov, Murray (2008). On the quantitative analysis of deep belief networks. https://doi.org/10.1145/1390156.1390266
    Burda, Grosse, Salakhutdinov (2016). Importance weighted autoencoders. https://arxiv.org/abs/1509.00519
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["binarize"]


def binarize(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    r"""Draw :math:`b_d \sim \mathrm{Bernoulli}(x_d)` for every entry, so :math:`\mathbb{E}[b] = x` exactly.

    It is a ``transform`` of ``Batches``, which then are binarized anew in every epoch and the same after a resume.

    Args:
        x: Intensities in [0, 1], any shape.
        generator: Source of the draw.

    Returns:
        Zeros and ones, of the shape and dtype of ``x``.

    Example:
        >>> import torch
        >>> from probgen.data import Batches, binarize
        >>> x = torch.tensor([[0.0, 0.5, 1.0]]).expand(1000, 3)
        >>> next(iter(Batches(x, 1000, transform=binarize))).mean(0).round(decimals=1)
        tensor([0.0000, 0.5000, 1.0000])
    """
    return (torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device) < x).to(x.dtype)

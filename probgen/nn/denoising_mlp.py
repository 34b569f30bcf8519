r"""A residual network of noisy vectors: what the U-Net is for images, for data without a grid.

.. math::

    h_0 = W x + b, \qquad
    h_{l+1} = \mathrm{skip}_l(h_l) + V_l\, \sigma\big((1 + A_l e) \odot (U_l\, \sigma(h_l)) + B_l e\big), \qquad
    \mathrm{output} = W' \sigma(h_L) + b'

with :math:`\sigma = \mathrm{SiLU}` and the features :math:`e` of noise level and context. Nothing is normalized: far from the
data a denoiser is linear in its input, and this network can be so there. :math:`V_l` and :math:`W'` start at zero.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.attention import zero_initialized
from probgen.nn.conditioning import Conditioning, Conditions
from probgen.nn.denoising_network import DenoisingNetwork

__all__ = ["DenoisingMLP"]


class DenoisingMLP(DenoisingNetwork):
    """A fully connected network of noisy data of any event shape, a log-SNR and perhaps a context.

    The context enters as a vector, added to the features of the noise level; of a text it is the encoder's summary; an image is
    flattened and concatenated to the input. The output is 0 before training.

    Args:
        features: How many features a datum has, or its event shape.
        hidden: Width of each residual block, at least one.
        embedding_features: Width of the features of noise level and context.
        embedding: Features of the log-SNR, ``"sinusoidal"`` or ``"fourier"``.
        conditioning: What turns a context into features; None: the network takes no context.
        out_features: First size of the output's shape, in place of the event's; twice that for a learned variance.

    Raises:
        ValueError: a size is not positive, or ``out_features`` is given for scalar data.

    Example:
        >>> import torch
        >>> from probgen.nn import DenoisingMLP, VectorConditioning
        >>> network = DenoisingMLP(2, conditioning=VectorConditioning(3))
        >>> network(torch.randn(5, 2), torch.zeros(5), torch.randn(5, 3)).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        features: int | Sequence[int],
        *,
        hidden: Sequence[int] = (128, 128, 128),
        embedding_features: int = 128,
        embedding: Literal["sinusoidal", "fourier"] = "sinusoidal",
        conditioning: Conditioning | None = None,
        out_features: int | None = None,
    ) -> None:
        shape = (features,) if isinstance(features, int) else tuple(features)
        if min(*shape, *hidden, len(hidden), embedding_features, 1 if out_features is None else out_features, 1) < 1:
            raise ValueError(
                "`features`, `hidden`, `embedding_features` and `out_features` must be positive, and `hidden` not empty; "
                f"got {features}, {tuple(hidden)}, {embedding_features} and {out_features}."
            )
        if out_features is not None and not shape:
            raise ValueError(
                f"`out_features` is the first size of the output's shape, and scalars have none; got {out_features}."
            )
        super().__init__(
            shape,
            shape if out_features is None else (out_features, *shape[1:]),
            embedding_features=embedding_features,
            base_features=max(4, embedding_features // 4 * 2),
            embedding=embedding,
            conditioning=conditioning,
        )
        image = 0 if conditioning is None else math.prod(conditioning.image_shape)
        self.first = nn.Linear(math.prod(shape) + image, hidden[0])
        widths = [hidden[0], *hidden]
        self.blocks = nn.ModuleList(_Block(n, m, embedding_features) for n, m in itertools.pairwise(widths))
        self.last = nn.Linear(hidden[-1], math.prod(self.out_shape))
        zero_initialized(self.last)

    def _predict(self, x: Tensor, features: Tensor, conditions: Conditions) -> Tensor:
        h = x.reshape(len(x), math.prod(self.event_shape))
        if conditions.image is not None:
            h = torch.cat([h, conditions.image.flatten(1).to(h.dtype)], dim=1)
        h = self.first(h)
        for block in self.blocks:
            h = block(h, features)
        return self.last(F.silu(h)).reshape(len(x), *self.out_shape)  # type: ignore[no-any-return]


class _Block(nn.Module):
    """One residual block, its hidden layer scaled and shifted by the features."""

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.inner = nn.Linear(inputs, outputs)
        self.features = nn.Linear(features, 2 * outputs)
        self.outer = nn.Linear(outputs, outputs)
        zero_initialized(self.outer)
        self.skip = nn.Linear(inputs, outputs) if inputs != outputs else None

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        scale, shift = self.features(features).chunk(2, dim=-1)
        h = F.silu(torch.addcmul(shift, self.inner(F.silu(x)), 1 + scale))
        return self.outer(h) + (x if self.skip is None else self.skip(x))  # type: ignore[no-any-return]

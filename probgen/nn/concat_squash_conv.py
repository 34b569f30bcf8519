r"""The vector field of FFJORD for images: convolutions that time and context gate.

.. math::

    h_l = \sigma\big((W_l * h_{l-1} + b_l) \odot g_l(t, c) + s_l(t, c)\big), \qquad h_0 = x,

with one gate and one shift for each channel (``concat_squash.py``), and without activation in the last layer. The divergence
of a deep convolutional field has no cheap closed form: Hutchinson's estimate is its companion.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.nn._context import flat_context
from probgen.nn.concat_squash import SmoothActivation, TimeGate, smooth_activation

__all__ = ["ConcatSquashConv"]


class ConcatSquashConv(nn.Module):
    """A velocity of images from gated convolutions, ``[N, channels, H, W]`` to the same shape, for images of any size.

    Args:
        channels: Channels of an image.
        hidden: Channels of the hidden layers.
        context_shape: Trailing shape of the context, None if there is none.
        kernel_size: Side of the kernels, odd.
        activation: "tanh", "softplus" or "silu".
        frequencies: How many frequencies of time the gates see beside time itself.

    Raises:
        ValueError: a size is not positive, the kernel is even, or there is no such activation.

    References:
        Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019). FFJORD: free-form continuous dynamics for scalable reversible
        generative models. https://arxiv.org/abs/1810.01367

    Example:
        >>> import torch
        >>> from probgen.nn import ConcatSquashConv
        >>> ConcatSquashConv(1, hidden=(8, 8))(torch.tensor(0.3), torch.zeros(5, 1, 4, 6)).shape
        torch.Size([5, 1, 4, 6])
    """

    def __init__(
        self,
        channels: int,
        *,
        hidden: Sequence[int] = (32, 32, 32),
        context_shape: Sequence[int] | None = None,
        kernel_size: int = 3,
        activation: SmoothActivation = "tanh",
        frequencies: int = 3,
    ) -> None:
        super().__init__()
        if min(channels, *hidden, 1) < 1 or kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                "`channels` and `hidden` must be positive and `kernel_size` odd; "
                f"got {channels}, {tuple(hidden)} and {kernel_size}."
            )
        self._act, _ = smooth_activation(activation)
        self.activation = activation
        self.channels = channels
        self.context_shape = None if context_shape is None else tuple(context_shape)
        width = 0 if context_shape is None else math.prod(context_shape)
        widths = [channels, *hidden, channels]
        self.layers = nn.ModuleList(
            nn.Conv2d(n, m, kernel_size, padding=kernel_size // 2) for n, m in itertools.pairwise(widths)
        )
        self.gates = nn.ModuleList(TimeGate(m, frequencies=frequencies, context_features=width) for m in widths[1:])

    def forward(self, t: Tensor, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The velocity ``[N, channels, H, W]``.

        Args:
            t: The time, a tensor of one number, or of one for each image (``[N, 1, 1, 1]``).
            x: Images ``[N, channels, H, W]``.
            context: Shape ``[N, *context_shape]``.

        Raises:
            ContextError: a missing, mis-sized or unused context.
        """
        context = flat_context(type(self).__name__, context, self.context_shape, x.shape[:1])
        h = x
        for index, (layer, gate) in enumerate(zip(self.layers, self.gates, strict=True)):
            scale, shift = (value[:, :, None, None] for value in gate(t, context))
            h = torch.addcmul(shift, layer(h if index == 0 else self._act(h)), scale)
        return h

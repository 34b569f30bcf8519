r"""WaveGlow's conditioner: dilated convolutions with gates that look both ways.

With dilations :math:`2^l` and a context :math:`c` (features of each position, or one vector),

.. math::

    u &= \tanh(W_l * h_l + A_l c) \odot \sigma(V_l * h_l + B_l c), \\
    h_{l+1} &= h_l + R_l u, \qquad g = \mathrm{conv}^0\Bigl(\sum_l S_l u\Bigr) .

It is the network of a WaveNet without the causal shift: a coupling may look at all of the copied half, also at what comes
later. The last layer starts at zero, so the coupling starts as the identity.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.nn.convolutional_blocks import require_sizes
from probgen.nn.flows.normalized_conv1d import NormalizedConv1d

__all__ = ["DilatedConditioner"]


class DilatedConditioner(nn.Module):
    r"""From the copied channels of a wave to the parameters of the others.

    Args:
        in_channels: Channels that it sees.
        out_channels: Channels that it gives.
        channels: Hidden channels.
        layers: Layers; the dilations are :math:`1, 2, 4, \ldots`.
        kernel_size: Length of the kernels, odd.
        context_shape: ``(C, T)``, features of each position, or ``(C,)``, one vector; None for none.

    Raises:
        ValueError: a size is not positive, the kernel is even, or the context has more axes.

    References:
        Prenger, Valle, Catanzaro (2019). WaveGlow: a flow-based generative network for speech synthesis.
        https://arxiv.org/abs/1811.00002

    Example:
        >>> import torch
        >>> from probgen.nn.flows import DilatedConditioner
        >>> network = DilatedConditioner(2, 4, channels=8, layers=3, context_shape=(5, 16))
        >>> network(torch.randn(3, 2, 16), torch.randn(3, 5, 16)).shape, network.receptive_field
        (torch.Size([3, 4, 16]), 15)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        channels: int = 256,
        layers: int = 8,
        kernel_size: int = 3,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        require_sizes(in_channels=in_channels, out_channels=out_channels, channels=channels, layers=layers)
        if context_shape is not None and len(context_shape) not in (1, 2):
            raise ValueError(f"`context_shape` must be (channels, length) or (channels,); got {tuple(context_shape)}.")
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.entry = NormalizedConv1d(in_channels, channels, 1)
        self.context = None if context_shape is None else nn.Linear(context_shape[0], 2 * channels * layers, bias=False)
        self.gates = nn.ModuleList(
            NormalizedConv1d(channels, 2 * channels, kernel_size, dilation=2**index) for index in range(layers)
        )
        self.residuals = nn.ModuleList(NormalizedConv1d(channels, channels, 1, init_scale=0.5) for _ in range(layers - 1))
        self.skips = nn.ModuleList(NormalizedConv1d(channels, channels, 1) for _ in range(layers))
        self.output = nn.Conv1d(channels, out_channels, 1)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)  # type: ignore[arg-type]
        self.receptive_field = 1 + (kernel_size - 1) * (2**layers - 1)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """From ``[N, in_channels, T]`` and ``[N, *context_shape]`` to ``[N, out_channels, T]``."""
        require_context(type(self).__name__, context, self.context_shape, x.shape[:1])
        hidden = self.entry(x)
        told = self._told(context, len(self.gates))
        total = torch.zeros_like(hidden)
        for index, gate in enumerate(self.gates):
            value, opening = (gate(hidden) + told[index]).chunk(2, dim=1)
            update = torch.tanh(value) * torch.sigmoid(opening)
            total = total + self.skips[index](update)
            if index < len(self.residuals):
                hidden = hidden + self.residuals[index](update)
        return self.output(total)  # type: ignore[no-any-return]

    def _told(self, context: Tensor | None, layers: int) -> Sequence[Tensor | float]:
        """What each layer is told of the context, from one product for all."""
        if self.context is None or context is None:
            return [0.0] * layers
        told = self.context.weight @ (context if context.dim() == 3 else context.unsqueeze(-1)).to(self.context.weight.dtype)
        return told.chunk(layers, dim=1)

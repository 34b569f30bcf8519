r"""Maxout layers and the small networks that benchmarks of mode coverage are run with.

.. math:: h_i = \max_{k \le K} (W_{ik} x + b_{ik})

A piecewise linear, convex function whose shape is learned: enough of them approximate any continuous function, and (unlike a
rectifier's) their slope vanishes nowhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.nn._context import flat_context
from probgen.nn.adversarial._pyramid import require_events
from probgen.nn.adversarial.spectral import spectral_normalized
from probgen.nn.convolutional_blocks import require_sizes

__all__ = ["BatchNormMLP", "Maxout", "MaxoutCritic"]


class Maxout(nn.Module):
    """The largest of some linear functions: ``[*batch, in_features]`` to ``[*batch, out_features]``.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        pieces: Linear functions for each output.

    Raises:
        ValueError: a size is not positive.

    References:
        Goodfellow, Warde-Farley, Mirza, Courville, Bengio (2013). Maxout networks. https://arxiv.org/abs/1302.4389

    Example:
        >>> import torch
        >>> from probgen.nn import Maxout
        >>> Maxout(3, 4, pieces=2)(torch.zeros(5, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(self, in_features: int, out_features: int, pieces: int = 5) -> None:
        super().__init__()
        require_sizes(in_features=in_features, out_features=out_features, pieces=pieces)
        self.linear = nn.Linear(in_features, out_features * pieces)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` ``[*batch, in_features]``."""
        functions: Tensor = self.linear(x).unflatten(-1, (-1, self.pieces))
        return functions.amax(-1)


class MaxoutCritic(nn.Module):
    """A critic of vectors made of maxout layers: ``[N, in_features]`` (and a context) to outputs ``[N, 1]``.

    ``MaxoutCritic(2)`` is the critic of the grid of 25 Gaussians in PacGAN; for packs of m points give it 2 m features.

    Args:
        in_features: Width of the events.
        hidden: Widths of the hidden layers.
        pieces: Linear functions for each unit.
        spectral: Spectral normalization of every layer.
        context_features: Width of the context, joined to the input; 0: there is none.

    Raises:
        ValueError: a size is not positive.

    References:
        Lin, Khetan, Fanti, Oh (2018). PacGAN: the power of two samples in generative adversarial networks.
        https://arxiv.org/abs/1712.04086

    Example:
        >>> import torch
        >>> from probgen.nn import MaxoutCritic
        >>> critic = MaxoutCritic(2)
        >>> critic(torch.zeros(5, 2)).shape, sum(parameter.numel() for parameter in critic.parameters())
        (torch.Size([5, 1]), 405201)
    """

    def __init__(
        self,
        in_features: int,
        *,
        hidden: Sequence[int] = (200, 200, 200),
        pieces: int = 5,
        spectral: bool = False,
        context_features: int = 0,
    ) -> None:
        super().__init__()
        require_sizes(in_features=in_features, hidden=hidden)
        self.in_features = in_features
        self.context_shape = (context_features,) if context_features else None
        widths = [in_features + context_features, *hidden]
        self.layers = nn.Sequential(*(Maxout(n, m, pieces) for n, m in itertools.pairwise(widths)), nn.Linear(widths[-1], 1))
        if spectral:
            spectral_normalized(self)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Outputs ``[N, 1]`` of ``x`` ``[N, in_features]`` and a context ``[N, context_features]``.

        Raises:
            ValueError: the input has another shape; a ``ContextError`` where the context is missing or has.
        """
        require_events("MaxoutCritic", "x", x, (self.in_features,))
        return self.layers(_joined("MaxoutCritic", x, context, self.context_shape))  # type: ignore[no-any-return]


class BatchNormMLP(nn.Module):
    """A generator of vectors: linear layers, batch normalization and ReLU; ``[n, noise_features]`` to ``[n, out_features]``.

    ``BatchNormMLP(2, 2)`` is the generator of the grid of 25 Gaussians in PacGAN. In training, draws of one batch depend on
    each other, and a batch needs at least two; in evaluation they are independent.

    Args:
        noise_features: Width of the noise.
        out_features: Width of a draw.
        hidden: Widths of the hidden layers.
        context_features: Width of the context, joined to the noise; 0: there is none.

    Raises:
        ValueError: a size is not positive.

    References:
        Lin, Khetan, Fanti, Oh (2018). PacGAN: the power of two samples in generative adversarial networks.
        https://arxiv.org/abs/1712.04086

    Example:
        >>> import torch
        >>> from probgen.nn import BatchNormMLP
        >>> generator = BatchNormMLP(2, 2)
        >>> generator(torch.randn(5, 2)).shape, sum(parameter.numel() for parameter in generator.parameters())
        (torch.Size([5, 2]), 484802)
    """

    def __init__(
        self,
        noise_features: int,
        out_features: int,
        *,
        hidden: Sequence[int] = (400, 400, 400, 400),
        context_features: int = 0,
    ) -> None:
        super().__init__()
        require_sizes(noise_features=noise_features, out_features=out_features, hidden=hidden)
        self.noise_features = noise_features
        self.context_shape = (context_features,) if context_features else None
        widths = [noise_features + context_features, *hidden]
        parts: list[nn.Module] = []
        for n, m in itertools.pairwise(widths):
            parts += [nn.Linear(n, m, bias=False), nn.BatchNorm1d(m), nn.ReLU()]
        self.layers = nn.Sequential(*parts, nn.Linear(widths[-1], out_features))

    def forward(self, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Draws ``[n, out_features]`` of ``noise`` ``[n, noise_features]`` and a context ``[n, context_features]``.

        Raises:
            ValueError: the input has another shape; a ``ContextError`` where the context is missing or has.
        """
        require_events("BatchNormMLP", "noise", noise, (self.noise_features,))
        return self.layers(_joined("BatchNormMLP", noise, context, self.context_shape))  # type: ignore[no-any-return]


def _joined(owner: str, x: Tensor, context: Tensor | None, shape: tuple[int, ...] | None) -> Tensor:
    """``x`` with its context beside it."""
    rows = flat_context(owner, context, shape, x.shape[:-1])
    return x if rows is None else torch.cat([x, rows.expand(*x.shape[:-1], rows.shape[-1])], dim=-1)

"""A network around which its input goes."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["Skip"]


class Skip(nn.Module):
    r"""The input plus what a network makes of it: :math:`y = x + f(x, c)`.

    Args:
        network: From ``x`` (and further inputs) to an output of the shape of ``x``.

    References:
        He, Zhang, Ren, Sun (2016). Identity mappings in deep residual networks. https://arxiv.org/abs/1603.05027

    Example:
        >>> import torch
        >>> from probgen.nn import MLP, Skip
        >>> Skip(MLP(3, 3, hidden=(8,), context_features=2))(torch.zeros(5, 3), torch.ones(5, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        """The sum, of the shape of ``x``."""
        change: Tensor = self.network(x, *context)
        return x + change

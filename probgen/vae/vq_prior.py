r"""Priors of codes, fitted after the codes are learned: an autoregressive law of the grid of codes.

.. math:: p(k) = \prod_i p(k_i \mid k_{<i})

Codes have no order, so they enter the network as unit vectors: :math:`K` coordinates for each position, all of which belong to
one level of the masked network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from probgen.distributions import Autoregressive, Embedding, OneHotEmbedding
from probgen.distributions.bijectors import IncrementalNetwork
from probgen.distributions.elements import CategoricalElement
from probgen.nn import MADE

__all__ = ["CodePrior", "made_code_prior"]


class CodePrior(nn.Module):
    """A learned law of codes; calling it gives the distribution.

    Args:
        network: An incremental network of the codes; see ``probgen.distributions.Autoregressive`` for its sizes.
        code_shape: Shape of the codes of one datum.
        num_codes: Number K of codes.
        embedding: How codes enter the network; as unit vectors by default.

    Example:
        >>> import torch
        >>> from probgen.nn import MADE
        >>> from probgen.vae import CodePrior
        >>> adjacency = torch.ones(4, 4).tril(-1).bool().repeat_interleave(3, 0).repeat_interleave(3, 1)
        >>> prior = CodePrior(MADE(12, 1, hidden=(16,), adjacency=adjacency), (2, 2), 3)
        >>> prior().event_shape, prior().sample((5,)).shape
        (torch.Size([2, 2]), torch.Size([5, 2, 2]))
    """

    def __init__(
        self, network: IncrementalNetwork, code_shape: Sequence[int], num_codes: int, embedding: Embedding | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.code_shape = tuple(code_shape)
        self.element = CategoricalElement(num_codes)
        self.embedding = OneHotEmbedding(num_codes) if embedding is None else embedding

    def forward(self) -> Autoregressive:
        """The law of the codes of one datum."""
        return Autoregressive(self.network, self.code_shape, self.element, embedding=self.embedding)


def made_code_prior(
    code_shape: Sequence[int],
    num_codes: int,
    *,
    hidden: Sequence[int] = (256,),
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> CodePrior:
    """An autoregressive law of codes with a masked network, position after position in row-major order.

    The network has ``num_codes`` inputs for each position, so this is for small grids.

    Args:
        code_shape: Shape of the codes of one datum.
        num_codes: Number K of codes.
        hidden: Widths of the hidden layers.
        activation: Makes the activation.

    Example:
        >>> import torch
        >>> from probgen.vae import made_code_prior
        >>> prior = made_code_prior((2, 2), 3, hidden=(16,))
        >>> torch.allclose(prior().log_prob(prior().enumerate_support()).exp().sum(), torch.tensor(1.0))
        True
    """
    positions = math.prod(code_shape)
    before = torch.ones(positions, positions).tril(-1).bool()
    adjacency = before.repeat_interleave(num_codes, 0).repeat_interleave(num_codes, 1)
    network = MADE(positions * num_codes, 1, hidden=hidden, adjacency=adjacency, activation=activation)
    return CodePrior(network, code_shape, num_codes)

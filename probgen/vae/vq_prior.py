r"""Priors of codes, fitted after the codes are learned: an autoregressive law of the grid of codes.

.. math:: p(k) = \prod_i p(k_i \mid k_{<i})

Codes have no order, so they enter the network as unit vectors: :math:`K` numbers for each position.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import nn

from probgen.distributions import AutoregressiveLaw, OneHotEmbedding
from probgen.distributions.elements import CategoricalElement
from probgen.nn import MADE

__all__ = ["made_code_prior"]


def made_code_prior(
    code_shape: Sequence[int],
    num_codes: int,
    *,
    hidden: Sequence[int] = (256,),
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> AutoregressiveLaw:
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
    network = MADE(math.prod(code_shape), num_codes, num_inputs=num_codes, hidden=hidden, activation=activation)
    return AutoregressiveLaw(network, code_shape, CategoricalElement(num_codes), OneHotEmbedding(num_codes))

"""Cases of incremental networks: every public one, small, with and without contexts and ordered channels.

``NETWORKS`` maps a name to a function that builds a fresh network from torch's global seed; the laws of networks run on each
row (``tests/test_network_laws.py``). Keep a network below about thirty coordinates and let every parameter act: a head whose
weights start at zero hides a leak as built, and the laws move the weights to find it. Other modules of ``tests.cases`` may
define ``NETWORKS``, too.
"""

from collections.abc import Callable

from torch import nn

from probgen.distributions.bijectors import IncrementalNetwork
from probgen.nn import MADE, PixelCNNPlusPlus
from probgen.nn.causal import RecomputingNetwork

NETWORKS: dict[str, Callable[[], IncrementalNetwork]] = {
    "MADE": lambda: MADE(5, 2, hidden=(12, 12), order=(2, 0, 4, 1, 3), activation=nn.Tanh),
    "MADE(one-hot, context)": lambda: MADE(4, 3, num_inputs=3, hidden=(16,), context_features=2, activation=nn.Tanh),
    "MADE(residual)": lambda: MADE(4, 2, hidden=(12, 12, 12), residual=True, activation=nn.Tanh),
    "PixelCNNPlusPlus": lambda: PixelCNNPlusPlus((4, 3), 2, filters=4, blocks=1, levels=2, dropout=0.0),
    "PixelCNNPlusPlus(colors, context)": lambda: PixelCNNPlusPlus(
        (3, 3, 3), 2, filters=4, blocks=1, levels=3, dropout=0.0, context_shape=(2,)
    ),
    "RecomputingNetwork": lambda: RecomputingNetwork(
        MADE(4, 2, hidden=(12,), order=(3, 1, 0, 2), activation=nn.Tanh), 4, 2, order=(3, 1, 0, 2)
    ),
    "RecomputingNetwork(context)": lambda: RecomputingNetwork(
        MADE(3, 2, hidden=(12,), context_features=2, activation=nn.Tanh), 3, 2, context_shape=(2,)
    ),
}

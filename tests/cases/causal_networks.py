"""Cases of incremental networks: every public one, small, with and without contexts and ordered channels.

``NETWORKS`` maps a name to a function that builds a fresh network from torch's global seed; the laws of networks run on each
row (``tests/test_network_laws.py``). Keep a network below about thirty coordinates and let every parameter act: a head whose
weights start at zero hides a leak as built, and the laws move the weights to find it. Other modules of ``tests.cases`` may
define ``NETWORKS``, too.
"""

from collections.abc import Callable

from torch import nn

from probgen.distributions.bijectors import IncrementalNetwork
from probgen.nn import MADE, GatedPixelCNN, PixelCNN, PixelCNNPlusPlus
from probgen.nn.causal import CausalTransformer, PixelSNAIL, RecomputingNetwork

_SMALL = {"width": 8, "depth": 2, "heads": 2}

NETWORKS: dict[str, Callable[[], IncrementalNetwork]] = {
    "CausalTransformer": lambda: CausalTransformer((2, 3), 2, **_SMALL),
    "CausalTransformer(codes, rotary, tied, context)": lambda: CausalTransformer(
        (5,), 3, values=3, positions="rotary", tied=True, context_shape=(2,), **_SMALL
    ),
    "CausalTransformer(attends to a context)": lambda: CausalTransformer(
        (4,), 2, channels=2, context_shape=(3, 2), cross_attention=True, **_SMALL
    ),
    "MADE": lambda: MADE(5, 2, hidden=(12, 12), order=(2, 0, 4, 1, 3), activation=nn.Tanh),
    "MADE(one-hot, context)": lambda: MADE(4, 3, num_inputs=3, hidden=(16,), context_features=2, activation=nn.Tanh),
    "MADE(residual)": lambda: MADE(4, 2, hidden=(12, 12, 12), residual=True, activation=nn.Tanh),
    "GatedPixelCNN": lambda: GatedPixelCNN((1, 4, 3), 2, layers=3, channels=4, head_channels=4, first_kernel_size=3),
    "GatedPixelCNN(colors, features)": lambda: GatedPixelCNN(
        (3, 2, 2), 2, layers=2, channels=6, head_channels=6, ordered_channels=True, context_shape=(2, 2, 2)
    ),
    "PixelCNN": lambda: PixelCNN((1, 4, 3), 2, blocks=2, channels=8, head_channels=6, first_kernel_size=3),
    "PixelCNN(colors, context)": lambda: PixelCNN(
        (3, 2, 2), 2, blocks=1, channels=12, head_channels=6, ordered_channels=True, context_shape=(2,)
    ),
    "PixelCNNPlusPlus": lambda: PixelCNNPlusPlus((4, 3), 2, filters=4, blocks=1, levels=2, dropout=0.0),
    "PixelCNNPlusPlus(colors, context)": lambda: PixelCNNPlusPlus(
        (3, 3, 3), 2, filters=4, blocks=1, levels=3, dropout=0.0, context_shape=(2,)
    ),
    "PixelSNAIL": lambda: PixelSNAIL((3, 3), 2, filters=8, stages=2, blocks=1, heads=2, kernel_size=3),
    "PixelSNAIL(colors, context)": lambda: PixelSNAIL(
        (3, 2, 3), 2, filters=8, stages=1, blocks=1, heads=1, kernel_size=3, context_shape=(2,)
    ),
    "RecomputingNetwork": lambda: RecomputingNetwork(
        MADE(4, 2, hidden=(12,), order=(3, 1, 0, 2), activation=nn.Tanh), 4, 2, order=(3, 1, 0, 2)
    ),
    "RecomputingNetwork(context)": lambda: RecomputingNetwork(
        MADE(3, 2, hidden=(12,), context_features=2, activation=nn.Tanh), 3, 2, context_shape=(2,)
    ),
}

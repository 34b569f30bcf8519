"""Cases of sums of networks: a deep and a linear term, with and without a context."""

from collections.abc import Callable

from torch import nn

from probgen.distributions.bijectors import IncrementalNetwork
from probgen.nn import MADE, NetworkSum


def with_skip(context: int) -> NetworkSum:
    """Two terms of one order, one of them with a context."""
    order = (2, 0, 3, 1)
    return NetworkSum(
        MADE(4, 2, hidden=(12, 12), order=order, context_features=context, activation=nn.Tanh),
        MADE(4, 2, hidden=(8,), order=order, activation=nn.Tanh),
    )


NETWORKS: dict[str, Callable[[], IncrementalNetwork]] = {
    "NetworkSum": lambda: with_skip(0),
    "NetworkSum(context)": lambda: with_skip(3),
}

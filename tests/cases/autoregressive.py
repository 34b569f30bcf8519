"""Cases of autoregressive bijectors over every real elementwise bijector, and of the recipes built on them."""

from collections.abc import Callable

import torch
from torch import nn

from probgen.distributions.bijectors import Affine, Bijector, Elementwise, MaskedAutoregressive
from probgen.distributions.testing import BijectorCase
from probgen.flows import (
    autoregressive_flow,
    inverse_autoregressive_flow,
    masked_autoregressive_flow,
    neural_spline_autoregressive,
)
from probgen.nn import MADE
from tests.cases.elements import real_elements

GRAPH = torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]]).bool()


def _masked(element: type[Elementwise], context: int = 0) -> Callable[[], Bijector]:
    """The two forms in turn; an element that is inverted numerically is inverted for all coordinates at once."""

    def make() -> Bijector:
        made = element()
        parallel = "forward" if context and made.exact_inverse else "inverse"
        network = MADE(3, made.num_free, hidden=(8, 8), context_features=context, order=(1, 0, 2), activation=nn.Tanh)
        return MaskedAutoregressive(made, network, parallel=parallel)

    return make


def _graph() -> Bijector:
    return MaskedAutoregressive(Affine(), MADE(4, 2, hidden=(8, 8, 8), residual=True, adjacency=GRAPH, activation=nn.SiLU))


BIJECTORS = {
    **{f"MaskedAutoregressive({name})": BijectorCase(_masked(entry), (3,)) for name, entry in real_elements().items()},
    **{
        f"MaskedAutoregressive({name}, context)": BijectorCase(_masked(entry, 2), (3,))
        for name, entry in real_elements(costly=False).items()
    },
    "MaskedAutoregressive(graph, residual)": BijectorCase(_graph, (4,)),
    "masked_autoregressive_flow": BijectorCase(lambda: masked_autoregressive_flow(4, layers=3, hidden=(16, 16)), (4,)),
    "inverse_autoregressive_flow": BijectorCase(lambda: inverse_autoregressive_flow(4, layers=3, hidden=(16, 16)), (4,)),
    "neural_spline_autoregressive(context)": BijectorCase(
        lambda: neural_spline_autoregressive(3, context_shape=(2,), layers=2, hidden=(16, 16)), (3,)
    ),
    "autoregressive_flow(one coordinate)": BijectorCase(lambda: autoregressive_flow(1, element=Affine(), hidden=(8,)), (1,)),
}

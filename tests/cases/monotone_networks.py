"""Cases of increasing networks, block triangular ones, and normal quantiles; and of recipes built on them."""

from torch import nn

from probgen.distributions.bijectors import (
    BlockAutoregressive,
    DeepSigmoid,
    DenseSigmoid,
    IntegralNetwork,
    MixtureQuantile,
    MonotoneNetwork,
    NormalToLogistic,
)
from probgen.distributions.testing import BijectorCase
from probgen.flows import (
    block_neural_autoregressive_flow,
    gaussianization_flow,
    neural_autoregressive_flow,
    planar_flow,
    radial_flow,
    sylvester_flow,
    unconstrained_monotonic_flow,
)

BIJECTORS = {
    "DeepSigmoid": BijectorCase(lambda: DeepSigmoid(shape=(3,))),
    "DenseSigmoid": BijectorCase(lambda: DenseSigmoid(shape=(3,))),
    "MonotoneNetwork": BijectorCase(lambda: MonotoneNetwork(shape=(3,))),
    "IntegralNetwork": BijectorCase(lambda: IntegralNetwork((8,), 4, shape=(3,))),
    "BlockAutoregressive": BijectorCase(lambda: BlockAutoregressive(3, 4), (3,)),
    "BlockAutoregressive(context)": BijectorCase(lambda: BlockAutoregressive(2, 4, context_shape=(2,)), (2,)),
    "NormalToLogistic": BijectorCase(NormalToLogistic),
    "MixtureQuantile": BijectorCase(lambda: MixtureQuantile(2, 4), (2,)),
    "MixtureQuantile(context)": BijectorCase(
        lambda: MixtureQuantile(2, 3, conditioner=nn.Linear(2, 18), context_shape=(2,)), (2,)
    ),
    "neural_autoregressive_flow(context)": BijectorCase(
        lambda: neural_autoregressive_flow(2, context_shape=(2,), units=4, layers=2, hidden=(8,)), (2,)
    ),
    "unconstrained_monotonic_flow(one coordinate)": BijectorCase(
        lambda: unconstrained_monotonic_flow(1, integrand=(8,), signal=4, layers=2, hidden=(8,)), (1,)
    ),
    "block_neural_autoregressive_flow": BijectorCase(lambda: block_neural_autoregressive_flow(3, layers=2, units=4), (3,)),
    "gaussianization_flow": BijectorCase(lambda: gaussianization_flow(2, layers=2, components=4), (2,)),
    "planar_flow(context)": BijectorCase(lambda: planar_flow(2, context_shape=(2,), layers=2, hidden=(8,)), (2,)),
    "radial_flow": BijectorCase(lambda: radial_flow(2, layers=3), (2,)),
    "sylvester_flow": BijectorCase(lambda: sylvester_flow(3, layers=2, directions=2), (3,)),
}

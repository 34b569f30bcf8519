"""Cases of residual bijectors: the whole Jacobian under the laws of bijectors, random series as distributions."""

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Residual
from probgen.distributions.testing import BijectorCase, DistributionCase
from probgen.nn import LipschitzConvNet, LipschitzMLP

NO_EXPORT = "torch.export cannot trace the vjp that makes the Jacobian"

BIJECTORS = {
    "Residual(vectors, context)": BijectorCase(
        lambda: Residual(LipschitzMLP(4, hidden=(8,), lipschitz=0.9, context_features=1), (4,)),
        event_shape=(4,),
        exempt={"exports": NO_EXPORT},
    ),
    "Residual(images)": BijectorCase(
        lambda: Residual(LipschitzConvNet((1, 2, 2), channels=4, kernels=(3, 1), lipschitz=0.8), (1, 2, 2)),
        event_shape=(1, 2, 2),
        exempt={"exports": NO_EXPORT},
    ),
}

DISTRIBUTIONS = {
    "TransformedDistribution(Residual)": DistributionCase(
        lambda: TransformedDistribution(standard_normal(1), Residual(LipschitzMLP(1, hidden=(8,)), (1,)).inv)
    ),
    "TransformedDistribution(Residual, roulette)": DistributionCase(
        lambda: TransformedDistribution(
            standard_normal(3), Residual(LipschitzMLP(3, hidden=(8,), lipschitz=0.8), (3,), log_det="roulette").inv
        )
    ),
}

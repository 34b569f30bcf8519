"""Cases of deep compositions: activations recomputed from outputs, layers with stacked parameters."""

from torch import nn

from probgen.distributions.bijectors import (
    Affine,
    Bijector,
    Compose,
    Coupling,
    Exp,
    LULinear,
    Planar,
    Repeat,
    Reshape,
    Softplus,
    half_mask,
)
from probgen.distributions.testing import BijectorCase
from probgen.nn import MLP


def _coupling(features: int, context: int = 0, *, flip: bool = False) -> Bijector:
    mask = half_mask(features, flip=flip)
    conditioner = MLP(sum(mask) + context, 2 * (features - sum(mask)), hidden=(8,), activation=nn.Tanh)
    return Coupling(Affine(), conditioner, mask, context_shape=(context,) if context else None)


def _reversible() -> Bijector:
    shared = _coupling(4, 2)
    parts = [shared, LULinear(4), _coupling(4, 2, flip=True), shared, Reshape((4,), (2, 2)), Softplus()]
    return Compose(*parts, reversible=True)


BIJECTORS = {
    "Compose(reversible, context, shared part)": BijectorCase(_reversible, (4,)),
    "Compose(reversible, iterative part)": BijectorCase(
        lambda: Compose(Affine(shape=(3,)), Planar(3), Compose(LULinear(3), Exp()), reversible=True), (3,)
    ),
    "Repeat(pair, context)": BijectorCase(lambda: Repeat(lambda: _coupling(3, 2) >> _coupling(3, 2, flip=True), 3), (3,)),
    "Repeat(reversible)": BijectorCase(lambda: Repeat(lambda: LULinear(3) >> _coupling(3), 3, reversible=True), (3,)),
}

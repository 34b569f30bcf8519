"""Cases of couplings and conditional elementwise maps, over every real elementwise bijector, and of recipes built on them."""

from collections.abc import Callable

from torch import nn

from probgen.distributions.bijectors import (
    Affine,
    Bijector,
    CircularSpline,
    ConditionalElementwise,
    Coupling,
    Elementwise,
    RationalQuadraticSpline,
    alternating_mask,
    half_mask,
)
from probgen.distributions.testing import BijectorCase
from probgen.flows import coupling_flow, neural_spline_coupling, real_nvp
from probgen.nn import MLP
from tests.cases.elements import real_elements


def _smooth(inputs: int, outputs: int) -> MLP:
    """A small conditioner; smooth, so that derivatives of every order exist everywhere."""
    return MLP(inputs, outputs, hidden=(8, 8), activation=nn.Tanh)


def _coupling(element: type[Elementwise], context: int = 0) -> Callable[[], Bijector]:
    def make() -> Bijector:
        made, mask = element(), half_mask(3)
        conditioner = _smooth(sum(mask) + context, (3 - sum(mask)) * made.num_free)
        return Coupling(made, conditioner, mask, context_shape=(context,) if context else None)

    return make


def _conditional(element: type[Elementwise]) -> Callable[[], Bijector]:
    return lambda: ConditionalElementwise(element(), _smooth(2, 2 * element().num_free), context_shape=(2,), event_shape=(2,))


BIJECTORS = {
    **{f"Coupling({name})": BijectorCase(_coupling(entry), (3,)) for name, entry in real_elements(costly=False).items()},
    **{f"Coupling({name}, context)": BijectorCase(_coupling(entry, 2), (3,)) for name, entry in real_elements().items()},
    "ConditionalElementwise(Affine)": BijectorCase(_conditional(Affine), (2,)),
    "ConditionalElementwise(RationalQuadraticSpline)": BijectorCase(_conditional(RationalQuadraticSpline), (2,)),
    "Coupling(scattered mask)": BijectorCase(lambda: Coupling(Affine(), _smooth(2, 4), alternating_mask(4)), (4,)),
    "Coupling(circle)": BijectorCase(
        lambda: Coupling(CircularSpline(4), _smooth(1, CircularSpline(4).num_free), half_mask(2)), (2,)
    ),
    "Coupling(one coordinate)": BijectorCase(lambda: Coupling(Affine(), _smooth(0, 2), half_mask(1)), (1,)),
    "ConditionalElementwise(scalar)": BijectorCase(lambda: ConditionalElementwise(Affine(), _smooth(1, 2), context_shape=(1,))),
    "neural_spline_coupling": BijectorCase(lambda: neural_spline_coupling(4, layers=4, hidden=(16, 16)), (4,)),
    "neural_spline_coupling(context)": BijectorCase(
        lambda: neural_spline_coupling(2, context_shape=(1,), layers=4, hidden=(16, 16)), (2,)
    ),
    "neural_spline_coupling(one coordinate)": BijectorCase(lambda: neural_spline_coupling(1, layers=2, hidden=(8,)), (1,)),
    "real_nvp": BijectorCase(lambda: real_nvp(3, layers=4, hidden=(16, 16)), (3,)),
    "coupling_flow(residual)": BijectorCase(
        lambda: coupling_flow(3, element=Affine(), layers=2, hidden=(8, 8, 8), residual=True, context_shape=(2, 2)), (3,)
    ),
}

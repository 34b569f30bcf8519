"""Cases of the linear bijectors and permutations."""

from probgen.distributions.bijectors import Householder, LowerTriangular, LULinear, Orthogonal, Permutation, QRLinear, Reverse
from probgen.distributions.testing import BijectorCase

BIJECTORS = {
    "LowerTriangular": BijectorCase(lambda: LowerTriangular(3), event_shape=(3,)),
    "LowerTriangular(no loc)": BijectorCase(lambda: LowerTriangular(1, loc=False), event_shape=(1,)),
    "LULinear": BijectorCase(lambda: LULinear(3), event_shape=(3,)),
    "LULinear(rotation)": BijectorCase(lambda: LULinear(4, start="rotation"), event_shape=(4,)),
    "QRLinear": BijectorCase(lambda: QRLinear(3), event_shape=(3,)),
    "QRLinear(rotation)": BijectorCase(lambda: QRLinear(4, 2, start="rotation"), event_shape=(4,)),
    "Householder": BijectorCase(lambda: Householder(3), event_shape=(3,)),
    "Orthogonal": BijectorCase(lambda: Orthogonal(3), event_shape=(3,)),
    "Orthogonal(rotation)": BijectorCase(lambda: Orthogonal(4, start="rotation"), event_shape=(4,)),
    "Permutation": BijectorCase(lambda: Permutation([2, 0, 3, 1]), event_shape=(4,)),
    "Reverse": BijectorCase(Reverse, event_shape=(3,)),
}

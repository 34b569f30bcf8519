"""Cases of the maps that were made for variational posteriors, with own and with amortized parameters."""

from torch import nn

from probgen.distributions.bijectors import Planar, Radial, Sylvester
from probgen.distributions.testing import BijectorCase

BIJECTORS = {
    "Planar": BijectorCase(lambda: Planar(3), (3,)),
    "Planar(context)": BijectorCase(lambda: Planar(3, conditioner=nn.Linear(2, 7), context_shape=(2,)), (3,)),
    "Radial(one coordinate)": BijectorCase(lambda: Radial(1), (1,)),
    "Radial(context)": BijectorCase(lambda: Radial(2, conditioner=nn.Linear(2, 4), context_shape=(2,)), (2,)),
    "Sylvester": BijectorCase(lambda: Sylvester(3), (3,)),
    "Sylvester(context)": BijectorCase(lambda: Sylvester(3, 2, conditioner=nn.Linear(2, 14), context_shape=(2,)), (3,)),
}

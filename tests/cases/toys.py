"""Cases of the two-dimensional toys: the twist, and the laws with exact densities."""

from probgen.data.toys import Checkerboard, Twist, eight_gaussians, pinwheel
from probgen.distributions.testing import BijectorCase, DistributionCase

BIJECTORS = {"Twist": BijectorCase(lambda: Twist(0.35), event_shape=(2,))}

DISTRIBUTIONS = {
    "Checkerboard": DistributionCase(Checkerboard),
    "eight_gaussians": DistributionCase(eight_gaussians),
    "pinwheel": DistributionCase(pinwheel),
}

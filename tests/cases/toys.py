"""Cases of the two-dimensional toys that are classes of their own."""

from probgen.data.toys import Checkerboard, Twist
from probgen.distributions.testing import BijectorCase, DistributionCase

BIJECTORS = {"Twist": BijectorCase(lambda: Twist(0.35), event_shape=(2,))}

DISTRIBUTIONS = {"Checkerboard": DistributionCase(Checkerboard)}

"""Cases of the two-dimensional toys that are classes of their own."""

from probgen.data.toys import Checkerboard, Twist
from probgen.distributions.testing import BijectorCase, DistributionCase

FAST = "it turns by an angle that grows with the square of the radius: in float32 no digit of the angle is left at 1e3"

BIJECTORS = {
    "Twist": BijectorCase(
        lambda: Twist(0.35),
        event_shape=(2,),
        exempt={"round_trip_in_tails": FAST, "single_precision_reaches_the_tails": FAST},
    )
}

DISTRIBUTIONS = {"Checkerboard": DistributionCase(Checkerboard)}

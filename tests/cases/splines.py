"""Cases of the monotone splines."""

import torch

from probgen.distributions.bijectors import CircularSpline, CubicSpline, LinearSpline, RationalQuadraticSpline
from probgen.distributions.testing import BijectorCase

SIZES = torch.tensor([[1.0, 2.0, 0.5, 1.0], [0.3, 1.0, 1.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
SLOPES = torch.tensor([0.5, 2.0, 1.0, 1.5, 0.7])

BIJECTORS = {
    "RationalQuadraticSpline(free)": BijectorCase(lambda: RationalQuadraticSpline(shape=(3,))),
    "RationalQuadraticSpline(given)": BijectorCase(
        lambda: RationalQuadraticSpline(4, 3.0, widths=SIZES, heights=SIZES.flip(-1), slopes=SLOPES[:3])
    ),
    "RationalQuadraticSpline(box)": BijectorCase(lambda: RationalQuadraticSpline(4, interval=(-1.0, 3.0), shape=(3,))),
    "LinearSpline(free)": BijectorCase(lambda: LinearSpline(7, shape=(3,))),
    "LinearSpline(given)": BijectorCase(lambda: LinearSpline(4, 2.0, widths=SIZES, heights=SIZES.flip(-1))),
    "LinearSpline(box)": BijectorCase(lambda: LinearSpline(5, interval=(0.0, 1.0), shape=(3,))),
    "CubicSpline(free)": BijectorCase(lambda: CubicSpline(shape=(3,))),
    "CubicSpline(given)": BijectorCase(
        lambda: CubicSpline(4, 3.0, widths=SIZES, heights=SIZES.flip(-1), slopes=SLOPES.clamp(max=1.4))
    ),
    "CubicSpline(box)": BijectorCase(lambda: CubicSpline(4, interval=(-1.0, 3.0), shape=(3,))),
    "CircularSpline(free)": BijectorCase(lambda: CircularSpline(shape=(3,))),
    "CircularSpline(given)": BijectorCase(lambda: CircularSpline(4, widths=SIZES, heights=SIZES.flip(-1), slopes=SLOPES[:4])),
}

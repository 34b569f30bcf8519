"""Cases of the core: composition, inverse, lifting, affine maps."""

import torch
from torch.distributions import biject_to, constraints

from probgen.distributions.bijectors import Affine, Compose, Exp, Inverse, Lift, Scale, Shift
from probgen.distributions.testing import BijectorCase

BIJECTORS = {
    "Affine(free)": BijectorCase(lambda: Affine(shape=(3,)), event_shape=()),
    "Affine(given)": BijectorCase(lambda: Affine(loc=torch.tensor([1.0, -2.0, 0.5]), scale=2.0)),
    "Shift": BijectorCase(lambda: Shift(shape=(3,))),
    "Scale": BijectorCase(lambda: Scale(shape=(3,))),
    "Exp": BijectorCase(Exp),
    "Inverse(Exp)": BijectorCase(lambda: Inverse(Exp())),
    "Compose(Affine, Exp)": BijectorCase(lambda: Compose(Affine(shape=(3,)), Exp())),
    "Lift(simplex)": BijectorCase(
        lambda: Lift(biject_to(constraints.simplex)),
        event_shape=(3,),
        exempt={
            "single_precision_agrees_with_double": "torch's stick-breaking computes 1 - sigmoid(x) and loses it in float32",
            "single_precision_reaches_the_tails": "torch's log-det is the log of that difference: -inf in float32 from x = 104",
        },
    ),
}

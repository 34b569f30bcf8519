"""Cases of the structural bijectors: reshaping, slices, subsets, reinterpreted and wrapped maps."""

import torch
from torch import nn
from torch.distributions import constraints, transforms

from probgen.distributions.bijectors import (
    Affine,
    Compose,
    Concat,
    ConditionalElementwise,
    Exp,
    Independent,
    LowerTriangular,
    LULinear,
    Partial,
    Reshape,
    Reverse,
    Scale,
    Shift,
    Stack,
    ToSupport,
    as_bijector,
)
from probgen.distributions.testing import BijectorCase


def _conditional() -> ConditionalElementwise:
    return ConditionalElementwise(Affine(), nn.Linear(2, 2), context_shape=(2,))


def _torch_chain() -> transforms.Transform:
    inner = transforms.AffineTransform(torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0]))
    return transforms.ComposeTransform([transforms.IndependentTransform(inner, 1), transforms.ExpTransform()])


BIJECTORS = {
    "Reshape": BijectorCase(lambda: Reshape((6,), (2, 3)), event_shape=(6,)),
    "Reshape(scalar)": BijectorCase(lambda: Reshape((), (1, 1))),
    "Reshape(positive)": BijectorCase(lambda: Reshape((2, 2), (4,), support=constraints.positive), event_shape=(2, 2)),
    "Independent": BijectorCase(lambda: Independent(Affine(shape=(3,)), 1), event_shape=(3,)),
    "Independent(LowerTriangular)": BijectorCase(lambda: Independent(LowerTriangular(2), 1), event_shape=(3, 2)),
    "Independent(conditional)": BijectorCase(lambda: Independent(_conditional(), 1), event_shape=(3,)),
    "Compose(conditional, LowerTriangular)": BijectorCase(
        lambda: Compose(_conditional(), LowerTriangular(3)), event_shape=(3,)
    ),
    "Concat": BijectorCase(
        lambda: Concat(Exp(), LULinear(2), ToSupport(constraints.interval(0.0, 2.0)), sizes=[1, 2, 2]), event_shape=(5,)
    ),
    "Concat(rows)": BijectorCase(lambda: Concat(Exp(), Reverse(), sizes=[1, 2], dim=-2), event_shape=(3, 2)),
    "Concat(conditional)": BijectorCase(lambda: Concat(_conditional(), Shift(1.0), sizes=[2, 1]), event_shape=(3,)),
    "Stack": BijectorCase(lambda: Stack(Exp(), Scale(2.0), Shift(-1.0)), event_shape=(3,)),
    "Stack(vectors)": BijectorCase(lambda: Stack(LowerTriangular(2), Reverse(), dim=-2), event_shape=(2, 2)),
    "Partial": BijectorCase(lambda: Partial(LULinear(2), [3, 1], features=4), event_shape=(4,)),
    "Partial(Exp)": BijectorCase(lambda: Partial(Exp(), [0, 2], features=3), event_shape=(3,)),
    "as_bijector(torch chain)": BijectorCase(lambda: as_bijector(_torch_chain()), event_shape=(2,)),
    "as_bijector(torch stack)": BijectorCase(
        lambda: as_bijector(
            transforms.StackTransform([transforms.ExpTransform(), transforms.AffineTransform(1.0, 2.0).inv], dim=-1)
        ),
        event_shape=(2,),
    ),
}

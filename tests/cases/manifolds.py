"""Cases of maps of circles, spheres and rotations, of heavy tails, of transforms along axes and of learned permutations."""

import torch
from torch import nn
from torch.distributions import constraints

from probgen.distributions import UniformRotation, UniformSphere
from probgen.distributions.bijectors import (
    Butterfly,
    CayleyRotation,
    CircularReflection,
    CircularShift,
    CircularSpline,
    DiscreteCosine,
    EulerAngles,
    HaarWavelet,
    HeavyTail,
    LearnedPermutation,
    Mobius,
    ProductCoupling,
    RotationProduct,
    SphereRotation,
    SphericalCoordinates,
    embedding_size,
)
from probgen.distributions.constraints import circular, product
from probgen.distributions.testing import BijectorCase, DistributionCase
from probgen.nn import MLP

DOMAIN = product((constraints.real, 1), (circular, 2))


def _product_coupling(context: int = 0) -> ProductCoupling:
    element = CircularSpline(4)
    network = MLP(embedding_size(DOMAIN, 1) + context, 2 * element.num_free, hidden=(8,), activation=nn.Tanh)
    return ProductCoupling(element, network, DOMAIN, 1, context_shape=(context,) if context else None)


STRAIGHT_THROUGH = {
    "gradients_match_finite_differences": "a straight-through gradient is that of another function, as the class says",
}

BIJECTORS = {
    "CircularShift": BijectorCase(lambda: CircularShift(shape=(3,))),
    "CircularShift(given)": BijectorCase(lambda: CircularShift(torch.tensor([0.5, 4.0, -20.0]))),
    "CircularReflection": BijectorCase(lambda: CircularReflection(shape=(3,))),
    "Mobius": BijectorCase(lambda: Mobius(shape=(3,))),
    "Mobius(given)": BijectorCase(lambda: Mobius(torch.tensor([[0.5, 0.0], [-0.3, 0.8], [0.0, 0.0]]))),
    "HeavyTail": BijectorCase(lambda: HeavyTail(shape=(3,))),
    "HeavyTail(given)": BijectorCase(lambda: HeavyTail(0.2, torch.tensor([0.01, 0.5, 2.0]))),
    "SphericalCoordinates(circle)": BijectorCase(lambda: SphericalCoordinates(1), (1,)),
    "SphericalCoordinates": BijectorCase(lambda: SphericalCoordinates(2), (2,)),
    "SphericalCoordinates(4)": BijectorCase(lambda: SphericalCoordinates(4), (4,)),
    "SphereRotation": BijectorCase(lambda: SphereRotation(3), (3,)),
    "CayleyRotation": BijectorCase(CayleyRotation, (3,)),
    "EulerAngles": BijectorCase(EulerAngles, (3,)),
    "RotationProduct": BijectorCase(lambda: RotationProduct(start="rotation"), (3, 3)),
    "ProductCoupling": BijectorCase(_product_coupling, (3,)),
    "ProductCoupling(context)": BijectorCase(lambda: _product_coupling(2), (3,)),
    "HaarWavelet": BijectorCase(HaarWavelet, (5,)),
    "HaarWavelet(images)": BijectorCase(lambda: HaarWavelet((-2, -1), levels=2), (4, 3)),
    "DiscreteCosine": BijectorCase(DiscreteCosine, (5,)),
    "DiscreteCosine(rows)": BijectorCase(lambda: DiscreteCosine((-2,)), (4, 2)),
    "Butterfly": BijectorCase(lambda: Butterfly(5, loc=True, start="rotation"), (5,)),
    "Butterfly(orthogonal)": BijectorCase(lambda: Butterfly(4, orthogonal=True), (4,)),
    "LearnedPermutation": BijectorCase(lambda: LearnedPermutation(3), (3,), exempt=STRAIGHT_THROUGH),
}

DISTRIBUTIONS = {
    "UniformSphere": DistributionCase(lambda: UniformSphere(2)),
    "UniformSphere(circle)": DistributionCase(lambda: UniformSphere(1, (3,))),
    "UniformRotation": DistributionCase(UniformRotation),
}

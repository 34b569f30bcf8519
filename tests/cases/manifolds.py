"""Cases of maps of circles, spheres and rotations, of heavy tails, of transforms along axes and of learned permutations."""

import torch
from torch import nn
from torch.distributions import constraints

from probgen.distributions import TransformedDistribution, UniformRotation, UniformSphere, flow_on, standard_normal
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
    StickBreaking,
    embedding_size,
)
from probgen.distributions.constraints import circular, product, rotation_matrix, torus, unit_sphere
from probgen.distributions.testing import BijectorCase, DistributionCase
from probgen.flows import (
    circular_flow,
    heavy_tailed_flow,
    rotation_flow,
    simplex_flow,
    sphere_flow,
    torus_flow,
)
from probgen.nn import MADE, MLP, PeriodicIncremental

DOMAIN = product((constraints.real, 1), (circular, 2))


def _product_coupling(context: int = 0) -> ProductCoupling:
    element = CircularSpline(4)
    network = MLP(embedding_size(DOMAIN, 1) + context, 2 * element.num_free, hidden=(8,), activation=nn.Tanh)
    return ProductCoupling(element, network, DOMAIN, 1, context_shape=(context,) if context else None)


SEAM = {"scalar_maps_are_monotone": "a map of the circle increases around the circle; on the interval it jumps at the seam"}
REACH = {
    "pushforward_has_mass_one": "power tails hold mass beyond the 550 deviations of the quadrature; test_heavy_tail goes on"
}
STRAIGHT_THROUGH = {
    "gradients_match_finite_differences": "a straight-through gradient is that of another function, as the class says",
}

BIJECTORS = {
    "CircularShift": BijectorCase(lambda: CircularShift(shape=(3,)), exempt=SEAM),
    "CircularShift(given)": BijectorCase(lambda: CircularShift(torch.tensor([0.5, 4.0, -20.0])), exempt=SEAM),
    "CircularReflection": BijectorCase(lambda: CircularReflection(shape=(3,)), exempt=SEAM),
    "Mobius": BijectorCase(lambda: Mobius(shape=(3,)), exempt=SEAM),
    "Mobius(given)": BijectorCase(lambda: Mobius(torch.tensor([[0.5, 0.0], [-0.3, 0.8], [0.0, 0.0]])), exempt=SEAM),
    "HeavyTail": BijectorCase(lambda: HeavyTail(shape=(3,)), exempt=REACH),
    "HeavyTail(given)": BijectorCase(lambda: HeavyTail(0.2, torch.tensor([0.01, 0.5, 2.0])), exempt=REACH),
    "SphericalCoordinates(circle)": BijectorCase(lambda: SphericalCoordinates(1), (1,)),
    "SphericalCoordinates": BijectorCase(lambda: SphericalCoordinates(2), (2,)),
    "SphericalCoordinates(4)": BijectorCase(lambda: SphericalCoordinates(4), (4,)),
    "StickBreaking": BijectorCase(StickBreaking, (3,)),
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
    "circular_flow(context)": BijectorCase(lambda: circular_flow(context_shape=(2,), bins=4, hidden=(8,)), (1,)),
    "torus_flow": BijectorCase(lambda: torus_flow(2, layers=2, bins=4, hidden=(8,)), (2,)),
    "torus_flow(autoregressive, context)": BijectorCase(
        lambda: torus_flow(3, form="autoregressive", context_shape=(2,), layers=2, bins=4, hidden=(8,)), (3,)
    ),
    "sphere_flow": BijectorCase(lambda: sphere_flow(2, layers=2, bins=4, hidden=(8,)), (3,)),
    "sphere_flow(3, context)": BijectorCase(lambda: sphere_flow(3, context_shape=(2,), layers=1, bins=4, hidden=(8,)), (4,)),
    "rotation_flow(context)": BijectorCase(lambda: rotation_flow(context_shape=(2,), layers=1, bins=4, hidden=(8,)), (3, 3)),
    "simplex_flow(context)": BijectorCase(
        lambda: simplex_flow(3, context_shape=(2,), layers=2, bins=4, hidden=(8,), activation=nn.Tanh),
        (2,),
        exempt={
            "inverse_log_det_matches_autograd": "the oracle's chart is torch's stick-breaking: four digits 1e-13 from a corner"
        },
    ),
    "heavy_tailed_flow": BijectorCase(
        lambda: heavy_tailed_flow(2, layers=2, bins=4, hidden=(8,), activation=nn.Tanh), (2,), exempt=REACH
    ),
    "heavy_tailed_flow(context)": BijectorCase(
        lambda: heavy_tailed_flow(2, context_shape=(2,), layers=0, hidden=(8,), activation=nn.Tanh), (2,), exempt=REACH
    ),
    "LearnedPermutation": BijectorCase(lambda: LearnedPermutation(3), (3,), exempt=STRAIGHT_THROUGH),
}

DISTRIBUTIONS = {
    "UniformSphere": DistributionCase(lambda: UniformSphere(2)),
    "UniformSphere(batch)": DistributionCase(lambda: UniformSphere(2, (3,))),
    "UniformRotation": DistributionCase(UniformRotation),
    "flow_on(torus, torus_flow)": DistributionCase(lambda: flow_on(torus, torus_flow(2, layers=2, bins=4, hidden=(8,)))),
    "flow_on(sphere, sphere_flow)": DistributionCase(
        lambda: flow_on(unit_sphere, sphere_flow(2, layers=1, bins=4, hidden=(8,)))
    ),
    "flow_on(rotations, rotation_flow)": DistributionCase(
        lambda: flow_on(rotation_matrix, rotation_flow(layers=1, bins=4, hidden=(8,)))
    ),
    "TransformedDistribution(heavy tails)": DistributionCase(
        lambda: TransformedDistribution(standard_normal(), HeavyTail(0.5, 0.25))
    ),
}

NETWORKS = {"PeriodicIncremental": lambda: PeriodicIncremental(MADE(3, 2, num_inputs=2, hidden=(8,), activation=nn.Tanh))}

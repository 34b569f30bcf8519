"""Cases of the distributions, and of the bijectors that carry a flow onto its support."""

import pyro.distributions as dist
import torch
from torch.distributions import constraints

from probgen.distributions import (
    Dequantized,
    ImplicitDistribution,
    Mixture,
    MixtureOfFlows,
    StandardNormal,
    StandardUniform,
    TransformedDistribution,
    TransformedLaw,
    flow_on,
    standard_normal,
)
from probgen.distributions.bijectors import (
    Affine,
    CircularSpline,
    Coupling,
    CylinderToSphere,
    Exp,
    LowerTriangular,
    RationalQuadraticSpline,
    Stereographic,
    ToSupport,
    half_mask,
)
from probgen.distributions.constraints import circular, product, torus, unit_sphere
from probgen.distributions.testing import BijectorCase, DistributionCase
from probgen.flows import neural_spline_coupling, real_nvp
from probgen.nn import MLP

BIJECTORS = {
    "Stereographic": BijectorCase(Stereographic, event_shape=(3,)),
    "CylinderToSphere": BijectorCase(CylinderToSphere, event_shape=(2,)),
    "ToSupport(interval)": BijectorCase(lambda: ToSupport(constraints.interval(-1.0, 3.0))),
    "ToSupport(product)": BijectorCase(
        lambda: ToSupport(product((constraints.positive, 1), (unit_sphere, 3), (circular, 1))), event_shape=(4,)
    ),
}


def coupling(**kwargs):
    return real_nvp(2, layers=2, hidden=(8,), **kwargs)


def circular_coupling():
    return Coupling(CircularSpline(4), MLP(1, CircularSpline(4).num_free, hidden=(8,), activation=torch.nn.Tanh), half_mask(2))


def zeros(*shape):
    return torch.zeros(shape)


DISTRIBUTIONS = {
    "StandardNormal": DistributionCase(lambda: StandardNormal(), reference=lambda: dist.Normal(zeros(), 1.0)),
    "StandardNormal(vector)": DistributionCase(lambda: StandardNormal((2,), (3,))),
    "StandardUniform": DistributionCase(
        lambda: StandardUniform(low=-1.0, high=3.0), reference=lambda: dist.Uniform(-torch.ones(()), 3.0)
    ),
    "TransformedDistribution(log-normal)": DistributionCase(
        lambda: TransformedDistribution(standard_normal(), Affine(0.3, 0.5) >> Exp()),
        reference=lambda: dist.LogNormal(torch.tensor(0.3), 0.5),
    ),
    "TransformedDistribution(Gaussian)": DistributionCase(
        lambda: TransformedDistribution(standard_normal(2), LowerTriangular(2)),
    ),
    "TransformedDistribution(batch)": DistributionCase(
        lambda: TransformedDistribution(standard_normal(2), Affine(torch.tensor([[0.0], [1.0], [-2.0]]), 0.7))
    ),
    "TransformedDistribution(torch's base)": DistributionCase(
        lambda: TransformedDistribution(dist.StudentT(torch.tensor(5.0)), RationalQuadraticSpline(4))
    ),
    "TransformedDistribution(coupling)": DistributionCase(lambda: TransformedDistribution(standard_normal(2), coupling())),
    "TransformedDistribution(spline coupling)": DistributionCase(
        lambda: TransformedDistribution(standard_normal(2), neural_spline_coupling(2, layers=2, hidden=(8,)))
    ),
    "TransformedDistribution(spline coupling, vector)": DistributionCase(
        lambda: TransformedDistribution(standard_normal(6), neural_spline_coupling(6, layers=2, hidden=(16,)))
    ),
    "TransformedLaw": DistributionCase(
        lambda: TransformedLaw(lambda c: dist.Normal(c, 1.0).to_event(1), coupling(context_shape=(2,)), context_shape=(2,))(
            torch.linspace(-1, 1, 6).reshape(3, 2)
        )
    ),
    "flow_on(interval)": DistributionCase(lambda: flow_on(constraints.interval(-1.0, 2.0), Affine(shape=()))),
    "flow_on(positive)": DistributionCase(lambda: flow_on(constraints.positive, Affine(shape=(2,)), (2,))),
    "flow_on(simplex)": DistributionCase(lambda: flow_on(constraints.simplex, coupling(), (3,))),
    "flow_on(circle)": DistributionCase(lambda: flow_on(circular, CircularSpline(4))),
    "flow_on(torus)": DistributionCase(lambda: flow_on(torus, CircularSpline(4), (1,))),
    "flow_on(torus, coupling)": DistributionCase(lambda: flow_on(torus, circular_coupling(), (2,))),
    "flow_on(sphere)": DistributionCase(lambda: flow_on(unit_sphere, coupling(), (3,))),
    "flow_on(product)": DistributionCase(lambda: flow_on(product((constraints.positive, 1), (circular, 1)), coupling(), (2,))),
    "Mixture": DistributionCase(
        lambda: Mixture([dist.Normal(zeros() - 2, 0.5), dist.Normal(zeros() + 1, 1.0)], torch.tensor([0.5, -0.5])),
        reference=lambda: dist.MixtureSameFamily(
            dist.Categorical(logits=torch.tensor([0.5, -0.5])), dist.Normal(torch.tensor([-2.0, 1.0]), torch.tensor([0.5, 1.0]))
        ),
    ),
    "MixtureOfFlows": DistributionCase(lambda: MixtureOfFlows(standard_normal(2), [coupling(), Affine(shape=(2,))])()),
    "Dequantized": DistributionCase(lambda: Dequantized(dist.Normal(zeros() + 2, 1.0), levels=5)),
    "ImplicitDistribution": DistributionCase(
        lambda: ImplicitDistribution(standard_normal(3), torch.nn.Linear(3, 2), event_shape=(2,))
    ),
}

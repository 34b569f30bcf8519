"""Flows on spheres, rotations and proportions: mass by quadrature, Pyro sites, errors."""

import math

import numpy as np
import pyro
import pytest
import torch
from pyro.infer import MCMC, NUTS, Trace_ELBO
from pyro.infer.autoguide import AutoNormal
from torch.distributions import constraints

from probgen.distributions import flow_on
from probgen.distributions.bijectors import EulerAngles, SphericalCoordinates
from probgen.distributions.constraints import rotation_matrix, unit_sphere
from probgen.flows import rotation_flow, simplex_flow, sphere_flow


def nodes_and_weights(count):
    nodes, weights = (torch.as_tensor(value) for value in np.polynomial.legendre.leggauss(count))
    return nodes, weights


def test_mass_on_the_sphere():
    torch.manual_seed(0)
    law = flow_on(unit_sphere, sphere_flow(2, layers=2, hidden=(16,)).double())
    height, weight = nodes_and_weights(80)
    azimuth = torch.linspace(-math.pi, math.pi, 161, dtype=torch.float64)[:-1]
    points = SphericalCoordinates(2)(torch.cartesian_prod(height.acos(), azimuth))
    with torch.no_grad():
        density = law.log_prob(points).exp().reshape(80, 160)
    assert density.std() > 1e-3
    assert abs(float((weight * density.mean(1)).sum()) * 2 * math.pi - 1) < 5e-3


def test_mass_on_the_rotations():
    torch.manual_seed(0)
    law = flow_on(rotation_matrix, rotation_flow(layers=1, hidden=(16,)).double())
    height, weight = nodes_and_weights(40)
    angle = torch.linspace(-math.pi, math.pi, 41, dtype=torch.float64)[:-1]
    points = EulerAngles()(torch.cartesian_prod(angle, height.acos(), angle))
    with torch.no_grad():
        density = law.log_prob(points).exp().reshape(40, 40, 40)
    assert density.std() > 1e-3
    assert abs(float((weight * density.mean((0, 2))).sum()) / 2 - 1) < 1e-2


@pytest.mark.parametrize(
    ("support", "make", "shape"),
    [
        (unit_sphere, lambda: sphere_flow(2, layers=1, bins=4, hidden=(8,)), (3,)),
        (rotation_matrix, lambda: rotation_flow(layers=1, bins=4, hidden=(8,)), (3, 3)),
        (constraints.simplex, lambda: simplex_flow(3, layers=2, bins=4, hidden=(8,)), (3,)),
    ],
)
def test_at_latent_sites(support, make, shape):
    """A Hamiltonian sampler and an automatic guide find the support by themselves."""
    torch.manual_seed(0)
    law = flow_on(support, make().requires_grad_(requires_grad=False))

    def model():
        return pyro.sample("x", law)

    mcmc = MCMC(NUTS(model, max_tree_depth=3), num_samples=3, warmup_steps=3, disable_progbar=True)
    mcmc.run()
    draws = mcmc.get_samples()["x"]
    assert draws.shape == (3, *shape)
    assert support.check(draws).all()
    pyro.clear_param_store()
    guide = AutoNormal(model)
    Trace_ELBO().loss(model, guide)
    assert guide()["x"].shape == shape
    pyro.clear_param_store()


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`dim`"):
        sphere_flow(0)
    with pytest.raises(ValueError, match="`layers`"):
        rotation_flow(layers=0)
    with pytest.raises(ValueError, match="`features`"):
        simplex_flow(1)

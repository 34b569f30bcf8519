"""Flows of angles."""

import math

import pytest
import torch

from probgen.distributions import flow_on
from probgen.distributions.constraints import torus
from probgen.flows import circular_flow, torus_flow


@pytest.mark.parametrize("form", ["coupling", "autoregressive"])
def test_the_density_has_mass_one_and_is_continuous_at_the_seam(form):
    torch.manual_seed(0)
    law = flow_on(torus, torus_flow(2, form=form, layers=3, hidden=(16,)).double())
    axis = (torch.arange(200, dtype=torch.float64) + 0.5) / 200 * 2 * math.pi - math.pi
    with torch.no_grad():
        mass = law.log_prob(torch.cartesian_prod(axis, axis)).exp().mean() * 4 * math.pi**2
        edge = math.pi - 1e-9
        left = law.log_prob(torch.stack([torch.full_like(axis, -edge), axis], -1))
        right = law.log_prob(torch.stack([torch.full_like(axis, edge), axis], -1))
    assert abs(float(mass) - 1) < 1e-2
    torch.testing.assert_close(left, right, rtol=0, atol=1e-6)
    assert left.std() > 1e-3


def test_a_flow_of_one_angle_by_its_context():
    torch.manual_seed(0)
    flow = circular_flow(context_shape=(2,), hidden=(8,))
    x, context = torch.linspace(-3, 3, 5)[:, None], torch.randn(5, 2)
    torch.testing.assert_close(flow.inverse(flow(x, context), context), x, rtol=0, atol=1e-5)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`dims`"):
        torus_flow(0)
    with pytest.raises(ValueError, match="`form`"):
        torus_flow(2, form="both")

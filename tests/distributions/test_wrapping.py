"""Reading through torch's and Pyro's wrappers."""

import pyro.distributions as dist
import torch
from torch.distributions import AffineTransform

from probgen.distributions import ImplicitDistribution, standard_normal
from probgen.distributions._wrapping import (
    held_tensors,
    integral_transform,
    is_affine,
    located,
    log_prob_kind_of,
    reinterpreted,
    unvalidated,
)
from probgen.distributions.bijectors import Affine, Exp, Lift, LowerTriangular, Permutation, Scale


def test_kind_of_a_wrapped_distribution():
    implicit = ImplicitDistribution(standard_normal(2), torch.nn.Identity(), (2,))
    assert log_prob_kind_of(implicit.expand((3,)).to_event(1)) == "none"
    assert log_prob_kind_of(dist.Normal(0.0, 1.0).expand((3,)).to_event(1)) == "exact"


def test_location_reaches_the_base_inside_independent():
    base = dist.Independent(standard_normal().expand((2,)), 1)
    assert located(base, Affine(shape=(2,)).double()).sample().dtype == torch.float64
    assert located(standard_normal(2), Exp()).dtype is None


def test_unvalidated_copies_share_parameters_and_leave_the_original():
    base = dist.Normal(torch.zeros(2), 1.0).to_event(1)
    plain = unvalidated(base)
    assert plain.base_dist.loc is base.base_dist.loc
    assert not plain.base_dist._validate_args
    assert base.base_dist._validate_args
    assert plain.log_prob(torch.tensor([torch.nan, 0.0])).isnan()


def test_integral_transform_of_a_gaussian():
    z = torch.tensor([[0.0, 1.0]])
    for base in (standard_normal(2), dist.Normal(torch.zeros(2), 1.0).to_event(1)):
        torch.testing.assert_close(integral_transform(base, z), torch.special.ndtr(z))
    assert integral_transform(dist.MultivariateNormal(torch.zeros(2), torch.eye(2)), z) is None


def test_reinterpreted():
    assert reinterpreted(standard_normal().expand((4, 3)), 1).event_shape == (3,)
    assert reinterpreted(dist.Normal(torch.zeros(4, 3), 1.0), 1).event_shape == (3,)


def test_affine_chains_are_recognized():
    assert is_affine(Affine(1.0, 2.0) >> Scale(3.0).inv)
    assert is_affine(LowerTriangular(2) >> Permutation([1, 0]))
    assert not is_affine(Affine(1.0, 2.0) >> Exp())


def test_tensors_of_lifted_transforms_are_seen():
    loc = torch.ones(2)
    f = Lift(AffineTransform(loc, 2.0))
    f.transform.inv  # noqa: B018  (makes the back reference)
    assert any(tensor is loc for tensor in held_tensors(Affine(shape=(2,)) >> f))

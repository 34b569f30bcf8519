"""Divergences in closed form, and by draws where there is none."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import standard_normal
from probgen.distributions.latent import closed_form_divergence, divergence_at
from probgen.distributions.latent.divergence import coordinate_divergences


def test_normal_laws():
    q = dist.Normal(torch.tensor([0.5, -1.0]), torch.tensor([0.3, 2.0])).to_event(1)
    by_hand = sum(0.5 * (s**2 + m**2 - 1) - torch.tensor(s).log() for m, s in ((0.5, 0.3), (-1.0, 2.0)))
    for p in (standard_normal(2), dist.Normal(torch.zeros(2), 1.0).to_event(1)):
        torch.testing.assert_close(closed_form_divergence(q, p), by_hand)


def test_full_covariance():
    factor = torch.tensor([[1.0, 0.0], [0.7, 0.4]])
    q = dist.MultivariateNormal(torch.tensor([1.0, 2.0]), scale_tril=factor)
    p = dist.MultivariateNormal(torch.zeros(2), torch.eye(2))
    torch.testing.assert_close(closed_form_divergence(q, standard_normal(2)), torch.distributions.kl_divergence(q, p))


@pytest.mark.parametrize(
    "q",
    [dist.StudentT(torch.tensor(3.0)), dist.Delta(torch.tensor(0.0)), dist.Delta(torch.zeros(2)).to_event(1)],
    ids=["unknown", "point mass", "point mass over vectors"],
)
def test_no_closed_form(q):
    assert closed_form_divergence(q, standard_normal(q.event_shape)) is None


def test_draws_stand_in():
    q, p, z = dist.StudentT(torch.tensor(3.0)), dist.Normal(0.0, 1.0), torch.tensor([0.5, 1.0])
    torch.testing.assert_close(divergence_at(q, p, z), q.log_prob(z) - p.log_prob(z))
    normal = dist.Normal(torch.tensor(1.0), 1.0)
    assert divergence_at(normal, p, z).shape == ()
    assert divergence_at(normal, p, z, closed_form=False).shape == (2,)
    assert divergence_at(q, p, z[:0]).shape == (0,)


@pytest.mark.parametrize("closed_form", [True, False])
def test_coordinates_add_up(closed_form):
    q = dist.Normal(torch.tensor([[0.5, -1.0]]), torch.tensor([0.3, 2.0])).to_event(1)
    p, z = standard_normal(2), torch.tensor([[[0.1, 0.2]], [[1.0, -3.0]]])
    each = coordinate_divergences(q, p, z, closed_form=closed_form)
    torch.testing.assert_close(each.sum(-1), divergence_at(q, p, z, closed_form=closed_form))


def test_dependent_coordinates_have_no_divergences_of_their_own():
    q = dist.MultivariateNormal(torch.zeros(2), torch.eye(2))
    assert coordinate_divergences(q, standard_normal(2), torch.zeros(2)) is None


@pytest.mark.parametrize("batch", [(), (0,)])
def test_no_data_have_no_divergence(batch):
    """torch's divergence of independent coordinates fails to reshape nothing."""
    prior = dist.Normal(torch.zeros(*batch, 3, 2), 2.0).to_event(2)
    q = dist.Normal(torch.zeros(0, 3, 2, requires_grad=True), 1.0).to_event(2)
    assert closed_form_divergence(q, prior).shape == (0,)
    assert divergence_at(q, prior, q.rsample()).shape == (0,)
    assert closed_form_divergence(q, dist.StudentT(torch.full((3, 2), 3.0)).to_event(2)) is None

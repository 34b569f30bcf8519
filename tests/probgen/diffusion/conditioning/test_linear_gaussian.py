"""Bayes' rule: against dense formulas, in every kind of law; draws have the posterior's moments."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.diffusion.conditioning import LinearObservation, Masking, MatrixOperator
from probgen.diffusion.conditioning.linear_gaussian import Update, update

MATRIX = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]], dtype=torch.float64)


def dense_update(mean, covariance, matrix, y, noise):
    """The textbook."""
    gram = matrix @ covariance @ matrix.mT + noise**2 * torch.eye(len(matrix), dtype=torch.float64)
    gain = covariance @ matrix.mT @ torch.linalg.inv(gram)
    evidence = dist.MultivariateNormal(matrix @ mean, gram).log_prob(y)
    return evidence, mean + gain @ (y - matrix @ mean), covariance - gain @ matrix @ covariance


@pytest.mark.parametrize("noise", [0.0, 0.4])
@pytest.mark.parametrize("kind", ["normal", "multivariate"])
def test_a_gaussian_is_updated_as_in_the_textbook(kind, noise):
    torch.manual_seed(0)
    mean, root = torch.randn(3).double(), torch.randn(3, 3).double()
    covariance = root @ root.mT if kind == "multivariate" else torch.diag(torch.rand(3).double() + 0.1)
    law = dist.MultivariateNormal(mean, covariance) if kind == "multivariate" else _diagonal(mean, covariance)
    y = torch.randn(2).double()
    result = update(law, LinearObservation(y, MatrixOperator(MATRIX), noise))
    assert isinstance(result, Update)
    evidence, expected, spread = dense_update(mean, covariance, MATRIX, y, noise)
    torch.testing.assert_close(result.log_evidence, evidence)
    torch.testing.assert_close(result.mean, expected)
    draws = result.draw(torch.Size((20_000,)))
    # six standard errors of each entry; a factor 1.1 in a variance is found
    torch.testing.assert_close(draws.mean(0), expected, atol=6 * float(spread.diagonal().max()) ** 0.5 / 140, rtol=0)
    torch.testing.assert_close(draws.mT.cov(), spread, atol=6 * 1.5 * float(spread.diagonal().max()) / 140, rtol=0)


def _diagonal(mean, covariance):
    return dist.Normal(mean, covariance.diagonal().sqrt()).to_event(1)


def test_a_mask_without_noise_is_the_marginal_of_the_seen_part():
    torch.manual_seed(0)
    root = torch.randn(3, 3).double()
    covariance = root @ root.mT
    mask = torch.tensor([True, False, True])
    law = dist.MultivariateNormal(torch.zeros(3).double(), covariance)
    y = torch.tensor([0.3, 0.0, -1.0]).double()
    result = update(law, LinearObservation(y, Masking(mask)))
    rows = MatrixOperator(torch.eye(3)[mask])
    other = update(law, LinearObservation(y[mask], rows))
    torch.testing.assert_close(result.log_evidence, other.log_evidence)
    torch.testing.assert_close(result.mean, other.mean)
    torch.testing.assert_close(result.draw(torch.Size((5,)))[:, mask], y[mask].expand(5, 2))


def test_a_mixture_weighs_its_components_by_their_evidence():
    torch.manual_seed(0)
    logits, means = torch.randn(4).double(), torch.randn(4, 3).double()
    roots = torch.randn(4, 3, 3).double()
    law = dist.MixtureSameFamily(
        dist.Categorical(logits=logits), dist.MultivariateNormal(means, roots @ roots.mT + 0.1 * torch.eye(3))
    )
    y = torch.randn(5, 2).double()
    result = update(law.expand((5,)), LinearObservation(y, MatrixOperator(MATRIX), 0.3))
    parts = [
        [dense_update(means[k], roots[k] @ roots[k].mT + 0.1 * torch.eye(3), MATRIX, row, 0.3) for k in range(4)] for row in y
    ]
    joint = torch.stack([torch.stack([part[0] for part in row]) for row in parts]) + logits.log_softmax(0)
    expected = (joint.softmax(-1).unsqueeze(-1) * torch.stack([torch.stack([part[1] for part in row]) for row in parts])).sum(1)
    torch.testing.assert_close(result.log_evidence, joint.logsumexp(-1))
    torch.testing.assert_close(result.mean, expected)
    assert result.draw(torch.Size((7,))).shape == (7, 5, 3)


def test_other_laws_are_refused_by_name():
    with pytest.raises(NotImplementedError, match="Gamma"):
        update(dist.Gamma(1.0, 1.0), LinearObservation(torch.zeros(2), Masking(torch.ones(2))))


def test_the_noise_keeps_its_digits():
    """A variance of 0.01 in single precision would move this evidence by a millionth."""
    one = torch.eye(1, dtype=torch.float64)
    law = dist.MultivariateNormal(one[0] * 0, 1e-9 * one)
    found = update(law, LinearObservation(one[0], MatrixOperator(one), 0.1)).log_evidence
    expected = -(1 / (0.01 + 1e-9) + math.log(2 * math.pi * (0.01 + 1e-9))) / 2
    assert abs(float(found) - expected) < 1e-12

"""Arithmetic on laws: exact moments of sums, standard errors of attribute vectors."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import standard_normal
from probgen.vae.latent_space import analogy, attribute_vector, combine, shift


@pytest.mark.statistical(false_alarm=1e-9)
def test_the_sum_has_the_moments_of_sums_of_draws():
    """Of 40000 draws the mean has a standard error below 0.011, the variance one below 0.04; the bounds are six or more."""
    torch.manual_seed(0)
    laws = [dist.Normal(torch.randn(3, 2), torch.rand(3, 2) + 0.1).to_event(1) for _ in range(3)]
    weights = [1.0, -1.0, 1.5]
    law = combine(laws, weights)
    draws = sum(w * part.sample((40_000,)) for w, part in zip(weights, laws, strict=True))
    assert law.batch_shape == (3,)
    assert torch.allclose(law.mean, draws.mean(0), atol=0.08)
    assert torch.allclose(law.variance, draws.var(0), atol=0.3, rtol=0.05)


def test_analogies_keep_batches_and_add_variances():
    a, b, c = (dist.Normal(torch.full((5, 2), float(k)), 0.1 * k).to_event(1) for k in (1, 2, 3))
    law = analogy(a, b, c)
    assert torch.allclose(law.mean, torch.full((5, 2), 2.0))
    assert torch.allclose(law.variance, torch.full((5, 2), 0.14))
    assert torch.allclose(analogy(standard_normal(2), standard_normal(2), standard_normal(2)).variance, torch.full((2,), 3.0))


@pytest.mark.statistical(false_alarm=1e-9)
def test_attribute_vectors_know_their_standard_error():
    """Over 400 repetitions the spread of the vector is known to 3.5 %; the bound is six of these."""
    torch.manual_seed(0)
    vectors, claimed = [], []
    for _ in range(400):
        means = [torch.randn(30, 1) + offset for offset in (2.0, 0.0)]
        codes = [m + 0.5 * torch.randn(30, 1) for m in means]  # what is encoded is a noisy view of the mean
        law = attribute_vector(*(dist.Normal(c, 1e-6).to_event(1) for c in codes))
        vectors.append(law.mean)
        claimed.append(law.stddev)
    assert float(torch.stack(vectors).std()) == pytest.approx(float(torch.stack(claimed).mean()), rel=0.22)
    assert float(torch.stack(vectors).mean()) == pytest.approx(2.0, abs=0.1)


def test_the_error_of_an_attribute_vector_counts_the_encoders_doubt():
    """n data: the variance of the means, with n - 1, and the mean variance, both over n; the vector adds the two kinds."""
    present = dist.Normal(torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [2.0]])).to_event(1)
    absent = dist.Normal(torch.tensor([[0.0], [0.0], [3.0]]), 0.5).to_event(1)
    law = attribute_vector(present, absent)
    assert float(law.mean) == pytest.approx(1.0)
    assert float(law.variance) == pytest.approx((2.0 + 2.5) / 2 + (3.0 + 0.25) / 3)


def test_shifts_move_the_mean_and_keep_the_variance():
    law = dist.Normal(torch.zeros(4, 2), 0.3).to_event(1)
    moved = shift(law, torch.tensor([1.0, -2.0]), strength=0.5)
    assert torch.allclose(moved.mean, torch.tensor([0.5, -1.0]).expand(4, 2))
    assert torch.allclose(moved.variance, law.variance)


def test_what_cannot_be_added_is_refused():
    normal = dist.Normal(torch.zeros(2), 1.0).to_event(1)
    with pytest.raises(ValueError, match="as many, at least one; got 1 and 2"):
        combine([normal], [1.0, 2.0])
    with pytest.raises(ValueError, match="at least one; got 0 and 0"):
        combine([], [])
    with pytest.raises(ValueError, match=r"events of one shape; got \[\(2,\), \(3,\)\]"):
        combine([normal, standard_normal(3)], [1.0, 1.0])
    with pytest.raises(ValueError, match="independent coordinates to be added; got MultivariateNormal"):
        shift(dist.MultivariateNormal(torch.zeros(2), torch.eye(2)), torch.zeros(2))
    with pytest.raises(ValueError, match="`absent` must have one batch dimension of at least two data; got \\(\\)"):
        attribute_vector(normal.expand((3,)), normal)

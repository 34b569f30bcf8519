import math

import pytest
import torch

from probgen.demo import fit_gaussian_mixture


def two_clusters(rows, generator):
    labels = torch.rand(rows, 1, generator=generator) < 0.25
    noise = torch.randn(rows, 2, generator=generator)
    return torch.where(labels, 0.5 * noise + 4.0, noise - 1.0)


def test_one_component_is_the_gaussian_of_maximum_likelihood():
    x = torch.randn(200, 3) @ torch.randn(3, 3) + 5.0
    law = fit_gaussian_mixture(x, 1, ridge=0.0)
    mean, covariance = x.double().mean(0), torch.cov(x.double().T, correction=0)
    torch.testing.assert_close(law.component_distribution.loc[0], mean)
    torch.testing.assert_close(law.component_distribution.covariance_matrix[0], covariance)
    expected = -0.5 * (3 * math.log(2 * math.pi) + torch.linalg.slogdet(covariance)[1] + 3)
    torch.testing.assert_close(law.log_prob(x.double()).mean(), expected)


def test_two_clusters_are_found_with_their_weights():
    x = two_clusters(4000, torch.Generator().manual_seed(1))
    law = fit_gaussian_mixture(x, 2, seed=3)
    order = law.component_distribution.loc[:, 0].argsort()
    weights, variances = (
        law.mixture_distribution.probs[order],
        law.component_distribution.covariance_matrix.diagonal(0, -2, -1)[order],
    )
    assert (weights - torch.tensor([0.75, 0.25])).abs().max() < 0.03
    assert (variances - torch.tensor([[1.0], [0.25]])).abs().max() < 0.1


def test_a_step_never_lowers_the_likelihood():
    x = two_clusters(300, torch.Generator().manual_seed(2)).double()
    scores = [
        float(fit_gaussian_mixture(x, 4, iterations=count, ridge=0.0).log_prob(x).mean()) for count in (0, 1, 2, 4, 8, 16)
    ]
    assert scores == sorted(scores)
    assert scores[-1] > scores[0] + 0.1


def test_held_out_rows_stop_an_overfit():
    generator = torch.Generator().manual_seed(3)
    x, held = two_clusters(60, generator), two_clusters(400, generator)
    stopped, not_stopped = (
        fit_gaussian_mixture(x, 12, held_out=rows, ridge=1e-6, iterations=200).log_prob(held.double()).mean()
        for rows in (held, None)
    )
    assert stopped > not_stopped + 0.5


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="`x` must have two axes"):
        fit_gaussian_mixture(torch.zeros(3), 1)
    for components in (0, 4):
        with pytest.raises(ValueError, match=f"`components`.*got {components}"):
            fit_gaussian_mixture(torch.randn(3, 2), components)

"""Bayes' rule for classes."""

import pytest
import torch

from probgen.distributions.numerics.bayes import log_posterior


def test_is_the_rule():
    torch.manual_seed(0)
    scores, prior = torch.randn(5, 3, dtype=torch.float64), torch.tensor([1.0, 2.0, 5.0])
    joint = scores.exp() * prior / 8
    torch.testing.assert_close(log_posterior(scores, prior).exp(), joint / joint.sum(-1, keepdim=True))
    torch.testing.assert_close(log_posterior(scores), log_posterior(scores, torch.ones(3)))


def test_survives_small_densities_and_impossible_classes():
    scores = torch.tensor([[-2000.0, -2001.0, 0.0]])
    found = log_posterior(scores, torch.tensor([1.0, 1.0, 0.0]))
    torch.testing.assert_close(found[0, :2], torch.tensor([0.0, -1.0]).log_softmax(0))
    assert found[0, 2] == -torch.inf


def test_the_prior_has_a_number_for_each_class():
    with pytest.raises(ValueError, match="`prior`"):
        log_posterior(torch.zeros(4, 3), torch.ones(4))


@pytest.mark.parametrize("prior", [[0.5, -0.5], [0.0, 0.0], [float("nan"), 1.0]])
def test_refuses_what_are_no_frequencies(prior):
    with pytest.raises(ValueError, match="`prior` must not be negative, and not zero everywhere"):
        log_posterior(torch.zeros(3, 2), torch.tensor(prior))

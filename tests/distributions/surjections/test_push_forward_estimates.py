"""Estimates of laws whose maps have guides and estimated log-determinants: one score for every member of the batch."""

import pytest
import torch

from probgen.distributions import DensityUnavailable, SurjectiveDistribution, standard_normal
from probgen.distributions.bijectors import Exp, Scale
from probgen.distributions.surjections import BijectiveMap, Rounding, Slice
from probgen.flows import residual_flow


@pytest.mark.parametrize("num_draws", [1, 3, 5])
def test_estimates_of_estimates_keep_the_batch_of_the_law(num_draws):
    torch.manual_seed(0)
    flow = residual_flow(2, layers=1, hidden=(4,), log_det="roulette", context_shape=(3,))
    context, x = torch.randn(5, 3), torch.randn(2)
    law = SurjectiveDistribution(standard_normal(3), Slice(2, 1) >> flow, context=context, allow_estimate=True)
    found = law.log_prob_estimate(x, num_draws)
    assert found.value.shape == found.stderr.shape == (5,)
    assert law.log_prob_estimate(x.expand(7, 1, 2), num_draws).value.shape == (7, 5)
    assert found.value.detach().unique().numel() == 5  # every context has a score of its own


def test_an_estimated_determinant_is_averaged_not_exponentiated():
    """The mean exponential of an unbiased log-weight lies above the weight: with draws it would climb above the truth."""
    flow = BijectiveMap(Scale(2.0))
    flow.__class__ = type("Estimated", (BijectiveMap,), {"contribution_kind": "unbiased"})
    law = SurjectiveDistribution(standard_normal(), [flow, Rounding()])
    assert law.log_prob_kind == "lower"
    x = torch.zeros(3)
    estimate = law.log_prob_estimate(x, 500)
    torch.manual_seed(0)
    mean = law.log_prob_estimate(x, 500)
    torch.manual_seed(0)
    assert torch.allclose(mean.value, law.log_weights(x.expand(500, 3))[0].mean(0))
    assert estimate.kind == "lower"
    assert SurjectiveDistribution(standard_normal(), flow).log_prob_kind == "unbiased"


@pytest.mark.parametrize("guided", [False, True])
def test_a_biased_log_determinant_is_no_density_and_no_bound(guided):
    flow = residual_flow(2, layers=1, hidden=(4,), log_det="truncated")
    law = SurjectiveDistribution(standard_normal(2), [flow, Rounding()] if guided else [flow, Exp()], allow_estimate=True)
    assert law.transform.contribution_kind == "biased"
    assert law.log_prob_kind == "none"
    for call in (law.log_prob, law.bound, law.log_prob_estimate):
        with pytest.raises(DensityUnavailable):
            call(torch.ones(3, 2))
    with pytest.raises(DensityUnavailable, match="biased"):
        law.bound(torch.ones(3, 2))


def test_the_standard_error_is_that_of_the_mean():
    flow = BijectiveMap(Scale(2.0))
    flow.__class__ = type("Estimated", (BijectiveMap,), {"contribution_kind": "unbiased"})
    law, x = SurjectiveDistribution(standard_normal(), [flow, Rounding()]), torch.zeros(3)
    torch.manual_seed(0)
    found = law.log_prob_estimate(x, 16)
    torch.manual_seed(0)
    weights = law.log_weights(x.expand(16, 3))[0]
    torch.testing.assert_close(found.stderr, weights.std(0) / 4.0)

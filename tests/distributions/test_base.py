"""What every distribution offers."""

import pytest
import torch

from probgen.distributions import Dequantized, Distribution, ImplicitDistribution, standard_normal


def test_exact_distributions_estimate_exactly():
    law, x = standard_normal(2), torch.randn(5, 2)
    estimate = law.log_prob_estimate(x)
    assert estimate.kind == "exact"
    assert torch.equal(estimate.value, law.log_prob(x))
    assert not estimate.stderr.any()


def test_not_a_tensor():
    with pytest.raises(TypeError, match=r"must be a torch\.Tensor; got float"):
        standard_normal().log_prob(1.0)


@pytest.mark.parametrize(
    "law",
    [
        standard_normal(2),
        Dequantized(standard_normal(2)),
        ImplicitDistribution(standard_normal(1), torch.nn.Linear(1, 2), (2,)),
    ],
)
def test_every_distribution_declares_and_reports(law):
    assert isinstance(law, Distribution)
    assert law.log_prob_kind in ("exact", "unbiased", "lower", "none")
    state = torch.random.get_rng_state()
    text = str(law.report(law.sample((50,))))
    assert "two-sample" in text
    assert not torch.equal(state, torch.random.get_rng_state())  # the draws above, not the report
    state = torch.random.get_rng_state()
    law.report(torch.zeros(8, 2))
    assert torch.equal(state, torch.random.get_rng_state())

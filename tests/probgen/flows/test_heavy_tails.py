"""The flow with power tails."""

import pytest
import torch

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.flows import heavy_tailed_flow


def test_log_density_falls_like_a_logarithm():
    torch.manual_seed(0)
    flow = heavy_tailed_flow(2, layers=2, hidden=(8,)).double()
    law = TransformedDistribution(standard_normal(2), flow)
    far = torch.tensor([[1e6, 0.0], [1e7, 0.0]], dtype=torch.float64)
    slope = law.log_prob(far).detach().diff() / torch.tensor(10.0).log()
    assert abs(float(slope) + 1 + 10) < 0.2  # the index starts at 10


def test_tails_follow_the_context():
    torch.manual_seed(0)
    flow = heavy_tailed_flow(1, context_shape=(2,), layers=0, hidden=(8,))
    x, context = torch.randn(5, 1), 3 * torch.randn(5, 2)
    y = flow(x, context)
    torch.testing.assert_close(flow.inverse(y, context), x, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(y, flow(x, -context))


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`features`"):
        heavy_tailed_flow(0)

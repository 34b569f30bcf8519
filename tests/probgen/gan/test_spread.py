"""The diversity of draws, against closed forms."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.gan import conditional_diversity


@pytest.mark.statistical(false_alarm=1e-9)
def test_diversity_of_normal_draws():
    """E|Y - Y'| = 2 s / sqrt(pi); detects a deviation of 2 %."""
    torch.manual_seed(0)
    law = dist.Normal(torch.zeros(2, 10_000), torch.tensor([[1.0], [3.0]])).to_event(1)
    found = conditional_diversity(law, 4)
    assert found.shape == (2,)
    torch.testing.assert_close(found, torch.tensor([2.0, 6.0]) / math.sqrt(math.pi), rtol=0.03, atol=0.0)


def test_a_function_has_no_diversity_and_one_draw_shows_none():
    assert conditional_diversity(dist.Delta(torch.ones(3, 2)).to_event(1)).tolist() == [0.0, 0.0, 0.0]
    assert conditional_diversity(dist.Delta(torch.ones(3))).shape == (3,)
    with pytest.raises(ValueError, match="`num_draws`"):
        conditional_diversity(dist.Delta(torch.ones(3)), 1)

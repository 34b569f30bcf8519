"""Noise of its own: reproducible, apart from the stream of the data, and the global state is left alone."""

import pytest
import torch

from probgen.distributions import ImplicitDistribution, standard_normal
from probgen.distributions._seeding import random_stream


def drawn(seed):
    with random_stream(seed, torch.device("cpu")):
        return torch.randn(50)


@pytest.mark.parametrize("seed", [0, 1, -3, 2**63 - 1, 2**64])
def test_stream_is_reproducible_and_not_that_of_the_seed(seed):
    torch.manual_seed(seed % 2**63)
    data = torch.randn(50)
    assert torch.equal(drawn(seed), drawn(seed))
    assert not torch.isin(drawn(seed), data).any()
    assert not torch.isin(drawn(seed), drawn(seed + 1)).any()


def test_global_state_is_left_alone_also_after_an_error():
    before = torch.random.get_rng_state()
    drawn(0)
    with pytest.raises(TypeError), random_stream(0, torch.device("cpu")):
        torch.rand(torch.rand(3))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_report_does_not_draw_the_data_again():
    """Data drawn under the seed of the report: the draws of its two-sample test are others."""
    seen = []

    def remember(noise):
        seen.append(noise)
        return noise

    law = ImplicitDistribution(standard_normal(2), remember, event_shape=(2,))
    torch.manual_seed(0)
    data = torch.randn(100, 2)
    law.report(data)
    assert seen
    assert not any(bool(torch.isin(noise, data).any()) for noise in seen)

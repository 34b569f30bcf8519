"""Sums of noise and its typical length."""

import math

import pytest
import torch

from probgen.distributions.numerics.noise_arithmetic import combined_noise, typical_length


def test_sums_are_weighted_and_brought_to_the_typical_length():
    torch.manual_seed(0)
    a, b, c = torch.randn(3, 4, 50)
    plain = combined_noise([a, b, c], [1.0, -1.0, 0.5], rescaled=False)
    torch.testing.assert_close(plain, a - b + 0.5 * c)
    rescaled = combined_noise([a, b, c], [1.0, -1.0, 0.5])
    torch.testing.assert_close(rescaled.norm(dim=-1), torch.full((4,), math.sqrt(50)))
    torch.testing.assert_close(torch.cosine_similarity(rescaled, plain, dim=-1), torch.ones(4))


def test_nothing_stays_nothing_and_empty_batches_pass():
    assert torch.equal(typical_length(torch.zeros(2, 4)), torch.zeros(2, 4))
    assert typical_length(torch.zeros(0, 4)).shape == (0, 4)


@pytest.mark.parametrize(("noises", "weights"), [([], []), ([torch.zeros(2)], [1.0, 2.0])])
def test_as_many_weights_as_noises(noises, weights):
    with pytest.raises(ValueError, match="as many, at least one"):
        combined_noise(noises, weights)

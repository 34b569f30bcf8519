"""The Haar wavelet transform."""

import math

import pytest
import torch

from probgen.distributions.bijectors import HaarWavelet


@pytest.mark.parametrize("length", [1, 2, 5, 8, 13])
def test_it_is_orthogonal(length):
    matrix = HaarWavelet()(torch.eye(length, dtype=torch.float64))
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(length, dtype=torch.float64))


def test_a_constant_image_has_one_coefficient():
    y = HaarWavelet((-2, -1))(torch.ones(8, 8))
    assert abs(float(y[0, 0]) - 8) < 1e-5
    y[0, 0] = 0
    assert y.abs().max() < 1e-6


def test_one_level_puts_a_half_size_image_into_the_corner():
    x = torch.randn(3, 6, 5, generator=torch.Generator().manual_seed(0))
    y = HaarWavelet((-2, -1), levels=1)(x)
    blocks = x[:, :, :4].unfold(1, 2, 2).unfold(2, 2, 2).sum((-1, -2)) / 2
    torch.testing.assert_close(y[:, :3, :2], blocks)
    with pytest.raises(ValueError, match="`levels`"):
        HaarWavelet(levels=0)


def test_what_is_left_of_an_odd_length_goes_on_to_the_next_level():
    half = math.sqrt(0.5)
    torch.testing.assert_close(HaarWavelet()(torch.ones(5)), torch.tensor([3 * half, half, 0.0, 0.0, 0.0]))

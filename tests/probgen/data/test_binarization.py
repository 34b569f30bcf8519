"""Binary draws: the ends are certain, the mean is the intensity, and batches draw anew but repeatably."""

import pytest
import torch

from probgen.data import Batches, binarize


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_black_stays_black_and_white_white(dtype):
    x = torch.tensor([0.0, 1.0], dtype=dtype).expand(5000, 2)
    drawn = binarize(x)
    assert drawn.dtype == dtype
    assert torch.equal(drawn, x)


@pytest.mark.statistical(false_alarm=1e-8)
def test_the_mean_is_the_intensity():
    n, x = 40_000, torch.tensor([0.1, 0.5, 0.9])
    drawn = binarize(x.expand(n, 3), torch.Generator().manual_seed(0))
    assert bool(((drawn == 0) | (drawn == 1)).all())
    bound = (torch.tensor(2 * 3 / 1e-8).log() / (2 * n)).sqrt()  # Hoeffding, three entries: errors above 0.016 show
    assert bool(((drawn.mean(0) - x).abs() < bound).all())


def test_batches_are_drawn_anew_and_repeatably():
    def epochs(count):
        batches = Batches(torch.full((50, 4), 0.5), 50, seed=1, transform=binarize)
        return [batch for _ in range(count) for batch in batches]

    first, second = epochs(2)
    assert not torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip(epochs(2), (first, second), strict=True))

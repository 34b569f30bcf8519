"""Grids and channels of networks that halve."""

import pytest
import torch

from probgen.nn.adversarial._pyramid import COARSEST, pyramid, require_events


@pytest.mark.parametrize(
    ("size", "coarsest", "widths"),
    [
        ((8, 8), (4, 4), [2]),
        ((28, 28), (7, 7), [2, 4]),
        ((32, 32), (4, 4), [2, 4, 8]),
        ((128, 64), (8, 4), [2, 4, 8, 16]),
        ((256, 256), (4, 4), [2, 4, 8, 16, 16, 16]),
        ((2, 9), (1, 4), [2]),
    ],
)
def test_the_coarsest_grid_is_about_four_by_four(size, coarsest, widths):
    shape, grids, found = pyramid((3, *size), 2, None)
    assert (shape, grids[0], grids[-1], found) == ((3, *size), size, coarsest, widths)
    assert len(grids) == len(widths) + 1
    assert len(widths) == 1 or COARSEST <= min(coarsest) < 2 * COARSEST


def test_multipliers_decide_the_levels():
    assert pyramid((1, 28, 28), 3, (1, 1, 5))[1:] == ([(28, 28), (14, 14), (7, 7), (3, 3)], [3, 3, 15])


def test_wrong_sizes_are_named():
    for arguments, message in [
        (((28, 28), 2, None), "image_shape"),
        (((1, 28, 28), 0, None), "`channels` must be positive; got 0"),
        (((1, 28, 28), 2, ()), "`multipliers` must be positive"),
        (((1, 4, 4), 2, (1, 1, 1)), r"images of 4 x 4 pixels cannot be halved 3 time\(s\)"),
        (((1, 1, 1), 2, None), "cannot be halved 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            pyramid(*arguments)


def test_events_are_checked():
    require_events("it", "x", torch.zeros(0, 2, 3), (2, 3))
    for shape in [(2, 3), (5, 2, 3, 1), (5, 3, 2), (2, 2, 2, 3)]:
        with pytest.raises(ValueError, match=r"`x` of it must be \[N, 2, 3\]; got"):
            require_events("it", "x", torch.zeros(shape), (2, 3))

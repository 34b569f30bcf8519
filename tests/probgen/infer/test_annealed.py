"""Schedules of one number."""

import pytest
import torch

from probgen.infer import Annealed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "`steps` must be at least 1; got 0"),
        ({"cycles": 0}, "`cycles` must be at least 1; got 0"),
        ({"rising": 0.0}, r"`rising` must be in \(0, 1\]; got 0.0"),
        ({"rising": 1.5}, r"`rising` must be in \(0, 1\]; got 1.5"),
        ({"shape": "exponential"}, "positive ends; got start=0.0, end=1.0"),
    ],
)
def test_arguments_that_make_no_curve_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Annealed(0.0, 1.0, **({"steps": 10} | options))


@pytest.mark.parametrize(("shape", "middle"), [("linear", 2.5), ("cosine", 2.5), ("exponential", 2.0)])
def test_curves_go_from_start_to_end_through_their_mean(shape, middle):
    """Half way lies the arithmetic mean of the ends, of an exponential curve the geometric one."""
    schedule, values = Annealed(1.0, 4.0, steps=4, shape=shape), []
    for _ in range(7):
        values.append(schedule().item())
        schedule.advance()
    assert values == pytest.approx([1.0, values[1], middle, values[3], 4.0, 4.0, 4.0])
    assert torch.tensor(values).diff().min() >= 0

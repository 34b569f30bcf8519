"""Time grids: explicit pairs, respacing that cannot repeat or skip a time, spacings in other coordinates."""

import copy
import itertools
import pickle

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from probgen.distributions.chains import (
    Spacing,
    TimeGrid,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
)

SPACINGS = Spacing.__args__


def test_pairs_go_from_noise_to_data():
    assert list(TimeGrid(2)) == [(1.0, 0.5), (0.5, 0.0)]
    assert list(TimeGrid([0.1, 0.2, 0.9])) == [(0.9, 0.2), (0.2, 0.1)]


def test_reading_a_grid():
    grid = TimeGrid(4)
    assert len(grid) == 4
    assert [grid.time(index) for index in (0, 1, -1)] == [0.0, 0.25, 1.0]
    assert grid.reversed_times.tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert repr(grid) == "TimeGrid(4 steps from t=1 to t=0)"


def test_grids_with_the_same_times_are_equal():
    grid = TimeGrid(3)
    for twin in (TimeGrid(grid.times), copy.deepcopy(grid), pickle.loads(pickle.dumps(grid))):
        assert twin == grid
        assert hash(twin) == hash(grid)
    assert grid != TimeGrid(4)
    assert grid != [0.0, 1 / 3, 2 / 3, 1.0]


@pytest.mark.parametrize("times", [[0.0, 0.5, 0.5, 1.0], [0.5, 0.1], [-0.1, 1.0], [0.0, 1.1], [0.0, float("nan")]])
def test_times_must_increase_within_the_interval(times):
    with pytest.raises(ValueError, match="times must increase strictly"):
        TimeGrid(times)


@pytest.mark.parametrize("times", [[0.5], [[0.0, 1.0]]])
def test_times_must_be_a_list_of_two(times):
    with pytest.raises(ValueError, match="a list of at least two"):
        TimeGrid(times)


def test_steps_must_be_positive():
    with pytest.raises(ValueError, match="`steps` must be at least 1; got 0"):
        TimeGrid(0)


@pytest.mark.parametrize("spacing", SPACINGS)
@given(data=st.data())
def test_respaced_grids_pick_distinct_times(spacing, data):
    """Whatever the number of steps, every time occurs in the long grid, once, and the grid ends at the data."""
    total = data.draw(st.integers(1, 1200))
    steps = data.draw(st.integers(1, total))
    long = TimeGrid(total)
    short = long.respaced(steps, spacing)
    assert len(short) == steps
    assert set(short.times.tolist()) <= set(long.times.tolist())
    assert short.time(0) == 0.0
    if spacing != "leading":
        assert short.time(-1) == 1.0


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [1, 2, 299, 300, 999, 1000])
def test_respaced_levels_differ_on_a_cosine(spacing, steps):
    """Near the noise a cosine schedule maps many log-SNRs to one integer step elsewhere; here every level is another."""
    levels = cosine_schedule().level(TimeGrid(1000).respaced(steps, spacing).times)
    assert bool((levels.log_snr[1:].diff() < 0).all())


def test_all_steps_are_the_grid_itself():
    for spacing in SPACINGS:
        assert TimeGrid(50).respaced(50, spacing) == TimeGrid(50)


def test_published_spacings():
    def steps(count, spacing):
        return (TimeGrid(1000).respaced(count, spacing).times * 1000).round().int().tolist()

    assert steps(4, "even") == [0, 250, 500, 750, 1000]
    assert steps(4, "trailing") == [0, 250, 500, 750, 1000]
    assert steps(4, "leading") == [0, 1, 251, 501, 751]
    assert steps(4, "quadratic") == [0, 62, 250, 562, 1000]


def test_spacing_that_does_not_divide_keeps_its_pairs():
    """300 of 1000: the next time is looked up, never computed from a stride, so consecutive pairs chain."""
    for spacing in SPACINGS:
        pairs = list(TimeGrid(1000).respaced(300, spacing))
        assert all(s == t for (_, s), (t, _) in itertools.pairwise(pairs))


@pytest.mark.parametrize("steps", [0, 11])
def test_respacing_cannot_add_steps(steps):
    with pytest.raises(ValueError, match=r"`steps` must lie in 1 \.\. 10"):
        TimeGrid(10).respaced(steps)


def test_unknown_spacing():
    with pytest.raises(ValueError, match="`spacing` must be one of"):
        TimeGrid(10).respaced(5, "logarithmic")


def test_equal_steps_in_log_snr():
    schedule = cosine_schedule()
    grid = TimeGrid.log_snr(schedule, 10, stop=1e-3)
    steps = schedule.log_snr(grid.times[1:]).diff()
    assert torch.allclose(steps, steps.mean().expand(9), rtol=1e-6)
    assert (grid.time(0), grid.time(1), grid.time(-1)) == (0.0, 1e-3, 1.0)
    assert TimeGrid.log_snr(schedule, 9, stop=1e-3, end_at_data=False).times.tolist() == grid.times[1:].tolist()


def test_equal_steps_in_log_snr_need_a_step():
    with pytest.raises(ValueError, match="`steps` must be at least 1; got 0"):
        TimeGrid.log_snr(cosine_schedule(), 0)


def test_log_snr_must_be_finite():
    with pytest.raises(ValueError, match="finite"):
        TimeGrid.log_snr(flow_matching_schedule(), 10)
    with pytest.raises(ValueError, match="finite"):
        TimeGrid.log_snr(cosine_schedule(), 10, stop=0.0)


def test_grid_of_edm():
    """sigma_i = (s_max^(1/7) + i/(n-1) (s_min^(1/7) - s_max^(1/7)))^7, then 0."""
    schedule, n = edm_schedule(80.0), 18
    grid = TimeGrid.rho(schedule, n)
    i = torch.arange(n, dtype=torch.float64)
    expected = (80 ** (1 / 7) + i / (n - 1) * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert torch.allclose(schedule.sigma(grid.reversed_times), torch.cat([expected, torch.zeros(1)]), rtol=1e-10)


def test_grid_of_edm_on_other_schedules():
    ratio = torch.exp(-linear_schedule().log_snr(TimeGrid.rho(linear_schedule(), 5).times) / 2)
    assert ratio[1].item() == pytest.approx(0.002, rel=1e-9)
    with pytest.raises(ValueError, match="`sigma_max` must be given"):
        TimeGrid.rho(flow_matching_schedule(), 5)
    assert len(TimeGrid.rho(flow_matching_schedule(), 5, sigma_max=100.0)) == 5
    with pytest.raises(ValueError, match="`steps` must be at least 2"):
        TimeGrid.rho(linear_schedule(), 1)


def test_quadratic():
    assert TimeGrid.quadratic(4).times.tolist() == [0.0, 0.0625, 0.25, 0.5625, 1.0]
    assert TimeGrid.quadratic(3, 0.04, 0.81).times.tolist() == pytest.approx([0.04, 0.1878, 0.4444, 0.81], abs=1e-3)


def test_part_of_a_grid():
    grid = TimeGrid(4)
    assert grid.between(0.25, 0.75).times.tolist() == [0.25, 0.5, 0.75]
    assert grid.between(0.3, 0.4).times.tolist() == [0.3, 0.4]

"""The tables of few steps on a law whose sampler errors are known: more steps are better, the exact sampler is at the floor."""

import pytest
import torch

from probgen.demo import SAMPLERS, Judge, SampleQuality, measure, noise_table, solver_table
from probgen.diffusion import Diffusion, TimeGrid, cosine_schedule
from probgen.distributions.chains import GaussianDenoiser
from probgen.metrics import PixelFeatures


@pytest.fixture(scope="module")
def bed():
    """Normal data of standard deviation 1/4; features are the values."""
    torch.manual_seed(0)
    schedule = cosine_schedule()
    oracle = GaussianDenoiser(schedule, torch.zeros(2), torch.tensor(0.0625))
    grid = TimeGrid.log_snr(schedule, 200, 0.01, 0.99)
    real = oracle.data.sample((4000,))
    judge = Judge(real[:2000], real[2000:3000], PixelFeatures((2,)))
    return Diffusion(oracle, schedule, (2,), grid), torch.randn(1000, 2), judge


def value(cell):
    return float(cell.split(" ")[0])


def test_more_steps_are_better_and_noise_hurts_at_few(bed):
    diffusion, noise, judge = bed
    header, rows = noise_table(diffusion, noise, None, judge, steps=(5, 100))
    assert header == ["eta", "5 steps", "100 steps"]
    assert [row[0] for row in rows] == ["0", "0.2", "0.5", "1", "1, larger variance"]
    assert all(value(row[2]) < value(row[1]) for row in rows)
    assert value(rows[0][1]) < value(rows[3][1])


def test_second_order_beats_first_at_equal_cost(bed):
    diffusion, noise, judge = bed
    header, rows = solver_table(diffusion, noise, None, judge, evaluations=(10,))
    found = {row[0]: value(row[1]) for row in rows}
    assert list(found) == list(SAMPLERS)
    assert header == ["sampler", "10 evaluations"]
    assert found["DPM-Solver++ 2M"] < found["DDIM (Euler)"]


def test_evaluations_are_what_was_asked_for(bed):
    diffusion = bed[0]
    for name, make in SAMPLERS.items():
        assert make(diffusion, 10).evaluations == (9 if name == "Heun" else 10)


def test_rows_and_seed_do_not_change_a_deterministic_sampler(bed):
    diffusion, noise, judge = bed
    first = measure(diffusion.ddim(5), noise, None, judge, rows=1000)
    second = measure(diffusion.ddim(5), noise, None, judge, rows=300, seed=5)
    assert isinstance(first, SampleQuality)
    assert first.report.distance.mean == pytest.approx(second.report.distance.mean, rel=1e-5)
    assert str(first).startswith(f"{first.report.distance.mean:.3f} ± ")


def test_finish_is_applied(bed):
    judge = Judge(bed[2].train, bed[2].test, PixelFeatures((2,)), lambda x: x * 0)
    assert judge(torch.randn(100, 2)).distance.mean == pytest.approx(2 * 0.0625, rel=0.2)

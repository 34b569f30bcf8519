"""The bits report: sums, units, the rate–distortion curve, what it prints."""

import math

import pytest
import torch

import probgen as pg
from probgen.diffusion import BitsReport, bits_report
from probgen.distributions import Quantization
from probgen.distributions.chains import DiscretizedDecoder, GaussianDenoiser
from tests.probgen.diffusion.beds import bed


def test_the_parts_add_up():
    d, oracle = bed(grid=100, dims=3)
    x = oracle.data.sample((20,))
    report = d.bits_report(x)
    assert isinstance(report, BitsReport)
    assert (report.num_data, report.num_dims, report.evaluations) == (20, 3, 100)
    assert report.prior_bits + report.step_bits + report.decoder_bits == pytest.approx(report.total)
    assert report.rate[-1] == pytest.approx(float(report.prior_bits))
    assert report.rate[0] + report.decoder_bits == pytest.approx(report.total)
    assert (report.rate.diff() <= 0).all()  # less has been sent at noisier times
    assert torch.allclose(report.distortion, report.x0_error.sqrt())


def test_the_distortion_is_the_posterior_deviation():
    schedule = pg.diffusion.linear_schedule(1000)
    d, oracle = bed(0.25, schedule, 10)
    report = d.bits_report(oracle.data.sample((20_000,)))
    level = schedule.level(d.grid.times[1:])
    exact = (0.25 * level.sigma**2 / (0.25 * level.alpha**2 + level.sigma**2)).sqrt()
    assert torch.allclose(report.distortion, exact, rtol=0.05)


def test_seeds_reproduce_and_leave_the_global_state_alone():
    d, oracle = bed(grid=10)
    x = oracle.data.sample((8,))
    state = torch.get_rng_state()
    first, second, other = (bits_report(d, x, seed=seed).total for seed in (1, 1, 2))
    assert first == second != other
    assert torch.equal(state, torch.get_rng_state())
    assert bits_report(d.train(), x).num_data == 8
    assert d.training


def test_the_noise_is_not_that_of_data_with_the_same_seed():
    schedule = pg.diffusion.linear_schedule(1000)
    d, _ = bed(0.25, schedule, 2)
    torch.manual_seed(0)
    x = torch.randn(5000, 1).double() / 2
    again = d.bits_report(x, seed=0)
    fresh = d.bits_report(x, seed=1)
    assert torch.allclose(again.distortion, fresh.distortion, rtol=0.1)


def test_bits_of_levels():
    """A discretized decoder gives a codelength; a continuous one gives the same up to the width of a bin."""
    levels = Quantization(256, -1.0, 1.0)
    schedule = pg.diffusion.linear_schedule(1000)
    oracle = GaussianDenoiser(schedule, torch.zeros(2).double(), torch.tensor(0.05).double())
    x = levels.snap(oracle.data.sample((400,)).clamp(-1, 1))
    discrete = pg.diffusion.Diffusion(oracle, schedule, (2,), 100, decoder=DiscretizedDecoder(levels))
    continuous = pg.diffusion.Diffusion(oracle, schedule, (2,), 100)
    codelength = discrete.bits_report(x)
    density = continuous.bits_report(x, quantization=levels)
    assert codelength.distortion_unit == density.distortion_unit == "levels"
    assert codelength.meaning == density.meaning == "of levels"
    assert abs(codelength.total - density.total) < 0.1
    exact = -torch.log2(
        torch.special.ndtr((x + levels.width / 2) / 0.05**0.5) - torch.special.ndtr((x - levels.width / 2) / 0.05**0.5)
    )
    assert exact.mean() < codelength.total + 6 * codelength.total_stderr
    assert torch.allclose(density.distortion, density.x0_error.sqrt() / levels.width)
    plain = continuous.bits_report(x)
    assert plain.meaning == "of a density"
    assert density.total - plain.total == pytest.approx(-math.log2(2 / 255))


def test_it_prints_the_tables():
    d, oracle = bed(grid=1000)
    lines = str(d.bits_report(oracle.data.sample((4,)))).splitlines()
    assert lines[0] == "4 data of 1 dimensions, 1000 steps"
    assert [line.split()[0] for line in lines[1:5]] == ["L_T", "L_1", "L_0", "total"]
    assert len(lines) == 5 + 2 + 10 + 2
    assert lines[7].split()[0] == "1"
    assert lines[16].split()[0] == "1000"


def test_two_data_are_needed():
    with pytest.raises(ValueError, match="at least two"):
        bed(grid=4)[0].bits_report(torch.zeros(1, 1))

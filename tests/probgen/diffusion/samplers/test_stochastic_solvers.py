"""Euler and Maruyama's method: first order in time for every process, the right law in the limit, for any strength of noise."""

from functools import partial

import pytest
import torch

from probgen.diffusion.audit import audit_sampler
from probgen.diffusion.samplers import euler_maruyama
from probgen.distributions.chains import (
    TimeGrid,
    cosine_schedule,
    sub_variance_preserving_schedule,
    variance_exploding_schedule,
    variance_preserving_schedule,
)
from tests.probgen.diffusion.samplers.networks import oracle

SCHEDULES = [variance_preserving_schedule(), sub_variance_preserving_schedule(), variance_exploding_schedule(0.1, 10.0)]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_spread_and_mean_converge_at_first_order(schedule, eta):
    """The reverse process has the marginal of the forward one where it stops, whatever the noise."""
    bed = oracle(0.25, 0.7, schedule=schedule)
    audit = audit_sampler(
        partial(euler_maruyama, eta=eta), bed, steps=(200, 400), grid_of=lambda n: TimeGrid.quadratic(n, stop=0.05)
    )
    coarse, fine = (abs(ratio - 1) for ratio in audit.std_ratios)
    assert fine < 0.03
    assert coarse / fine == pytest.approx(2.0, abs=0.3)
    assert audit.mean_bias[1] < 0.02


def test_no_noise_no_draw():
    euler_maruyama(oracle(), TimeGrid(5), eta=0.0)(torch.ones(2, 1).double(), noise=lambda like: pytest.fail("drawn"))


def test_last_step_goes_to_the_mean():
    bed = oracle(0.25)
    x = torch.ones(2, 1).double()
    assert torch.allclose(euler_maruyama(bed, TimeGrid([0.0, 0.3]))(x), bed.mean(x, 0.3))


def test_infinitely_fast_schedules_and_negative_noise_are_refused():
    with pytest.raises(ValueError, match="infinitely fast"):
        euler_maruyama(oracle(schedule=cosine_schedule(terminal_log_snr=None)), TimeGrid(4))
    with pytest.raises(ValueError, match=r"`eta` must not be negative; got -0\.5"):
        euler_maruyama(oracle(), TimeGrid(4), eta=-0.5)

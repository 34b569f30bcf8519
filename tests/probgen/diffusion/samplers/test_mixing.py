"""Mixtures of noisy states at exactly the depth that is asked for."""

import pytest
import torch

from probgen.diffusion.audit import exact_flow
from probgen.diffusion.samplers import ddim, noised_interpolation
from probgen.distributions.chains import TimeGrid, linear_schedule
from tests.probgen.diffusion.samplers.networks import oracle


def test_depth_is_exact():
    """State and first time agree: with equal data and no sampling error, the result is the flow from that very time."""
    bed = oracle(schedule=linear_schedule())
    sampler = ddim(bed, TimeGrid(1000))
    data = torch.full((1, 1), 0.3).double()
    for t in (0.1, 0.5004):
        generator, same = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
        found = noised_interpolation(sampler, data, data, [0.0, 1.0], t, generator=generator)
        level = bed.schedule.level(t)
        for index in range(2):
            noise = torch.randn(1, 1, dtype=torch.float64, generator=same)
            state = level.alpha * data + level.sigma * noise
            assert torch.allclose(found[index], exact_flow(bed, state, t, 0.0), rtol=0.03, atol=2e-3)


def test_shallow_mixtures_stay_near_the_data_and_deep_ones_do_not():
    bed = oracle(schedule=linear_schedule())
    a, b = torch.full((400, 1), -0.3).double(), torch.full((400, 1), 0.4).double()
    near, far = (noised_interpolation(ddim(bed, TimeGrid(200)), a, b, [0.0, 1.0], t) for t in (0.02, 0.9))
    assert float((near[0] - a).abs().mean()) < 0.06
    assert float((far[1] - b).abs().mean()) > 0.2
    assert noised_interpolation(ddim(bed, TimeGrid(200)), a, b, [0.5], 0.5, path="spherical").shape == (1, 400, 1)


def test_settings_are_checked():
    bed, x = oracle(), torch.zeros(1, 1).double()
    with pytest.raises(ValueError, match=r"inside the sampler's grid, in \(0, 1\]; got 1.5"):
        noised_interpolation(ddim(bed, TimeGrid(4)), x, x, [0.5], 1.5)
    with pytest.raises(ValueError, match="`path` must be 'linear' or 'spherical'; got 'cubic'"):
        noised_interpolation(ddim(bed, TimeGrid(4)), x, x, [0.5], 0.5, path="cubic")

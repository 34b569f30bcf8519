"""Weighted sums, linear steps with and without folding, levels, and draws from a given source of noise."""

import pyro.distributions as dist
import pytest
import torch

from probgen.diffusion.samplers.drawing import draw
from probgen.diffusion.samplers.levels import Levels, level_at_log_snr, levels_at, mean_coefficients_of, separate
from probgen.diffusion.samplers.steps import LinearStep, Run, State, Step, StepSequence, weighted_sum
from probgen.distributions.chains import TimeGrid, cosine_schedule, edm_schedule, linear_schedule
from tests.probgen.diffusion.samplers.networks import exact, oracle


def test_weighted_sums_never_touch_their_terms():
    a, b = torch.ones(3), torch.full((3,), 2.0)
    for in_place in (False, True):
        assert torch.equal(weighted_sum([(1.0, a), (3.0, b), (0.0, b / 0)], in_place=in_place), torch.full((3,), 7.0))
    assert torch.equal(weighted_sum([(1.0, a)]), a)
    assert weighted_sum([(1.0, a)]) is not a
    assert torch.equal(weighted_sum([(0.0, a)]), torch.zeros(3))
    assert torch.equal(a, torch.ones(3))


def test_folded_and_unfolded_steps_agree():
    denoiser = exact(event_shape=(2,))
    level = denoiser.schedule.level(0.4)
    skip, out = (float(value) for value in denoiser.coefficients(level))
    x = torch.randn(3, 2).double()
    step: Step = LinearStep(level, 0.3, (0.6,), 0.0, skip, out)
    expected = 0.3 * x + 0.6 * denoiser.mean(x, 0.4)
    for recording in (False, True):
        state = step(State(x), Run(denoiser, recording=recording))
        assert torch.allclose(state.x, expected)
        assert len(state.means) == int(recording)
    two = step._replace(weights=(0.6, -0.2), keeps=1)
    state = two(State(x, (x,)), Run(denoiser))
    assert torch.allclose(state.x, expected - 0.2 * x)
    assert len(state.means) == 1
    assert StepSequence([step, two]).evaluations == 2


def test_steps_follow_the_dtype_under_autocast():
    denoiser = exact(event_shape=(2,))
    with torch.autocast("cpu", torch.bfloat16):
        assert Run(denoiser).predict(torch.randn(3, 2), denoiser.schedule.level(0.4)).dtype == torch.float32


def test_levels_are_float64_vectors_in_order():
    bed = oracle(schedule=linear_schedule())
    levels, back = Levels.of(bed, TimeGrid(4)), Levels.of(bed, TimeGrid(4), from_data=True)
    assert len(levels) == 4
    assert levels.t.t.tolist() == back.s.t.flip(0).tolist() == [1.0, 0.75, 0.5, 0.25]
    assert levels.log_snr_gain[-1] == torch.inf
    assert levels_at(bed.schedule, torch.tensor([0.5])).alpha.dtype == torch.float64
    single = separate(bed, levels.t)[1]
    assert single.log_snr.shape == ()
    assert float(single.log_snr) == float(bed.schedule.log_snr(0.75))
    assert mean_coefficients_of(bed, levels.t) == ([0.0] * 4, [1.0] * 4)


def test_level_of_a_log_snr():
    for schedule in (cosine_schedule(), edm_schedule()):
        level, expected = level_at_log_snr(schedule, schedule.log_snr(0.3)), schedule.level(0.3)
        for name in ("t", "log_snr", "alpha", "sigma"):
            assert torch.allclose(getattr(level, name), getattr(expected, name), rtol=1e-12)


LAWS = {
    "Delta": dist.Delta(torch.tensor([[1.0, 2.0]]), event_dim=1),
    "Normal": dist.Normal(torch.zeros(1, 2), torch.tensor([1.0, 3.0])).to_event(1),
    "MultivariateNormal": dist.MultivariateNormal(torch.ones(1, 2), torch.tensor([[2.0, 1.0], [1.0, 3.0]])),
    "LowRank": dist.LowRankMultivariateNormal(torch.ones(1, 2), torch.tensor([[[1.0], [2.0]]]), torch.tensor([[0.5, 0.2]])),
    "Mixture": dist.MixtureSameFamily(
        dist.Categorical(torch.tensor([[0.3, 0.7]])),
        dist.Normal(torch.tensor([[[-2.0, 0.0], [2.0, 1.0]]]), torch.tensor(0.5)).to_event(1),
    ),
}


@pytest.mark.statistical(false_alarm=1e-9)
@pytest.mark.parametrize("name", LAWS)
def test_draws_have_the_moments_of_the_law(name):
    """Means within 6.3 s.e. at 20 000 draws; a covariance that is off by 10 % would be seen."""
    law, count = LAWS[name], 20_000
    generator = torch.Generator().manual_seed(0)
    x = draw(law.expand([count]), lambda like: torch.randn(like.shape, dtype=like.dtype, generator=generator))
    reference = law.expand([count]).sample()
    assert x.shape == (count, 2)
    spread = x.std(0)
    assert bool(((x.mean(0) - law.mean[0]).abs() <= 6.3 * spread / count**0.5).all())
    if name != "Delta":
        assert torch.allclose(torch.cov(x.T), torch.cov(reference.T), rtol=0.1, atol=0.1)


def test_unknown_laws_are_refused():
    with pytest.raises(NotImplementedError, match="Gamma"):
        draw(dist.Gamma(torch.ones(2), 1.0), torch.randn_like)

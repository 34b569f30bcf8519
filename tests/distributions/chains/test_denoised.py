"""Views of what a denoiser says, and the reverse kernel that follows from it."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions.chains import (
    Denoised,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
    posterior_coefficients,
    transition_coefficients,
)

SCHEDULES = [linear_schedule(), cosine_schedule(), edm_schedule(), flow_matching_schedule()]
every = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: type(schedule).__name__)


def denoised(schedule, t=0.6, law=None):
    x_t = torch.randn(5, 3, dtype=torch.float64)
    law = dist.Delta(torch.randn(5, 3, dtype=torch.float64), event_dim=1) if law is None else law
    return Denoised(law, x_t, schedule.level(t))


@every
def test_views_are_one_thing(schedule):
    """x_t = alpha mean + sigma eps; (mean, eps) is (x_t, v) rotated; score = -eps / sigma."""
    found = denoised(schedule)
    level = found.level
    r = torch.hypot(level.alpha, level.sigma)
    assert torch.allclose(level.alpha * found.mean + level.sigma * found.eps, found.x_t)
    assert torch.allclose(found.score, -found.eps / level.sigma)
    assert torch.allclose((level.alpha / r * found.x_t - level.sigma * found.v) / r, found.mean)
    assert torch.allclose((level.sigma / r * found.x_t + level.alpha * found.v) / r, found.eps)


@every
def test_reverse_of_a_point_is_the_posterior(schedule):
    """A point mass gives q(x_s | x_t, x_0) at x_0 = mean: "fixed small"."""
    found, s = denoised(schedule), schedule.level(0.4)
    kernel, (data, noisy, variance) = found.reverse(s), posterior_coefficients(s, found.level)
    assert torch.allclose(kernel.mean, data * found.mean + noisy * found.x_t)
    assert torch.allclose(kernel.variance, variance.expand(5, 3))


def test_reverse_of_the_unit_spread_is_beta():
    """The spread sigma_t^2 gives "fixed large", the variance of the forward step, for every variance-preserving step."""
    schedule = linear_schedule()
    for t, s in ((0.002, 0.001), (0.5, 0.499), (0.5, 0.1), (1.0, 0.25)):
        mean = torch.zeros(1).double()
        law = dist.Normal(mean, schedule.sigma(t)).to_event(1)
        kernel = Denoised(law, mean, schedule.level(t)).reverse(schedule.level(s))
        expected = transition_coefficients(schedule.level(s), schedule.level(t)).variance
        ratio = schedule.sigma(s).square() / schedule.sigma(t).square()
        assert kernel.variance.item() == pytest.approx(
            (expected * (ratio + schedule.alpha(s).square() * expected / schedule.sigma(t).square())).item(), rel=1e-10
        )
    assert kernel.variance.item() > 0


@every
def test_reverse_integrates_out_the_data(schedule):
    """Draws of x_0, then of q(x_s | x_t, x_0), have the mean and variance of the kernel; in closed form, coordinatewise."""
    law = dist.Normal(torch.randn(5, 3, dtype=torch.float64), 0.3).to_event(1)
    found, s = denoised(schedule, law=law), schedule.level(0.2)
    data, noisy, variance = posterior_coefficients(s, found.level)
    kernel = found.reverse(s)
    assert torch.allclose(kernel.mean, data * law.mean + noisy * found.x_t)
    assert torch.allclose(kernel.variance, variance + data**2 * law.variance)


def test_a_level_for_each_datum():
    schedule, t = cosine_schedule(), torch.tensor([0.3, 0.6])
    law = dist.Normal(torch.zeros(2, 3), 0.5).to_event(1)
    x_t = torch.randn(2, 3)
    together = Denoised(law, x_t, schedule.level(t)).reverse(schedule.level(t / 2))
    for index, time in enumerate(t.tolist()):
        alone = Denoised(dist.Normal(torch.zeros(3), 0.5).to_event(1), x_t[index], schedule.level(time))
        assert torch.allclose(together.mean[index], alone.reverse(schedule.level(time / 2)).mean, atol=1e-6)
        assert torch.allclose(together.variance[index], alone.reverse(schedule.level(time / 2)).variance, atol=1e-6)


def test_with_no_signal_left_everything_is_finite():
    found = denoised(flow_matching_schedule(), t=1.0)
    assert torch.allclose(found.eps, found.x_t)
    assert torch.allclose(found.v, -found.mean)
    assert bool(found.reverse(flow_matching_schedule().level(0.9)).mean.isfinite().all())


def test_scalars():
    found = Denoised(dist.Normal(torch.zeros(4), 1.0), torch.randn(4), cosine_schedule().level(torch.rand(4) * 0.5 + 0.2))
    assert found.eps.shape == (4,)
    assert found.reverse(cosine_schedule().level(0.1)).batch_shape == (4,)


def test_dtype_of_the_views_is_that_of_the_state():
    found = Denoised(dist.Delta(torch.zeros(2), event_dim=1), torch.ones(2), cosine_schedule().level(0.5))
    assert {view.dtype for view in (found.mean, found.eps, found.score, found.v)} == {torch.float32}

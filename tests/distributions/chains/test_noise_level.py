"""Coefficients of a step: the published table, the slips of lectures, composition, and both limits."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from probgen.distributions.chains import (
    PosteriorCoefficients,
    TransitionCoefficients,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
    posterior_coefficients,
    sub_variance_preserving_schedule,
    transition_coefficients,
    variance_exploding_schedule,
)

STEPS = 1000
BETA = torch.linspace(1e-4, 0.02, STEPS, dtype=torch.float64)
ALPHA_BAR = torch.cat([torch.ones(1).double(), (1 - BETA).cumprod(0)])


def coefficients(t):
    """Of step t of the published chain: from state t to state t - 1."""
    schedule = linear_schedule(STEPS)
    near, far = schedule.level((t - 1) / STEPS), schedule.level(t / STEPS)
    return transition_coefficients(near, far), posterior_coefficients(near, far)


@pytest.mark.parametrize("t", [1, 2, 100, 500, STEPS])
def test_table_of_the_published_chain(t):
    """E1, E3, E4: sqrt(1 - beta) stands before x_t, the posterior variance is not beta, the mean of a transition shrinks."""
    transition, posterior = coefficients(t)
    beta, before, now = BETA[t - 1], ALPHA_BAR[t - 1], ALPHA_BAR[t]
    assert transition.scale.item() == pytest.approx((1 - beta).sqrt().item(), rel=1e-13)
    assert transition.variance.item() == pytest.approx(beta.item(), rel=1e-11)
    assert posterior.data.item() == pytest.approx((before.sqrt() * beta / (1 - now)).item(), rel=1e-11)
    assert posterior.noisy.item() == pytest.approx(((1 - beta).sqrt() * (1 - before) / (1 - now)).item(), rel=1e-10)
    assert posterior.variance.item() == pytest.approx((beta * (1 - before) / (1 - now)).item(), rel=1e-10)


@pytest.mark.parametrize(("t", "right", "wrong"), [(STEPS, 0.98995, 0.00635), (500, 0.994, 0.280)])
def test_slip_in_the_coefficient_of_the_noisy_state(t, right, wrong):
    """E1: read as sqrt(1 - (1 - alpha_bar)) the coefficient is off by up to 99.4 per cent."""
    slip = ALPHA_BAR[t].sqrt() * (1 - ALPHA_BAR[t - 1]) / (1 - ALPHA_BAR[t])
    assert coefficients(t)[1].noisy.item() == pytest.approx(right, abs=6e-4)
    assert slip.item() == pytest.approx(wrong, abs=6e-4)


@pytest.mark.parametrize(("t", "ratio"), [(2, 0.4547), (100, 0.982), (STEPS, 0.999999)])
def test_posterior_variance_is_less_than_beta(t, ratio):
    """E3."""
    assert coefficients(t)[1].variance.item() / BETA[t - 1].item() == pytest.approx(ratio, abs=5e-4)


def test_walk_without_shrinking_would_explode():
    """E4: without sqrt(1 - beta) the last state would have variance 10.05 and keep its mean."""
    level = linear_schedule(STEPS).level(1.0)
    assert BETA.sum().item() == pytest.approx(10.05, abs=1e-3)
    assert (level.alpha.item(), level.sigma.item() ** 2) == pytest.approx((0.00635, 0.99996), abs=1e-5)


SCHEDULES = {
    "linear": linear_schedule,
    "cosine": lambda: cosine_schedule(terminal_log_snr=None),
    "sub-VP": sub_variance_preserving_schedule,
    "VE": variance_exploding_schedule,
    "EDM": edm_schedule,
    "flow matching": flow_matching_schedule,
}
every = pytest.mark.parametrize("name", sorted(SCHEDULES))
times = st.lists(st.floats(0.001, 0.999), min_size=3, max_size=3, unique=True).map(sorted)


@every
@given(rst=times)
def test_two_transitions_make_one(name, rst):
    """Chapman-Kolmogorov: from r to s to t is from r to t."""
    r, s, t = (SCHEDULES[name]().level(u) for u in rst)
    first, second, whole = transition_coefficients(r, s), transition_coefficients(s, t), transition_coefficients(r, t)
    assert (first.scale * second.scale).item() == pytest.approx(whole.scale.item(), rel=1e-12)
    variance = second.scale.square() * first.variance + second.variance
    assert variance.item() == pytest.approx(whole.variance.item(), rel=1e-9)


@every
@given(rst=times)
def test_posterior_integrates_to_the_marginal(name, rst):
    r"""Sum over q(x_t | x_0) of q(x_s | x_t, x_0) has mean alpha_s x_0 and variance sigma_s^2."""
    _, s, t = (SCHEDULES[name]().level(u) for u in rst)
    posterior = posterior_coefficients(s, t)
    assert (posterior.data + posterior.noisy * t.alpha).item() == pytest.approx(s.alpha.item(), rel=1e-10)
    variance = posterior.variance + (posterior.noisy * t.sigma).square()
    assert variance.item() == pytest.approx(s.sigma.item() ** 2, rel=1e-10)


@every
@given(rst=times)
def test_posterior_is_the_conditional_of_the_joint_normal(name, rst):
    """Bayes: the gain Cov(x_s, x_t) / Var(x_t) of the joint law of two states given the data."""
    _, s, t = (SCHEDULES[name]().level(u) for u in rst)
    forward, posterior = transition_coefficients(s, t), posterior_coefficients(s, t)
    gain = forward.scale * s.sigma.square() / t.sigma.square()
    assert posterior.noisy.item() == pytest.approx(gain.item(), rel=1e-10)
    assert posterior.variance.item() == pytest.approx((s.sigma.square() * forward.variance / t.sigma.square()).item(), rel=1e-9)
    assert posterior.data.item() == pytest.approx((s.alpha * forward.variance / t.sigma.square()).item(), rel=1e-9)


@every
def test_at_the_data_the_posterior_is_a_point(name):
    schedule = SCHEDULES[name]()
    found = posterior_coefficients(schedule.level(0.0), schedule.level(0.3))
    assert found == PosteriorCoefficients(*(torch.tensor(value).double() for value in (1.0, 0.0, 0.0)))
    forward = transition_coefficients(schedule.level(0.0), schedule.level(0.3))
    assert forward.scale.item() == schedule.alpha(0.3).item()
    assert forward.variance.item() == pytest.approx(schedule.sigma(0.3).item() ** 2, rel=1e-14)


@pytest.mark.parametrize("name", ["cosine", "flow matching"])
def test_where_no_signal_is_left_the_state_says_nothing(name):
    """With zero terminal signal the posterior is the marginal, and every number is finite."""
    schedule = SCHEDULES[name]()
    near, far = schedule.level(0.7), schedule.level(1.0)
    assert transition_coefficients(near, far) == TransitionCoefficients(torch.tensor(0.0).double(), torch.tensor(1.0).double())
    found = posterior_coefficients(near, far)
    assert (found.data.item(), found.noisy.item()) == (near.alpha.item(), 0.0)
    assert found.variance.item() == near.sigma.item() ** 2


def test_levels_can_be_indexed_and_broadcast():
    level = cosine_schedule().level(torch.tensor([0.1, 0.5, 0.9]))
    assert level[1].t.item() == 0.5
    assert level[1:].log_snr.shape == (2,)
    assert posterior_coefficients(level[:1], level[1:]).data.shape == (2,)
    assert level.snr.tolist() == pytest.approx((level.alpha / level.sigma).square().tolist())

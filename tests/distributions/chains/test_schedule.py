"""What every schedule promises: ends, monotony, inverse, derivatives, tables in float64, and accuracy at both ends."""

import copy
import pickle

import hypothesis.strategies as st
import pytest
import torch
import torch._dynamo
import torch.fx.experimental.proxy_tensor
from hypothesis import assume, given

from probgen.distributions.chains import (
    LearnedSchedule,
    LinearKeep,
    Schedule,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
    posterior_coefficients,
    sigmoid_schedule,
    sub_variance_preserving_schedule,
    transition_coefficients,
    variance_exploding_schedule,
    variance_preserving_schedule,
)
from probgen.distributions.chains.scaling import SCALINGS

SCHEDULES = {
    "linear": linear_schedule,
    "linear(10)": lambda: linear_schedule(10, 0.01, 0.4),
    "VP": variance_preserving_schedule,
    "sub-VP": sub_variance_preserving_schedule,
    "cosine": cosine_schedule,
    "cosine(zero terminal SNR)": lambda: cosine_schedule(terminal_log_snr=None),
    "sigmoid": sigmoid_schedule,
    "sigmoid(zero terminal SNR)": lambda: sigmoid_schedule(terminal_log_snr=None),
    "VE": variance_exploding_schedule,
    "EDM": edm_schedule,
    "flow matching": flow_matching_schedule,
    "linear keep": LinearKeep,
    "learned": LearnedSchedule,
}
SMOOTH = sorted(set(SCHEDULES) - {"linear", "linear(10)"})
NO_SIGNAL_LEFT = {"cosine(zero terminal SNR)", "sigmoid(zero terminal SNR)", "flow matching", "linear keep"}
every = pytest.mark.parametrize("name", sorted(SCHEDULES))


def interior(count=101):
    """Times inside (0, 1), dense at both ends."""
    middle = torch.linspace(0, 1, count, dtype=torch.float64)[1:-1]
    ends = torch.logspace(-9, -3, 13, dtype=torch.float64)
    return torch.cat([ends, middle, 1 - ends.flip(0)])


@every
def test_data_are_exact_at_time_zero(name):
    level = SCHEDULES[name]().level(0.0)
    assert level.log_snr.item() == torch.inf
    assert (level.alpha.item(), level.sigma.item()) == (1.0, 0.0)


@every
def test_end_at_the_noise(name):
    level = SCHEDULES[name]().level(1.0)
    assert (level.alpha.item() == 0.0) == (name in NO_SIGNAL_LEFT)
    assert (level.log_snr.item() == -torch.inf) == (name in NO_SIGNAL_LEFT)
    assert 0.9 < level.sigma.item() < torch.inf


@every
def test_log_snr_falls_strictly(name):
    t = torch.linspace(0, 1, 1001, dtype=torch.float64)[1:]
    assert bool((SCHEDULES[name]().log_snr(t).diff() < 0).all())


@every
def test_inverse(name):
    schedule, t = SCHEDULES[name](), interior()
    back = schedule.t_of_log_snr(schedule.log_snr(t))
    assert torch.allclose(back, t, rtol=1e-9, atol=1e-12)


@every
def test_inverse_is_clamped_to_the_unit_interval(name):
    schedule = SCHEDULES[name]()
    assert schedule.t_of_log_snr(torch.inf).item() == 0.0
    assert schedule.t_of_log_snr(-1e4).item() == pytest.approx(1.0, abs=1e-12)


@every
def test_log_snr_is_that_of_alpha_and_sigma(name):
    level = SCHEDULES[name]().level(interior())
    assert torch.allclose(2 * torch.log(level.alpha / level.sigma), level.log_snr, rtol=1e-12, atol=1e-9)
    assert torch.allclose(level.snr, (level.alpha / level.sigma).square(), rtol=1e-10)


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_agree_with_differences(name):
    schedule, t, h = SCHEDULES[name](), torch.linspace(0.05, 0.95, 19, dtype=torch.float64), 1e-6
    slope = (schedule.log_snr(t + h) - schedule.log_snr(t - h)) / (2 * h)
    decay = (schedule.alpha(t + h).log() - schedule.alpha(t - h).log()) / (2 * h)
    growth = (schedule.sigma(t + h).square() - schedule.sigma(t - h).square()) / (2 * h)
    assert torch.allclose(schedule.dlog_snr(t), slope, rtol=1e-6)
    assert torch.allclose(schedule.drift(t), decay, rtol=1e-6, atol=1e-8)
    rate = growth - 2 * decay * schedule.sigma(t).square()  # g^2 = d sigma^2/dt - 2 f sigma^2
    assert torch.allclose(schedule.squared_diffusion(t), rate, rtol=1e-5)


@every
def test_slopes_are_those_of_forward_mode(name):
    """Schedules say their slope in closed form; the base class would differentiate: same numbers, dense at both ends."""
    schedule, t = SCHEDULES[name](), interior(98)
    t = t[t != 1e-3]  # where the learned curve begins, the slope has two sides
    assert type(schedule)._dlog_snr is not Schedule._dlog_snr
    taken = Schedule._dlog_snr(schedule, t)
    assert torch.allclose(schedule.dlog_snr(t), taken, rtol=1e-9)
    decay = torch.func.jvp(lambda u: SCALINGS[schedule.scaling](schedule._log_snr(u))[0], (t,), (torch.ones_like(t),))[1]
    assert torch.allclose(schedule.drift(t), decay, rtol=1e-6)


@pytest.mark.parametrize("make", [linear_schedule, lambda: linear_schedule(10, 0.01, 0.4)], ids=["1000", "10"])
def test_slopes_of_a_table_are_those_of_the_step_toward_the_noise(make):
    schedule = make()
    times = torch.arange(1, schedule.steps, dtype=torch.float64) / schedule.steps
    h = 1e-4 / schedule.steps
    ahead = (schedule.log_snr(times + h) - schedule.log_snr(times)) / h
    assert torch.allclose(schedule.dlog_snr(times), ahead, rtol=1e-3)
    assert torch.allclose(schedule.dlog_snr(times + h / 2), ahead, rtol=1e-6)


@every
def test_slopes_compile_and_have_gradients(name):
    schedule, t = SCHEDULES[name](), torch.tensor([0.2, 0.7], dtype=torch.float64)

    def rates(u):
        return schedule.drift(u), schedule.squared_diffusion(u)

    torch._dynamo.reset()
    compiled = torch.compile(rates, fullgraph=True, backend="aot_eager")
    for found, expected in zip(compiled(t), rates(t), strict=True):
        assert torch.allclose(found, expected, rtol=1e-12)
    traced = torch.fx.experimental.proxy_tensor.make_fx(rates)(t)
    assert torch.allclose(traced(t)[1], rates(t)[1], rtol=1e-12)


class HalfCosine(Schedule):
    """A schedule of a user who says no slope."""

    def _log_snr(self, t):
        return -2 * torch.log(torch.tan(t * 1.5))

    def _t_of_log_snr(self, log_snr):
        return torch.atan(torch.exp(-log_snr / 2)) / 1.5


def test_a_schedule_that_says_no_slope_is_differentiated():
    t = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    assert torch.allclose(HalfCosine().dlog_snr(t), -6 / torch.sin(3 * t), rtol=1e-12)
    assert torch.allclose(HalfCosine().drift(t), -1.5 * torch.tan(1.5 * t), rtol=1e-12)


@every
def test_rate_integrates_to_the_noise_of_a_step(name):
    """The variance of q(x_t | x_s) is the integral of g^2 on the way, shrunk by the signal's decay."""
    schedule = SCHEDULES[name]()
    nodes = torch.linspace(0.4, 0.6, 20_001, dtype=torch.float64)
    middle = (nodes[1:] + nodes[:-1]) / 2
    decayed = (schedule.alpha(0.6) / schedule.alpha(middle)).square()
    integral = (schedule.squared_diffusion(middle) * decayed).sum() * (nodes[1] - nodes[0])
    step = schedule.sigma(0.6).square() * -torch.expm1(schedule.log_snr(0.6) - schedule.log_snr(0.4))
    assert torch.allclose(integral, step, rtol=1e-5)


@every
@pytest.mark.parametrize("move", ["float", "half", "double"])
def test_numbers_stay_exact_when_a_model_is_cast(name, move):
    schedule = SCHEDULES[name]()
    before = schedule.level(torch.linspace(0, 1, 7, dtype=torch.float64))
    moved = getattr(schedule, move)().level(torch.linspace(0, 1, 7, dtype=torch.float64))
    tolerance = 2e-2 if name == "learned" and move == "half" else 0.0  # parameters of a model are cast with it, tables are not
    assert torch.allclose(moved.log_snr, before.log_snr, rtol=0, atol=tolerance)
    assert moved.alpha.dtype == torch.float64


@every
def test_copies_and_state(name):
    schedule, t = SCHEDULES[name](), torch.tensor([0.1, 0.9], dtype=torch.float64)
    for twin in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):
        assert torch.equal(twin.log_snr(t), schedule.log_snr(t))
    fresh = SCHEDULES[name]()
    fresh.load_state_dict(schedule.state_dict())
    assert torch.equal(fresh.log_snr(t), schedule.log_snr(t))


@every
def test_level_under_vmap_and_compile(name):
    schedule, t = SCHEDULES[name](), torch.tensor([0.2, 0.7, 1.0], dtype=torch.float64)
    expected = schedule.level(t)
    assert torch.allclose(torch.vmap(lambda u: schedule.level(u).alpha)(t), expected.alpha, rtol=1e-12)
    torch._dynamo.reset()
    compiled = torch.compile(lambda u: schedule.level(u).sigma, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(t), expected.sigma, rtol=1e-12)


@every
@given(s=st.floats(1e-6, 1.0), t=st.floats(1e-6, 1.0))
def test_a_step_never_adds_signal(name, s, t):
    """The coefficients of q(x_t | x_s) and q(x_s | x_t, x_0) are finite and of the right sign, if x_s has signal."""
    s, t = min(s, t), max(s, t)
    schedule = SCHEDULES[name]()
    near, far = schedule.level(s), schedule.level(t)
    assume(near.alpha > 0)  # nothing can be kept of a signal that is gone
    forward, back = transition_coefficients(near, far), posterior_coefficients(near, far)
    assert 0 <= forward.scale.item() <= 1 + 1e-12
    assert 0 <= forward.variance.item() <= far.sigma.item() ** 2 * (1 + 1e-12)
    assert 0 <= back.variance.item() <= near.sigma.item() ** 2 * (1 + 1e-12)
    assert 0 <= back.data.item() <= 1 + 1e-12
    assert 0 <= back.noisy.item() < torch.inf


@pytest.mark.parametrize("t", [-0.1, 1.1, torch.tensor([0.5, 2.0])])
def test_times_outside_the_unit_interval_raise(t):
    with pytest.raises(ValueError, match=r"`t` must lie in \[0, 1\]"):
        cosine_schedule().level(t)


def test_times_are_not_read_without_validation():
    torch.distributions.Distribution.set_default_validate_args(False)
    assert cosine_schedule().level(1.5).t.item() == 1.5


def test_unknown_scaling():
    with pytest.raises(ValueError, match="`scaling` must be one of"):
        Schedule("variance doubling")


def test_subclass_must_say_what_it_is():
    with pytest.raises(NotImplementedError, match="does not define `_log_snr`"):
        Schedule().log_snr(0.5)
    with pytest.raises(NotImplementedError, match="does not define `_t_of_log_snr`"):
        Schedule().t_of_log_snr(0.0)

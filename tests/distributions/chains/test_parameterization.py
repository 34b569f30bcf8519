"""All parameterizations are one denoiser in other coordinates; how errors of one become errors of another."""

import pytest
import torch

from probgen.distributions.chains import (
    GaussianDenoiser,
    NetworkDenoiser,
    TimeGrid,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
    posterior_coefficients,
    sub_variance_preserving_schedule,
)
from probgen.distributions.chains.parameterization import (
    PARAMETERIZATIONS,
    Parameterization,
    input_scale,
    mean_coefficients,
    next_times,
)

SCHEDULES = {
    "linear": lambda: linear_schedule(100),
    "cosine": cosine_schedule,
    "sub-VP": sub_variance_preserving_schedule,
    "EDM": edm_schedule,
    "flow matching": flow_matching_schedule,
}
GRID = TimeGrid(10)


def target(name, x_0, eps, level, schedule, data_std):
    """What a network is to predict, from its definition and not from the coefficients."""
    alpha, sigma = level.alpha, level.sigma
    r, d = torch.hypot(alpha, sigma), torch.hypot(alpha * data_std, sigma)
    x_t = alpha * x_0 + sigma * eps
    data, noisy, _ = posterior_coefficients(schedule.level(next_times(level.t, GRID)), level)
    return {
        "x0": x_0,
        "eps": eps,
        "score": -eps / sigma,
        "v": (alpha * eps - sigma * x_0) / r,
        "velocity": eps - x_0,
        "edm": (x_0 - alpha * data_std**2 / d**2 * x_t) * d / (sigma * data_std),
        "mean": data * x_0 + noisy * x_t,
    }[name]


def test_names_are_those_of_the_type():
    assert {*PARAMETERIZATIONS, "mean"} == set(Parameterization.__args__)


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
@pytest.mark.parametrize("name", Parameterization.__args__)
@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_the_true_target_gives_the_data(name, schedule, t):
    schedule, data_std = SCHEDULES[schedule](), 0.5
    level, (x_0, eps) = schedule.level(t), torch.randn(2, 7, dtype=torch.float64)
    skip, out = mean_coefficients(level, schedule, GRID) if name == "mean" else PARAMETERIZATIONS[name](level, data_std)
    x_t = level.alpha * x_0 + level.sigma * eps
    found = skip * x_t + out * target(name, x_0, eps, level, schedule, data_std)
    assert torch.allclose(found, x_0, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", Parameterization.__args__)
def test_networks_of_all_parameterizations_are_one_denoiser(name):
    """A network that answers the oracle's question in its own coordinates gives the oracle's posterior mean."""
    schedule, data_std = cosine_schedule(), 0.5
    oracle = GaussianDenoiser(schedule, torch.tensor([0.3, -1.0]).double(), torch.tensor(0.25).double())

    class Answer(torch.nn.Module):
        def forward(self, x, log_snr, context=None):
            level = schedule.level(schedule.t_of_log_snr(log_snr[0]))
            x_t = x * torch.hypot(level.alpha * data_std, level.sigma)
            mean = oracle.mean(x_t, level.t)
            return target(name, mean, (x_t - level.alpha * mean) / level.sigma, level, schedule, data_std)

    denoiser = NetworkDenoiser(
        Answer(), schedule, (2,), parameterization=name, data_std=data_std, grid=GRID if name == "mean" else None
    )
    x = torch.randn(5, 2, dtype=torch.float64)
    for t in (0.1, 0.5, 0.9):
        assert torch.allclose(denoiser.mean(x, t), oracle.mean(x, t), rtol=1e-6, atol=1e-7)


def test_error_amplification():
    """d x_0 / d eps = sigma / alpha is 0.01 at step 1 and 157 at step T; that of v is a rotation, never above one."""
    schedule = linear_schedule(1000)
    eps = [PARAMETERIZATIONS["eps"](schedule.level(t), 1.0)[1].item() for t in (0.001, 1.0)]
    assert eps == pytest.approx([-0.01, -157.4], rel=1e-3)
    v = PARAMETERIZATIONS["v"](schedule.level(TimeGrid(1000).times), 1.0)[1]
    assert bool((v.abs() <= 1).all())


@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_squared_errors_are_multiples_of_each_other(t):
    """|eps error|^2 = SNR |x_0 error|^2 and |v error|^2 = (SNR + 1) |x_0 error|^2."""
    level = cosine_schedule().level(t)
    error = {name: 1 / PARAMETERIZATIONS[name](level, 1.0)[1].square() for name in ("eps", "v", "x0")}
    assert torch.allclose(error["eps"], level.snr)
    assert torch.allclose(error["v"], level.snr + 1)
    assert torch.allclose(error["x0"], torch.ones(()).double())


@pytest.mark.parametrize("t", [0.1, 0.5, 1.0])
def test_edm_of_unit_data_is_minus_v(t):
    level = linear_schedule().level(t)
    for edm, v, sign in zip(PARAMETERIZATIONS["edm"](level, 1.0), PARAMETERIZATIONS["v"](level, 1.0), (1, -1), strict=True):
        assert torch.allclose(edm, sign * v)


@pytest.mark.parametrize("name", ["x0", "v", "velocity", "edm"])
def test_without_signal_left_most_are_fine(name):
    skip, out = PARAMETERIZATIONS[name](cosine_schedule(terminal_log_snr=None).level(1.0), 0.5)
    assert skip.isfinite()
    assert out.isfinite()


@pytest.mark.parametrize("name", ["eps", "score"])
def test_without_signal_left_noise_says_nothing_about_data(name):
    with pytest.raises(ValueError, match=f"the parameterization '{name}' cannot give the data where no signal is left"):
        PARAMETERIZATIONS[name](flow_matching_schedule().level(torch.tensor([0.5, 1.0])), 1.0)


def test_mean_of_the_last_step_is_the_data():
    schedule = linear_schedule(10)
    assert tuple(value.item() for value in mean_coefficients(schedule.level(0.1), schedule, GRID)) == (0.0, 1.0)


def test_next_times():
    t = torch.tensor([[0.1, 0.15], [0.2, 1.0]], dtype=torch.float64)
    assert torch.allclose(next_times(t, GRID), torch.tensor([[0.0, 0.1], [0.1, 0.9]], dtype=torch.float64))


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_inputs_have_unit_variance(schedule):
    level, data_std = SCHEDULES[schedule]().level(torch.linspace(0.01, 0.99, 5)), 0.3
    variance = input_scale(level, data_std).square() * ((level.alpha * data_std).square() + level.sigma.square())
    assert torch.allclose(variance, torch.ones(5, dtype=torch.float64))

"""The probability flow: its velocity by the chain rule, exact likelihoods, the bias of stopping early, every schedule."""

import math

import pytest
import torch

import probgen as pg
from probgen.diffusion import ProbabilityFlowField, exact_flow, probability_flow
from probgen.diffusion.samplers.levels import level_at_log_snr
from probgen.distributions import TransformedDistribution
from probgen.distributions.chains import (
    GaussianDenoiser,
    MixtureDenoiser,
    NetworkDenoiser,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
    sub_variance_preserving_schedule,
    variance_exploding_schedule,
    variance_preserving_schedule,
)
from tests.probgen.diffusion.samplers.networks import exact, oracle

SCHEDULES = {
    "variance preserving": variance_preserving_schedule(),
    "sub-variance preserving": sub_variance_preserving_schedule(),
    "variance exploding": variance_exploding_schedule(),
    "edm": edm_schedule(),
    "cosine": cosine_schedule(),
    "no signal at the end": cosine_schedule(terminal_log_snr=None),
    "flow matching": flow_matching_schedule(),
    "chain": linear_schedule(),
}
PRECISE = {"solver": "verner8", "steps": 60}


def stopped(schedule):
    """The time at which the noise is a thousandth of the signal, where a flow stops by default."""
    return float(schedule.t_of_log_snr(2 * math.log(1000.0)))


@pytest.mark.parametrize("name", SCHEDULES)
def test_value_and_log_det_of_gaussian_data(name):
    """log|dx_1/dx_0| = log(V_1 / V_0) / 2 for each coordinate, for every schedule and scaling, to 1e-10."""
    schedule = SCHEDULES[name]
    bed = oracle(torch.tensor([1 / 16, 4.0]).double(), 0.3, schedule)
    x = torch.randn(5, 2).double()
    noise, log_det = probability_flow(bed, **PRECISE).inverse_and_log_det(x)
    assert torch.allclose(noise, exact_flow(bed, x, stopped(schedule), 1.0), rtol=1e-9, atol=1e-9)
    stds = [bed.marginal(t).variance.sqrt() for t in (stopped(schedule), 1.0)]
    assert torch.allclose(log_det, (stds[1] / stds[0]).log().sum().expand(5), atol=2e-9)


def test_velocity_is_that_of_the_time_t():
    """dy/dw against dx/dt = f x - g^2 score / 2 by the chain rule, through x = r y and w = arsinh(alpha / sigma)."""
    for schedule in (variance_preserving_schedule(), sub_variance_preserving_schedule(), variance_exploding_schedule()):
        bed = oracle(torch.tensor([0.2, 3.0]).double(), 0.4, schedule)
        x, t, h = torch.tensor([[0.7, -1.1]]).double(), 0.35, 1e-5
        velocity = schedule.drift(t) * x - schedule.squared_diffusion(t) / 2 * bed(x, t).score

        def radius(t, schedule=schedule):
            return torch.hypot(schedule.alpha(t), schedule.sigma(t))

        def w(t, schedule=schedule):
            return torch.asinh(schedule.alpha(t) / schedule.sigma(t))

        rates = [(f(t + h) - f(t - h)) / (2 * h) for f in (radius, w)]
        expected = (velocity / radius(t) - x * rates[0] / radius(t) ** 2) / rates[1]
        found = ProbabilityFlowField(bed)(w(t), x / radius(t))
        assert torch.allclose(found, expected, rtol=1e-6)


def test_likelihood_of_a_mixture():
    """The law of the mixture with the noise of the stop, to 1e-6 nats: only the prior's error is left."""
    bed = MixtureDenoiser(
        cosine_schedule(),
        torch.tensor([0.2, -0.3]).double(),
        torch.tensor([[1.0], [-1.5]]).double(),
        torch.tensor([[[0.1]], [[0.3]]]).double(),
    )
    law = TransformedDistribution(bed.process.prior(), probability_flow(bed, solver="verner8", steps=30))
    x = torch.linspace(-3, 3, 13).double().unsqueeze(-1)
    truth = bed.marginal(stopped(bed.schedule)).log_prob(x)
    assert torch.allclose(law.log_prob(x), truth, atol=1e-6)
    default = TransformedDistribution(bed.process.prior(), probability_flow(bed))
    assert torch.allclose(default.log_prob(x), truth, atol=1e-4)


def test_density_has_mass_one_and_samples_follow_it():
    bed = oracle(0.09, 0.5, cosine_schedule())
    law = TransformedDistribution(bed.process.prior(), probability_flow(bed, solver="rk4", steps=40))
    x = torch.linspace(-1.5, 2.5, 801).double().unsqueeze(-1)
    assert float(torch.trapezoid(law.log_prob(x).exp(), x[:, 0])) == pytest.approx(1.0, abs=1e-5)
    z = torch.tensor([[-1.0], [2.0]]).double()
    assert torch.allclose(law.bijector(z), 0.5 + 0.3 * z, atol=1e-3)


@pytest.mark.parametrize(
    ("std", "stop", "bias"),
    [(0.25, 1e-3, 0.0), (2 / 255, 1e-3, 0.277), (2 / 255, 1e-5, 0.0001), (0.2 / 255, 1e-3, 3.03), (0.2 / 255, 1e-5, 0.250)],
)
def test_bias_of_stopping_early(std, stop, bias):
    """Bits per dimension above the entropy, in expectation over the data; the flow's own density against the closed form."""
    schedule = variance_preserving_schedule()
    bed = oracle(std**2, 0.0, schedule)
    x = std * torch.tensor([[-1.0], [1.0]]).double()  # the log-density is quadratic: two points give its expectation
    law = TransformedDistribution(bed.process.prior(), probability_flow(bed, stop=stop, **PRECISE))
    entropy = 0.5 * math.log(2 * math.pi * math.e * std**2)
    found = (float(-law.log_prob(x).mean()) - entropy) / math.log(2)
    level = schedule.level(stop)
    ratio = float(level.alpha.square() + level.sigma.square() / std**2)
    assert found == pytest.approx((math.log(ratio) + 1 / ratio - 1) / 2 / math.log(2), abs=1e-4)
    assert found == pytest.approx(bias, abs=max(6e-4, 0.002 * bias))


@pytest.mark.statistical(false_alarm=1e-9)
def test_hutchinson_is_unbiased_and_says_so():
    bed = oracle(torch.tensor([0.1, 0.5, 2.0]).double())
    exactly = probability_flow(bed, solver="rk4", steps=30)
    estimated = probability_flow(bed, solver="rk4", steps=30, divergence="hutchinson", probes=2, probe_kind="gaussian")
    assert (exactly.log_det_kind, estimated.log_det_kind) == ("exact", "unbiased")
    x = torch.randn(1, 3).double().expand(3000, 3)
    draws = estimated.inverse_log_det_jacobian(x)
    truth = exactly.inverse_log_det_jacobian(x[:1])
    assert abs(float(draws.mean() - truth)) < 6.2 * float(draws.std()) / 3000**0.5


def test_networks_float32_images_and_context():
    class Conditional(torch.nn.Module):
        context_shape = (1,)

        def forward(self, x, log_snr, context=None):
            return 0.1 * x + context.reshape(-1, 1, 1)

    denoiser = NetworkDenoiser(Conditional(), cosine_schedule(), (3, 4))
    flow = probability_flow(denoiser, solver="rk4", steps=10)
    x, context = torch.randn(5, 3, 4), torch.randn(5, 1)
    y, log_det = flow.forward_and_log_det(x, context)
    assert y.dtype == log_det.dtype == torch.float32
    back, _ = flow.inverse_and_log_det(y, context)
    assert torch.allclose(back, x, atol=1e-3)


def test_parameterizations_agree():
    x = torch.randn(4, 1).double()
    expected = probability_flow(oracle(schedule=linear_schedule()), solver="rk4", steps=20).inverse_and_log_det(x)
    for parameterization in ("eps", "x0", "v"):
        found = probability_flow(exact(parameterization=parameterization), solver="rk4", steps=20).inverse_and_log_det(x)
        assert all(torch.allclose(a, b, rtol=1e-8) for a, b in zip(found, expected, strict=True))


def test_models_have_it():
    """The line of the design: bits per dimension from the prior and the flow."""
    schedule = cosine_schedule()
    oracle_ = GaussianDenoiser(schedule, torch.zeros(4).double(), torch.tensor(0.25).double())
    d = pg.diffusion.Diffusion(oracle_, schedule, event_shape=(4,), grid=100)
    x = oracle_.data.sample((3,))
    bits = -TransformedDistribution(d.prior, d.probability_flow()).log_prob(x) / (4 * math.log(2))
    assert torch.allclose(bits, -oracle_.data.log_prob(x) / (4 * math.log(2)), atol=1e-4)


def test_one_silent_step_is_refused_and_times_are_checked():
    with pytest.raises(ValueError, match="no error estimate"):
        probability_flow(oracle(), solver="euler")
    for stop in (0.0, 1.0):
        with pytest.raises(ValueError, match="0 < `stop` < `start` <= 1 must hold"):
            probability_flow(oracle(), stop=stop)
    level = level_at_log_snr(cosine_schedule(), torch.tensor(-torch.inf).double())
    assert float(level.alpha) == 0.0

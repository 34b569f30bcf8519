"""Spreads of a denoiser: published variances as limits, bounds of a learned one, Tweedie's covariance."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions.chains import (
    Denoised,
    FittedVariance,
    GaussianDenoiser,
    LearnedVariance,
    MixtureDenoiser,
    PointMass,
    PosteriorSpread,
    TweedieCovariance,
    UnitPrior,
    cosine_schedule,
    flow_matching_schedule,
    linear_schedule,
    posterior_coefficients,
)

STEPS = 1000
SCHEDULE = linear_schedule(STEPS)
BETA = torch.linspace(1e-4, 0.02, STEPS, dtype=torch.float64)


def law_of(spread, level, raw=None, mean=None, event_dim=1):
    mean = torch.zeros(3).double() if mean is None else mean
    return spread.law(mean, level, mean, raw, lambda x: x, event_dim)


def reverse_variance(spread, step, raw=None):
    level = SCHEDULE.level(step / STEPS)
    law = law_of(spread, level, raw)
    return Denoised(law, torch.zeros(3).double(), level).reverse(SCHEDULE.level((step - 1) / STEPS)).variance


@pytest.mark.parametrize("step", [2, 10, 500, STEPS])
def test_published_variances(step):
    """kappa = 0 is the posterior variance, kappa = 1 is beta."""
    small = posterior_coefficients(SCHEDULE.level((step - 1) / STEPS), SCHEDULE.level(step / STEPS)).variance
    assert torch.allclose(reverse_variance(PointMass(), step), small.expand(3), rtol=1e-12)
    assert torch.allclose(reverse_variance(UnitPrior(), step), BETA[step - 1].expand(3), rtol=1e-9)


@pytest.mark.parametrize("step", [2, 500, STEPS])
def test_learned_variance_reaches_from_small_to_large(step):
    def at(raw):
        return reverse_variance(LearnedVariance(bound=40.0), step, torch.full((3,), raw).double())

    assert torch.allclose(at(0.0), BETA[step - 1].expand(3), rtol=1e-9)
    assert torch.allclose(at(-1e6), reverse_variance(PointMass(), step), rtol=1e-9)
    assert bool((at(-1e6) <= at(-1.0)).all())
    assert bool((at(-1.0) < at(0.0)).all())
    assert bool((at(0.0) < at(1.0)).all())


def test_learned_variance_is_bounded():
    """The prior variance stays within exp(+-bound), so a step neither collapses nor leaves the noise that there is."""
    level = cosine_schedule().level(torch.tensor([0.001, 0.5, 1.0]))
    for raw in (-1e30, 1e30):
        law = law_of(LearnedVariance(10.0), level, torch.full((3, 3), raw).double(), torch.zeros(3, 3).double())
        assert bool((law.variance <= 1 / level.snr.unsqueeze(-1)).all())
        assert bool((law.variance >= 1 / (level.snr.unsqueeze(-1) + torch.e**10.0) * (1 - 1e-12)).all())


def test_learned_variance_has_finite_gradients():
    raw = torch.tensor([-1e4, 0.0, 1e4], requires_grad=True)
    law = law_of(LearnedVariance(), flow_matching_schedule().level(1.0), raw, torch.zeros(3))
    law.log_prob(torch.ones(3)).backward()
    assert bool(raw.grad.isfinite().all())


def test_spread_of_data_without_signal_is_the_prior():
    """At zero terminal signal the posterior variance is kappa."""
    level = flow_matching_schedule().level(1.0)
    assert torch.allclose(law_of(UnitPrior(0.25), level).variance, torch.tensor(0.25).double())
    fitted = FittedVariance(torch.tensor([0.0]), torch.tensor([0.3]).log())
    assert torch.allclose(law_of(fitted, level).variance, torch.tensor(0.3).double())


@pytest.mark.parametrize("t", [0.01, 0.5, 0.99])
def test_prior_variance_of_gaussian_data(t):
    """UnitPrior(v) and FittedVariance at log v are the oracle's posterior of data of variance v, at every time."""
    oracle = GaussianDenoiser(SCHEDULE, torch.zeros(3).double(), torch.tensor(0.0625).double())
    expected = oracle(torch.zeros(3).double(), t).variance
    level = SCHEDULE.level(t)
    fitted = FittedVariance(torch.tensor([-3.0, 3.0]), torch.full((2,), 0.0625).double().log())
    assert torch.allclose(law_of(UnitPrior(0.0625), level).variance, expected, rtol=1e-10)
    assert torch.allclose(law_of(fitted, level).variance, expected, rtol=1e-10)


def test_fitted_variance_interpolates_its_logarithm():
    fitted = FittedVariance(torch.tensor([-2.0, 0.0, 4.0]), torch.tensor([0.0, 1.0, -1.0]))
    log_snr = torch.tensor([-10.0, -2.0, -1.0, 0.0, 1.0, 4.0, 9.0])
    schedule = cosine_schedule()
    law = law_of(fitted, schedule.level(schedule.t_of_log_snr(log_snr)), mean=torch.zeros(7, 1).double())
    kappa = 1 / (1 / law.variance.squeeze(-1) - log_snr.double().exp())
    assert torch.allclose(kappa.log(), torch.tensor([0.0, 0.0, 0.5, 1.0, 0.5, -1.0, -1.0]).double(), atol=1e-6)


@pytest.mark.parametrize("t", [0.2, 0.5, 0.8])
def test_tweedie_covariance_is_that_of_the_oracle(t):
    means, roots = torch.randn(3, 2).double(), 0.5 * torch.randn(3, 2, 2).double()
    covariances = roots @ roots.mT + 0.05 * torch.eye(2).double()
    oracle = MixtureDenoiser(cosine_schedule(), torch.zeros(3).double(), means, covariances)
    x, level = torch.randn(4, 2).double(), cosine_schedule().level(t)
    law = TweedieCovariance(largest=100.0).law(x, level, oracle.mean(x, t), None, lambda y: oracle.mean(y, t), 1)
    assert torch.allclose(law.variance, oracle(x, t).variance, rtol=1e-8)
    assert isinstance(law, dist.MultivariateNormal)


def test_tweedie_covariance_keeps_eigenvalues_in_range():
    """Of a mean whose Jacobian is neither symmetric nor positive, the covariance is still one."""
    matrix = torch.tensor([[-1.0, 5.0], [0.0, 3.0]]).double()
    level = cosine_schedule().level(0.5)
    x = torch.randn(2).double()
    law = TweedieCovariance().law(x, level, matrix @ x, None, lambda y: matrix @ y, 1)
    values = torch.linalg.eigvalsh(law.covariance_matrix) * level.snr
    assert bool((values > 0).all())
    assert values.max().item() <= 1.0 + 1e-9


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="`variance` must be positive"):
        UnitPrior(0.0)
    with pytest.raises(ValueError, match="`bound` must be positive; got 0"):
        LearnedVariance(0.0)
    with pytest.raises(ValueError, match="`log_snr` must be an increasing list"):
        FittedVariance(torch.tensor([1.0, 0.0]), torch.zeros(2))
    with pytest.raises(ValueError, match="`log_snr` must be an increasing list"):
        FittedVariance(torch.tensor([0.0, 1.0]), torch.zeros(3))
    with pytest.raises(ValueError, match="`raw` must be given"):
        law_of(LearnedVariance(), SCHEDULE.level(0.5))
    with pytest.raises(ValueError, match="needs vectors as events; got 2"):
        law_of(TweedieCovariance(), SCHEDULE.level(0.5), event_dim=2)
    with pytest.raises(NotImplementedError, match="PosteriorSpread does not define `law`"):
        law_of(PosteriorSpread(), SCHEDULE.level(0.5))


def test_covariance_and_oracle_under_autocast():
    """Linear algebra stays in the precision of the data, whatever the network around it runs in."""
    oracle = MixtureDenoiser(cosine_schedule(), torch.zeros(2), torch.randn(2, 2), torch.eye(2).expand(2, 2, 2) * 0.3)
    x, level = torch.randn(4, 2), cosine_schedule().level(0.3)

    def law():
        return TweedieCovariance(100.0).law(x, level, oracle.mean(x, 0.3), None, lambda y: oracle.mean(y, 0.3), 1)

    exact = law()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = law()
    assert torch.allclose(found.mean, exact.mean, atol=1e-5)
    assert torch.allclose(found.covariance_matrix, exact.covariance_matrix, atol=1e-5)


def test_tweedies_covariance_needs_signal():
    level = cosine_schedule(terminal_log_snr=None).level(1.0)
    assert level.lacks_signal
    with pytest.raises(ValueError, match="zero by zero where no signal is left"):
        TweedieCovariance().law(torch.zeros(1, 2), level, torch.zeros(1, 2), None, lambda x: x, 1)

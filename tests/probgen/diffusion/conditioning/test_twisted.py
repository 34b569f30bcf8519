"""Twisted sequential Monte Carlo: the acceptance figures, unbiased evidence, what the weights correct."""

import math

import pytest
import torch

from probgen.diffusion.conditioning import (
    ExactConditional,
    LinearObservation,
    Particles,
    TwistedMonteCarlo,
    condition,
    restoration_test_bed,
)
from probgen.distributions.chains import Denoiser, GaussianChain, MixtureDenoiser, TimeGrid, UnitPrior, cosine_schedule
from tests.probgen.diffusion.conditioning.beds import correlated, first_seen, mixture


def run(chain, seen, seed=0, **options):
    torch.manual_seed(seed)
    return TwistedMonteCarlo(chain, seen, **options).run()


@pytest.mark.parametrize("proposal", ["gradient", "conjugate"])
def test_the_plane_within_two_percent_at_four_thousand_particles(proposal):
    chain, seen, axes = restoration_test_bed()
    result = run(chain, seen, particles=4000, proposal=proposal)
    assert isinstance(result, Particles)
    x = result.x @ axes.mT
    mean = result.expectation(x)
    std = result.expectation((x - mean).square()).sqrt()
    assert abs(float(mean[1]) / 0.9 - 1) < 0.02
    assert abs(float(std[1]) / math.sqrt(0.19) - 1) < 0.02
    assert (x[:, 0] - 1).abs().max() < 1e-10
    assert abs(float(result.log_evidence) + 0.5 + math.log(2 * math.pi) / 2) < 0.02
    assert result.sample_sizes.shape == result.resampled.shape == (251,)


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize("threshold", [0.0, 0.99])
def test_the_evidence_is_unbiased_with_resampling_and_without(threshold):
    bed, runs = mixture(), 400
    chain = GaussianChain(bed, TimeGrid(12))
    seen = condition(chain, torch.tensor([0.5, math.nan]).double(), "exact").observation
    expected = float(ExactConditional(chain, seen).log_evidence().value)
    batch = LinearObservation(seen.value.expand(runs, 2), seen.operator)
    ratio = (run(chain, batch, particles=20, threshold=threshold).log_evidence - expected).exp()
    # 5.8 standard errors of the mean of unbiased estimates: finds a bias of about a tenth
    assert abs(float(ratio.mean()) - 1) < 5.8 * float(ratio.std()) / runs**0.5
    assert float(ratio.std()) > 1e-3


class Wrong(Denoiser):
    """A denoiser whose mean is right and whose spread is a guess: the twist is off, the chain is another one."""

    def __init__(self, inner):
        super().__init__(inner.schedule, inner.event_shape)
        self.inner, self.spread = inner, UnitPrior(1.0)

    def predict(self, x_t, level, context=None):
        return self.inner.predict(x_t, level)

    def posterior(self, x_t, level, context=None):
        return self.spread.law(x_t, level, self.predict(x_t, level), None, None, 1)


@pytest.mark.statistical(false_alarm=1e-8)
def test_the_weights_correct_a_wrong_twist():
    """The chain is linear and Gaussian, so its own conditional law is known: all of x_0 .. x_N are jointly normal."""
    chain = GaussianChain(Wrong(correlated().denoiser), TimeGrid(8))
    mean, std = chain_conditional(chain, 1.0)
    mask, value = first_seen()
    results = run(chain, LinearObservation(value.expand(64, 2), mask), particles=400, threshold=0.7)
    means = results.mean()[:, 1]
    assert abs(float(means.mean()) - mean) < 5.8 * float(means.std()) / 8 + 0.01
    variances = results.variance()[:, 1]
    assert abs(float(variances.mean()) - std**2) < 5.8 * float(variances.std()) / 8 + 0.01
    assert bool(results.resampled.any())


def chain_conditional(chain, value):
    """Mean and standard deviation of x_2 given x_1 in the law of the chain, by propagating its covariance."""
    covariance = torch.eye(2).double()
    for index in range(len(chain.grid), 0, -1):
        gain = torch.stack([chain.kernel(row, index).mean for row in torch.eye(2).double()]).mT
        covariance = gain @ covariance @ gain.mT + torch.diag(chain.kernel(torch.zeros(2).double(), index).variance)
    slope = covariance[0, 1] / covariance[0, 0]
    return float(slope * value), float((covariance[1, 1] - slope * covariance[0, 1]).sqrt())


def test_modes_are_weighed_by_their_evidence():
    means = torch.tensor([[-1.0, 2.0], [1.0, -2.0]]).double()
    oracle = MixtureDenoiser(cosine_schedule(), torch.zeros(2).double(), means, 0.1 * torch.eye(2).double().expand(2, 2, 2))
    mask, value = first_seen(0.05)
    chain, seen = GaussianChain(oracle, TimeGrid(40)), LinearObservation(value, mask, noise=0.2)
    result = run(chain, seen, particles=3000)
    exact = ExactConditional(chain, seen)
    assert abs(float(result.mean()[1] - exact.mean[1])) < 0.2  # the modes stand at -2 and 2
    assert abs(float(result.log_evidence - exact.log_evidence().value)) < 0.1
    torch.manual_seed(0)
    draws = TwistedMonteCarlo(chain, seen, particles=3000).sample((1000,))
    share = float((draws[:, 1] > 0).double().mean())
    assert abs(share - float((exact.sample((20_000,))[:, 1] > 0).double().mean())) < 0.1


def test_evidence_as_an_estimate_and_draws_beyond_the_particles():
    mask, value = first_seen()
    law = TwistedMonteCarlo(correlated(steps=10), LinearObservation(value, mask), particles=30)
    torch.manual_seed(0)
    estimate = law.log_evidence(runs=3)
    assert estimate.kind == "lower"
    assert 0 < float(estimate.stderr) < 0.5
    assert law.sample((50,)).shape == (50, 2)
    assert len(law.run(7).x) == 7


def test_elements_of_a_batch_are_resampled_by_themselves():
    mask, _ = first_seen()
    values = torch.tensor([[0.0, 0.0], [6.0, 0.0]]).double()  # the second is far out: its particles degenerate
    result = run(correlated(steps=10), LinearObservation(values, mask), particles=200, threshold=0.8)
    assert int(result.resampled[:, 1].sum()) >= int(result.resampled[:, 0].sum())
    torch.testing.assert_close(result.log_weights.exp().sum(0), torch.ones(2).double())
    assert (result.mean()[:, 0] - values[:, 0]).abs().max() < 1e-10

"""Completing any positions by sequential Monte Carlo: unbiased evidence, the right law in the limit, against enumeration."""

import math
import pickle

import pytest
import torch

from probgen.distributions import Autoregressive, DensityUnavailable
from probgen.distributions.autoregressive import GaussianLookAhead, LookAhead, ParticleCompletion, WeightedCompletions
from probgen.distributions.autoregressive.given import complete, observed_positions
from probgen.distributions.autoregressive.particles import run_particles
from probgen.distributions.elements import NormalElement
from tests.distributions.autoregressive.examples import Walk, binary, codes, consistent, number, two_levels

MASK = torch.tensor([[False, True, False], [False, False, True], [False, True, True]])


def posterior(p, x, mask):
    """The evidence and the law of completions by enumeration, ``[512]``."""
    states = p.enumerate_support()
    joint = p.log_prob(states).detach()
    fits = consistent(states, x, mask)
    evidence = joint[fits].logsumexp(0)
    return evidence, torch.where(fits, joint - evidence, -math.inf).exp()


def rare(p):
    """Observed pixels with a probability near 0.03: where ignoring the future is bad, and 20 000 runs still tell a bias."""
    candidates = p.enumerate_support()[::7]
    evidence = torch.stack([posterior(p, x, MASK)[0] for x in candidates])
    return candidates[(evidence + 3.5).abs().argmin()]


def ratios(p, x, mask, runs, **settings):
    """Estimates of the evidence over the evidence."""
    exact, _ = posterior(p, x, mask)
    law = p.given(x, mask, **settings)
    assert isinstance(law, ParticleCompletion)
    return (law.particles((runs,)).log_evidence - exact).exp(), law


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize(("particles", "threshold"), [(1, 0.5), (3, 0.0), (3, 1.0), (8, 0.5)])
def test_the_evidence_is_unbiased(particles, threshold):
    """20 000 runs, six standard errors: a bias of a few percent is found. Few particles, so a wrong weight would show."""
    p = binary()
    found, law = ratios(p, rare(p), MASK, 20_000, num_particles=particles, threshold=threshold)
    error = float(found.std()) / 20_000**0.5
    assert error < 0.03
    assert abs(float(found.mean()) - 1) < 6 * error
    if threshold == 1.0:
        assert law.particles((100,)).resampled.double().mean() > 1.5


@pytest.mark.statistical(false_alarm=1e-8)
def test_the_evidence_is_unbiased_with_any_look_ahead():
    """A silly twist and a good one; the silly one only costs variance."""
    p = binary()
    x = rare(p)

    def silly(level, values, params):
        assert params.shape[-2:] == (1, 1)
        return torch.sin(3 * values.sum((-1, -2)) + level)

    twists: list[LookAhead] = [silly, GaussianLookAhead(p, MASK)]
    for twist in twists:
        found, _ = ratios(p, x, MASK, 20_000, num_particles=6, look_ahead=twist)
        assert abs(float(found.mean()) - 1) < 6 * float(found.std()) / 20_000**0.5


@pytest.mark.statistical(false_alarm=1e-8)
def test_many_particles_give_the_conditional_law_and_clamping_does_not():
    """2000 draws of 100 particles each, a distance of 0.15 is found; one particle is what clamping does."""
    p = binary()
    x = rare(p)
    _, exact = posterior(p, x, MASK)
    distance = {}
    for count in (1, 100):
        draws = p.given(x, MASK, num_particles=count).sample((2000,))
        assert consistent(draws, x, MASK).all()
        distance[count] = 0.5 * (torch.bincount(number(draws), minlength=512) / 2000 - exact).abs().sum()
    assert distance[100] < 0.5 * (32 / 2000) ** 0.5 + 6 * 0.5 / 2000**0.5  # its mean is below the first term
    assert distance[1] > 0.2


def test_weighted_particles_tend_to_the_conditional_law():
    torch.manual_seed(0)
    p = binary()
    x = rare(p)
    evidence, exact = posterior(p, x, MASK)
    found = p.given(x, MASK, num_particles=30_000).particles()
    weights = torch.zeros(512, dtype=torch.float64).index_add(0, number(found.values), found.log_weights.exp())
    assert 0.5 * (weights - exact).abs().sum() < 0.03
    assert abs(found.log_evidence - evidence) < 0.05
    marginal = (exact[:, None, None] * p.enumerate_support()).sum(0)
    torch.testing.assert_close(found.mean(), marginal, atol=0.03, rtol=0)
    assert found.log_weights.exp().sum() == pytest.approx(1)
    assert 1 < found.effective_sample_size <= 30_000


@pytest.mark.statistical(false_alarm=1e-8)
def test_levels_of_several_positions_codes_and_contexts():
    """Six standard errors of 8000 runs each."""
    p = two_levels()
    x = p.sample()
    mask = torch.tensor([[True, False, True], [False, False, True], [False, True, False]])
    found, _ = ratios(p, x, mask, 8000, num_particles=4)
    assert abs(float(found.mean()) - 1) < 6 * float(found.std()) / 8000**0.5

    family = codes(context=2)
    context = torch.randn(2, 2, dtype=torch.float64)
    p, mask = family.condition(context), torch.tensor([[False, True, False, False], [True, False, False, True]])
    x = p.sample()
    law = p.given(x, mask, num_particles=4)
    states = p.enumerate_support()
    joint = p.log_prob(states)
    exact = torch.stack([joint[consistent(states[:, k], x[k], mask[k]), k].logsumexp(0) for k in range(2)])
    found = (law.particles((8000,)).log_evidence - exact).exp()
    assert found.shape == (8000, 2)
    assert ((found.mean(0) - 1).abs() < 6 * found.std(0) / 8000**0.5).all()


def test_twisted_particles_of_a_walk_know_where_it_ends():
    """The moments of a normal chain are those of the twist, so much of the variance goes."""
    torch.manual_seed(0)
    rho, length, end = 0.95, 8, 8.0
    p = Autoregressive(Walk(length, rho), (length,), NormalElement(1.0))
    mask = torch.arange(length) == length - 1
    x = torch.where(mask, end, torch.nan).double()
    variance = sum(rho ** (2 * k) for k in range(length))
    exact = torch.distributions.Normal(0.0, variance**0.5).log_prob(torch.tensor(end))
    blind = p.given(x, num_particles=16)
    guided = p.given(x, num_particles=16, look_ahead=GaussianLookAhead(p, mask, ridge=1e-3))
    spread = {law: (law.particles((2000,)).log_evidence - exact).exp() for law in (blind, guided)}
    assert spread[guided].std() < 0.6 * spread[blind].std()
    assert abs(spread[guided].mean() - 1) < 6 * spread[guided].std() / 2000**0.5
    first = sum(rho ** (2 * k) for k in range(4)) * rho**4 / variance * end  # E[x_4 | x_8]
    assert abs(guided.sample((2000,))[:, 3].mean() - first) < abs(blind.sample((2000,))[:, 3].mean() - first)


@pytest.mark.statistical(false_alarm=1e-8)
def test_the_twist_of_a_normal_chain_is_the_law_of_the_end_given_what_is_known():
    """Moments of 20 000 draws: six standard errors of a variance are 6 %, 0.03 nats; a factor of 1.3 is found."""
    torch.manual_seed(0)
    rho, length, shift = 0.9, 4, 1.0
    p = Autoregressive(Walk(length, rho, shift), (length,), NormalElement(1.0))
    twist = GaussianLookAhead(p, torch.arange(length) == length - 1, num_draws=20_000, ridge=1e-6)
    values = 2 + 0.5 * torch.randn(5, length, dtype=torch.float64)
    for level in range(length - 1):
        steps = range(length - level)
        variance, drift = sum(rho ** (2 * k) for k in steps), sum(rho**k for k in steps) * shift
        mean = drift + (rho ** len(steps) * values[:, level - 1] if level else torch.zeros(5, dtype=torch.float64))
        exact = torch.distributions.Normal(mean, variance**0.5).log_prob(values[:, -1]) + 0.5 * math.log(2 * math.pi)
        torch.testing.assert_close(twist(level, values, torch.zeros(5, 1, 1)), exact, atol=0.1, rtol=0)


def test_estimates_say_what_they_are():
    torch.manual_seed(0)
    p = binary()
    x = rare(p)
    law = p.given(x, MASK, num_particles=500)
    evidence, exact = posterior(p, x, MASK)
    found = law.log_evidence(20)
    assert found.kind == "lower"
    assert abs(found.value - evidence) < 8 * found.stderr + 1e-3
    assert law.log_evidence(1).stderr.isnan()
    states = p.enumerate_support()[exact > 0][:4]
    scored = law.log_prob_estimate(states, 20)
    assert scored.kind == "upper"
    torch.testing.assert_close(scored.value, exact[exact > 0][:4].log(), atol=0.05, rtol=0)
    assert law.log_prob_estimate(1 - x).value == -torch.inf
    with pytest.raises(DensityUnavailable, match="log_prob_estimate"):
        law.log_prob(x)


def test_impossible_observations_have_no_evidence():
    p = codes().top_k(1)  # one sequence is possible
    x = (p.sample() + 1) % 3
    law = p.given(x, torch.tensor([False, True, False, False]), num_particles=8)
    assert law.log_evidence().value == -torch.inf
    assert law.sample((2,)).shape == (2, 4)


def test_shapes_copies_and_settings():
    p = binary()
    x = torch.zeros(2, 5, 3, 3, dtype=torch.float64)
    law = complete(p, x, MASK, num_particles=4)
    assert law.batch_shape == (2, 5)
    assert law.sample((3,)).shape == (3, 2, 5, 3, 3)
    assert law.sample((0,)).shape == (0, 2, 5, 3, 3)
    assert law.expand((7, 2, 5)).log_evidence(2).value.shape == (7, 2, 5)
    assert complete(p, x[:0], MASK).sample().shape == (0, 5, 3, 3)
    assert pickle.loads(pickle.dumps(p.given(x, MASK, look_ahead=GaussianLookAhead(p, MASK)))).sample().shape == x.shape
    found = run_particles(law, 4, torch.Size([2, 5]), complete=False)
    assert isinstance(found, WeightedCompletions)
    assert repr(found) == "WeightedCompletions(4, batch_shape=(2, 5))"
    assert observed_positions(p, x, 1).sum() == 1
    with pytest.raises(ValueError, match="at least 1; got 0"):
        p.given(x, MASK, num_particles=0)
    with pytest.raises(ValueError, match=r"in \[0, 1\]; got 2"):
        p.given(x, MASK, threshold=2)
    with pytest.raises(ValueError, match="`num_runs`"):
        law.log_evidence(0)
    with pytest.raises(ValueError, match="must give finite numbers"):
        p.given(x, MASK, look_ahead=lambda level, values, params: values.sum()).sample()
    with pytest.raises(ValueError, match="no batch dimensions"):
        GaussianLookAhead(p.expand((2,)), MASK)
    with pytest.raises(ValueError, match="`ridge` positive"):
        GaussianLookAhead(p, MASK, ridge=0.0)

"""Annealed importance sampling with exact kernels, where every number is known; and with transitions that hardly move."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions.latent import (
    AnnealingPath,
    TemperedDensity,
    annealed_importance_sampling,
    effective_sample_size,
    geometric_path,
    reverse_annealed_importance_sampling,
    sigmoid_temperatures,
)

EXACT = -1.5155121234846454  # log N(1; 0, 2): z ~ N(0, 1), x ~ N(z, 1), x = 1
START = dist.Normal(torch.zeros((), dtype=torch.float64), 1.0)
POSTERIOR = dist.Normal(torch.tensor(0.5, dtype=torch.float64), 0.5**0.5)


def log_joint(z):
    return START.log_prob(z) + dist.Normal(z, 1.0).log_prob(torch.ones_like(z))


def gibbs(z, density):
    """The exact law at a temperature, N(b / (1 + b), 1 / (1 + b))."""
    b = density.temperature
    return dist.Normal(b / (1 + b), (1 + b) ** -0.5).sample(z.shape)


def stay(z, density):
    """A transition that leaves every law invariant, and mixes not at all."""
    return z


@pytest.mark.statistical(false_alarm=1e-8)
def test_exact_kernels():
    """50 000 chains of 500 steps: the log mean weight is within 1e-3 (6 standard errors), the mean log weight below it."""
    torch.manual_seed(0)
    path = geometric_path(START, log_joint, 500)
    lower = annealed_importance_sampling(path, START.sample((50_000,)), gibbs)
    assert lower.kind == "lower"
    assert abs(float(lower.value) - EXACT) < 1e-3
    assert float(lower.stderr) < 1e-3 / 6
    shorter = geometric_path(START, log_joint, 50)
    each = annealed_importance_sampling(shorter, START.sample((1, 20_000)), gibbs).value  # 20 000 targets of one chain each
    assert EXACT - 0.01 < float(each.mean()) + 6 * float(each.std()) / math.sqrt(20_000) < EXACT
    upper = reverse_annealed_importance_sampling(shorter, POSTERIOR.sample((20_000,)), gibbs)
    assert upper.kind == "upper"
    assert abs(float(upper.value) - EXACT) < 6 * float(upper.stderr)


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize("transition", [gibbs, stay])
def test_bounds_hold_however_badly_chains_mix(transition):
    """Five steps, one chain, 20 000 times: means lie on their sides of the exact value by at least 6 standard errors."""
    torch.manual_seed(0)
    path = geometric_path(START, log_joint, 5)
    lower = annealed_importance_sampling(path, START.sample((1, 20_000)), transition).value
    upper = reverse_annealed_importance_sampling(path, POSTERIOR.sample((1, 20_000)), transition).value
    assert float(lower.mean()) + 6 * float(lower.std()) / math.sqrt(20_000) < EXACT
    assert float(upper.mean()) - 6 * float(upper.std()) / math.sqrt(20_000) > EXACT


@pytest.mark.statistical(false_alarm=1e-8)
def test_weights_are_unbiased():
    """E[w] = Z forward, E[1 / w] = 1 / Z in reverse: within 6 standard errors of about 1 %."""
    torch.manual_seed(0)
    path = geometric_path(START, log_joint, 3)
    forward = (annealed_importance_sampling(path, START.sample((1, 40_000)), gibbs).value - EXACT).exp()
    reverse = (EXACT - reverse_annealed_importance_sampling(path, POSTERIOR.sample((1, 40_000)), gibbs).value).exp()
    for relative in (forward, reverse):
        error = float(relative.std()) / math.sqrt(40_000)
        assert abs(float(relative.mean()) - 1) < 6 * error
        assert error < 0.01


def test_a_chain_that_stays_is_importance_sampling():
    """The increments telescope to the whole ratio."""
    z = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    estimate = annealed_importance_sampling(geometric_path(START, log_joint, 9), z, stay)
    weights = log_joint(z) - START.log_prob(z)
    torch.testing.assert_close(estimate.value, weights.logsumexp(0) - math.log(7))
    assert estimate.stderr.shape == (3,)


def test_transitions_visit_the_inner_temperatures_in_order():
    visited = []

    def record(z, density):
        assert isinstance(density, TemperedDensity)
        visited.append((density.index, round(float(density.temperature), 6)))
        return z

    path = geometric_path(START, log_joint, torch.tensor([0.0, 0.1, 0.4, 1.0]))
    annealed_importance_sampling(path, torch.zeros(2, 1), record)
    reverse_annealed_importance_sampling(path, torch.zeros(2, 1), record)
    assert visited == [(1, 0.1), (2, 0.4), (2, 0.4), (1, 0.1)]
    torch.testing.assert_close(path.at(3).log_prob(torch.zeros(())), log_joint(torch.zeros(())))
    torch.testing.assert_close(path.at(0).log_prob(torch.ones(())), START.log_prob(torch.ones(())), check_dtype=False)


def test_no_data():
    estimate = annealed_importance_sampling(geometric_path(START, log_joint, 3), torch.zeros(4, 0), gibbs)
    assert estimate.value.shape == estimate.stderr.shape == (0,)


def test_temperatures_crowd_at_the_ends():
    t = sigmoid_temperatures(10)
    steps = torch.diff(t)
    assert float(t[0]) == 0.0
    assert float(t[-1]) == 1.0
    torch.testing.assert_close(steps, steps.flip(0))
    assert (torch.diff(steps[:5]) > 0).all()
    torch.testing.assert_close(sigmoid_temperatures(4, 1e-4), torch.linspace(0, 1, 5).double())


def test_effective_sample_size():
    weights = torch.tensor([0.5, 1.0, 2.0])
    found = effective_sample_size(weights.log() + 500)  # a constant does not matter
    torch.testing.assert_close(found, weights.sum() ** 2 / weights.square().sum(), rtol=1e-4, atol=0)  # 500 costs digits
    assert effective_sample_size(torch.zeros(8, 0)).shape == (0,)
    never, once = torch.full((3,), -torch.inf), torch.tensor([-torch.inf, 0.0, -torch.inf])
    assert effective_sample_size(torch.stack([never, once], 1)).tolist() == [0.0, 1.0]


def test_misuse():
    path = geometric_path(START, log_joint, 2)
    with pytest.raises(ValueError, match="at least one draw"):
        annealed_importance_sampling(path, torch.zeros(0), stay)
    with pytest.raises(ValueError, match="`temperatures` must be a row"):
        AnnealingPath(lambda z: (z, z), torch.zeros(1))
    with pytest.raises(ValueError, match="`temperatures` must be a row"):
        geometric_path(START, log_joint, 0)
    with pytest.raises(ValueError, match="`num_steps` must be at least 1"):
        sigmoid_temperatures(0)
    with pytest.raises(ValueError, match="`steepness` positive"):
        sigmoid_temperatures(3, 0.0)

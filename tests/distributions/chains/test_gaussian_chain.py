"""The chain of an exact denoiser is the exact model; the bounds of inexact ones are what closed forms say."""

import math

import pyro
import pytest
import torch
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch.distributions import kl_divergence

from probgen.distributions import GaussianChain
from probgen.distributions.chains import (
    Denoised,
    GaussianDenoiser,
    MixtureDenoiser,
    NetworkDenoiser,
    NormalDecoder,
    PointMass,
    TimeGrid,
    UnitPrior,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
    sub_variance_preserving_schedule,
)
from tests.cases.networks import TinyDenoisingNetwork

SCHEDULES = {
    "linear": lambda: linear_schedule(20, 0.01, 0.4),
    "cosine": cosine_schedule,
    "sub-VP": sub_variance_preserving_schedule,
    "EDM": lambda: edm_schedule(5.0, 2.0),
    "flow matching": flow_matching_schedule,
}
GRIDS = [TimeGrid(20), TimeGrid(20).respaced(6, "quadratic"), TimeGrid([0.0, 0.4, 1.0]), TimeGrid([0.0, 0.7])]


def gaussian(schedule):
    return GaussianDenoiser(schedule, torch.tensor([1.0, -0.5]).double(), torch.tensor([0.0625, 4.0]).double())


def mixture(schedule):
    means = torch.tensor([[-1.0, 0.3], [1.5, -1.0]]).double()
    roots = torch.tensor([[[0.4, 0.0], [0.3, 0.5]], [[0.6, 0.0], [0.0, 0.2]]]).double()
    return MixtureDenoiser(schedule, torch.tensor([0.2, -0.5]).double(), means, roots @ roots.mT)


def exact_chain(oracle, grid):
    return GaussianChain(oracle, grid, prior=oracle.marginal(grid.time(-1)))


every_schedule = pytest.mark.parametrize("name", sorted(SCHEDULES))
every_bed = pytest.mark.parametrize("make", [gaussian, mixture])


@every_schedule
@every_bed
@pytest.mark.parametrize("grid", GRIDS, ids=repr)
def test_exact_chain_is_the_law_of_data_and_path(name, make, grid):
    """log p(x_{0:N}) = log p(x_0) + log q(x_{1:N} | x_0) at every path, so the log-ratio is constant: 1e-12 a dimension."""
    oracle = make(SCHEDULES[name]())
    chain, x_0 = exact_chain(oracle, grid), oracle.data.sample((5,))
    path = chain.posterior(x_0).sample()
    joint = chain.log_prob(torch.cat([x_0.unsqueeze(1), path], 1))
    difference = joint - chain.posterior(x_0).log_prob(path) - oracle.data.log_prob(x_0)
    assert difference.abs().max().item() < 1e-11 * max(1, 2 * len(grid))


@every_bed
@pytest.mark.parametrize("seed", range(3))
def test_trace_elbo_is_constant_at_the_exact_model(make, seed):
    """The best unit test there is: every draw of the guide gives -log p(x_0), whatever the seed."""
    oracle = make(linear_schedule(20, 0.01, 0.4))
    chain, x_0 = exact_chain(oracle, TimeGrid(20)), oracle.data.sample((3,))
    pyro.set_rng_seed(seed)
    for guide in (chain.guide, chain.forward_guide):
        loss = Trace_ELBO().loss(chain.model, guide, x_0)
        assert abs(loss + oracle.data.log_prob(x_0).sum().item()) < 1e-12 * x_0.numel() * 20


def inexact(schedule=None):
    network = TinyDenoisingNetwork(2).double()
    schedule = linear_schedule(8, 0.05, 0.4) if schedule is None else schedule
    denoiser = NetworkDenoiser(network, schedule, (2,), parameterization="eps", spread=UnitPrior(0.5))
    return GaussianChain(denoiser, TimeGrid(8))


@pytest.mark.parametrize("schedule", [linear_schedule(8, 0.05, 0.4), edm_schedule(3.0, 2.0)], ids=["VP", "VE"])
def test_mean_field_elbo_is_the_sum_of_the_published_terms(schedule):
    """On the same draws: L_T + sum L_{t-1} + L_0 by hand, every divergence in closed form (also of a wider prior)."""
    chain, x_0 = inexact(schedule), torch.randn(3, 2, dtype=torch.float64)
    pyro.set_rng_seed(1)
    loss = TraceMeanField_ELBO().loss(chain.model, chain.guide, x_0)
    pyro.set_rng_seed(1)
    sites = pyro.poutine.trace(chain.guide).get_trace(x_0).nodes
    x = {index: sites[f"x_{index}"]["value"] for index in range(1, 9)}
    process, grid = chain.process, chain.grid
    total = kl_divergence(process.marginal(x_0, 1.0), chain.prior.like(x_0)).sum()
    for index in range(2, 9):
        truth = process.posterior(x[index], x_0, grid.time(index - 1), grid.time(index))
        total = total + kl_divergence(truth, chain.kernel(x[index], index)).sum()
    total = total - chain.kernel(x[1], 1).log_prob(x_0).sum()
    assert loss == pytest.approx(total.item(), abs=1e-10)


def test_trace_elbo_is_the_log_ratio_of_the_draws():
    chain, x_0 = inexact(), torch.randn(3, 2, dtype=torch.float64)
    pyro.set_rng_seed(1)
    loss = Trace_ELBO().loss(chain.model, chain.forward_guide, x_0)
    pyro.set_rng_seed(1)
    sites = pyro.poutine.trace(chain.forward_guide).get_trace(x_0).nodes
    path = torch.stack([sites[f"x_{index}"]["value"] for index in range(1, 9)], 1)
    ratio = chain.posterior(x_0).log_prob(path) - chain.log_prob(torch.cat([x_0.unsqueeze(1), path], 1))
    assert loss == pytest.approx(ratio.sum().item(), abs=1e-10)


@pytest.mark.filterwarnings("ignore:Failed to verify mean field restriction")  # all that Pyro says, while validating
@pytest.mark.parametrize("validate", [True, False])
def test_forward_guide_is_refused_where_it_would_be_wrong(validate):
    """Site by site the forward guide conditions on other states than the model: a silently wrong number elsewhere."""
    pyro.enable_validation(validate)
    chain, x_0 = inexact(), torch.randn(3, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match="this guide draws forward in time"):
        TraceMeanField_ELBO().loss(chain.model, chain.forward_guide, x_0)


@pytest.mark.statistical(false_alarm=1e-9)
def test_both_guides_give_one_bound():
    """6000 draws each: a difference of 6.1 standard errors of the mean is seen."""
    chain, count = inexact(), 6000
    x_0 = torch.tensor([[0.3, -0.6]], dtype=torch.float64).expand(count, 2)
    with torch.no_grad():
        path = chain.posterior(x_0).sample()
        naive = chain.posterior(x_0).log_prob(path) - chain.log_prob(torch.cat([x_0.unsqueeze(1), path], 1))
        analytic = TraceMeanField_ELBO().loss(chain.model, chain.guide, x_0) / count
    spread = naive.std().item() * math.sqrt(2 / count)
    assert abs(naive.mean().item() - analytic) < 6.1 * spread


# --------------------------------------------------------------------------------------------------------- variances of a step


def step_variances(spread, v):
    """Reverse variances at steps 1 .. 1000 of the published chain, for Gaussian data of variance v; exact if spread is None."""
    schedule, t = linear_schedule(1000), TimeGrid(1000).times
    oracle = GaussianDenoiser(schedule, torch.zeros(1).double(), torch.tensor(v).double())

    def law(times):
        x, level = torch.zeros(len(times), 1).double(), schedule.level(times)
        found = oracle(x, times).law if spread is None else spread.law(x, level, x, None, lambda y: y, 1)
        return Denoised(found, x, level)

    kernels = law(t[2:]).reverse(schedule.level(t[1:-1]))
    return torch.cat([law(t[1:2]).variance, kernels.variance]).squeeze(-1)


@pytest.mark.parametrize(
    ("v", "small", "clipped", "large"),
    [(1 / 16, 0.798, 0.171, 0.0075), (1 / 4, 0.822, 0.165, 0.0016), (1.0, 0.835, 0.164, 0.0), (4.0, 0.842, 0.165, 0.0012)],
)
def test_gap_of_the_published_variances(v, small, clipped, large):
    """What the bound of the posterior mean loses to a wrong variance, bits/dim: sum of (r - 1 - log r) / 2."""
    exact = step_variances(None, v)

    def gap(variances):
        ratio = exact / variances
        return (ratio - 1 - ratio.log()).sum().item() / 2 / math.log(2)

    fixed_small, fixed_large = step_variances(PointMass(), v), step_variances(UnitPrior(), v)
    second = fixed_small[1]
    assert gap(torch.cat([second[None], fixed_small[1:]])) == pytest.approx(small, abs=6e-4)
    assert gap(torch.cat([second[None], fixed_large[1:]])) == pytest.approx(clipped, abs=6e-4)
    assert gap(fixed_large) == pytest.approx(large, abs=6e-5)
    assert gap(step_variances(UnitPrior(v), v)) == pytest.approx(0.0, abs=1e-12)


def generated_std(steps, spread):
    """Standard deviation of what a chain generates, relative to the data's 0.25: moments carried through the kernels."""
    schedule = linear_schedule(1000)
    oracle = GaussianDenoiser(schedule, torch.zeros(1).double(), torch.tensor(0.0625).double())
    variance, x = torch.ones(()).double(), torch.tensor([[0.0], [1.0]]).double()
    for t, s in TimeGrid(1000).respaced(steps):
        mean = oracle.mean(x, t)
        law = oracle(x, t).law if spread is None else spread.law(x, schedule.level(t), mean, None, lambda y: y, 1)
        kernel = law if s == 0.0 else Denoised(law, x, schedule.level(t)).reverse(schedule.level(s))
        slope, added = kernel.mean[1] - kernel.mean[0], kernel.variance[0]
        if s == 0.0 and spread is not None:
            added = added * 0  # the published samplers show the mean of the last step
        variance = slope.square() * variance + added
    return (variance.sqrt() / 0.25).item()


@pytest.mark.parametrize(
    ("steps", "small", "large"),
    [
        (10, 0.529, 0.865),
        (20, 0.686, 1.046),
        (50, 0.823, 1.052),
        (100, 0.893, 1.032),
        pytest.param(1000, 0.985, 1.004, marks=pytest.mark.slow),
    ],
)
def test_spread_of_what_is_generated(steps, small, large):
    """The analytic variance gives the data's at every number of steps; the published fixed ones do not."""
    assert generated_std(steps, None) == pytest.approx(1.0, abs=5e-6)
    assert generated_std(steps, PointMass()) == pytest.approx(small, abs=6e-4)
    assert generated_std(steps, UnitPrior()) == pytest.approx(large, abs=6e-4)


@pytest.mark.parametrize("steps", [1, 2, 10])
def test_generation_from_the_exact_prior_is_exact(steps):
    """From the true q_T the exact kernels give the data to 1e-12, also in one step and with zero terminal signal."""
    oracle = gaussian(flow_matching_schedule())
    mean, variance = oracle.marginal(1.0).mean, oracle.marginal(1.0).variance
    chain = exact_chain(oracle, TimeGrid(steps))
    for index in range(steps, 0, -1):
        kernel = chain.kernel(mean, index)
        slope = chain.kernel(mean + 1, index).mean - kernel.mean
        mean, variance = kernel.mean, slope.square() * variance + kernel.variance
    assert torch.allclose(mean, oracle.data.mean, atol=1e-12)
    assert torch.allclose(variance, oracle.data.variance, rtol=1e-12)


def test_network_that_predicts_noise_cannot_start_without_signal():
    denoiser = NetworkDenoiser(TinyDenoisingNetwork(2), flow_matching_schedule(), (2,), parameterization="eps")
    with pytest.raises(ValueError, match="cannot give the data where no signal is left"):
        GaussianChain(denoiser, TimeGrid(4)).sample()
    velocity = NetworkDenoiser(TinyDenoisingNetwork(2), flow_matching_schedule(), (2,), parameterization="velocity")
    chain = GaussianChain(velocity, TimeGrid(4), decoder=NormalDecoder())
    assert bool(chain.log_prob(chain.sample((3,))).isfinite().all())

"""Every spread gives its variance; exact posteriors give exact samples in any number of steps."""

import pytest
import torch

from probgen.diffusion.audit import affine_law
from probgen.diffusion.samplers import ancestral, ddim
from probgen.diffusion.samplers.ancestral_sampling import KernelStep, LastStep
from probgen.diffusion.samplers.steps import LinearStep
from probgen.distributions.chains import (
    FittedVariance,
    GaussianChain,
    LearnedVariance,
    MixtureDenoiser,
    NormalDecoder,
    PointMass,
    TimeGrid,
    TweedieCovariance,
    UnitPrior,
    linear_schedule,
)
from tests.probgen.diffusion.samplers.networks import exact, oracle

STEPS = (10, 20, 50, 100, 1000)


def ratios(denoiser, last, steps=STEPS):
    bed, grid = oracle(schedule=linear_schedule()), TimeGrid(1000)
    samplers = [ancestral(denoiser, grid.respaced(n), last=last) for n in steps]
    return [float(affine_law(sampler, bed).std) / 0.25 for sampler in samplers]


@pytest.mark.parametrize(
    ("spread", "expected"),
    [(PointMass(), (0.529, 0.686, 0.823, 0.893, 0.985)), (UnitPrior(), (0.865, 1.046, 1.052, 1.032, 1.004))],
    ids=["fixed small", "fixed large"],
)
def test_spread_of_samples_at_few_steps(spread, expected):
    assert [round(ratio, 3) for ratio in ratios(exact(spread=spread), "mean")] == list(expected)


@pytest.mark.parametrize(
    "spread",
    [
        UnitPrior(1 / 16),
        FittedVariance(torch.tensor([-9.0, 9.0]).double(), torch.tensor(1 / 16).double().log().expand(2)),
        None,
    ],
    ids=["prior of the data", "fitted", "posterior of the oracle"],
)
def test_analytic_variance_is_exact_at_every_number_of_steps(spread):
    denoiser = oracle(schedule=linear_schedule()) if spread is None else exact(spread=spread)
    for ratio in ratios(denoiser, "sample", STEPS[:4]):
        assert ratio == pytest.approx(1.0, abs=1e-9)


def test_tweedie_covariance_is_analytic():
    denoiser = exact(spread=TweedieCovariance())
    assert ratios(denoiser, "sample", (10,))[0] == pytest.approx(1.0, abs=1e-6)


def test_fast_path_equals_the_laws():
    """The same draw of noise through the linear step and through the distribution of the kernel."""
    noise = torch.randn(5, 1).double()
    for spread in (PointMass(), UnitPrior(0.3)):
        denoiser = exact(spread=spread)
        fast = ancestral(denoiser, grid := TimeGrid(1000).respaced(8), last="sample")
        assert all(isinstance(step, LinearStep) for step in fast.steps)
        levels = [denoiser.schedule.level(t) for t in grid.reversed_times]
        x = torch.randn(5, 1).double()
        seen = []
        fast(x, noise=lambda like: noise, callback=lambda progress, seen=seen: seen.append(progress.x))
        for t, s, y in zip(levels[:-1], levels[1:], seen, strict=True):
            denoised = denoiser(x, t.t)
            law = denoised.reverse(s) if float(s.sigma) else denoised.law
            assert torch.allclose(y, law.mean + law.variance.sqrt() * noise, rtol=1e-9, atol=1e-12)
            x = y


def test_other_laws_go_through_the_kernel():
    mixture = MixtureDenoiser(
        linear_schedule(), torch.zeros(2), torch.tensor([[-1.0], [1.0]]), 0.01 * torch.eye(1).expand(2, 1, 1)
    )
    steps = ancestral(mixture, TimeGrid(4)).steps
    assert all(isinstance(step, KernelStep) for step in steps)
    learned = exact(spread=LearnedVariance())
    assert all(isinstance(step, KernelStep) for step in ancestral(learned, TimeGrid(4)).steps)


@pytest.mark.statistical(false_alarm=1e-9)
def test_mixture_is_sampled_exactly_in_three_steps():
    """Weights 0.8 and 0.2, far apart: the share of the first within 6.2 s.e.; a share off by 0.02 would be seen."""
    weights = torch.tensor([0.8, 0.2]).double()
    means, covariances = torch.tensor([[2.0], [-2.0]]).double(), 0.04 * torch.eye(1).double().expand(2, 1, 1)
    bed = MixtureDenoiser(linear_schedule(), weights.log(), means, covariances)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 1, generator=generator).double()
    y = ancestral(bed, TimeGrid(1000).respaced(3), last="sample")(x, generator=generator)
    share = (y > 0).double().mean()
    assert abs(share - 0.8) < 6.2 * (0.16 / 20_000) ** 0.5
    assert abs(y[y > 0].std() - 0.2) < 6.2 * 0.2 / (2 * 15_500) ** 0.5


def test_last_step_is_a_choice():
    denoiser, x = exact(spread=UnitPrior()), torch.zeros(2000, 1).double()
    grid = TimeGrid([0.0, 0.02])
    generator = torch.Generator().manual_seed(0)
    mean = ancestral(denoiser, grid)(x, generator=generator)
    assert torch.equal(mean, denoiser.mean(x, 0.02))
    drawn = ancestral(denoiser, grid, last="sample")(x, generator=generator)
    assert float(drawn.std()) == pytest.approx(float(denoiser(x[:1], 0.02).variance) ** 0.5, rel=0.1)
    last: LastStep = NormalDecoder(3.0)
    assert float(ancestral(denoiser, grid, last=last)(x, generator=generator).std()) == pytest.approx(3.0, rel=0.1)
    with pytest.raises(ValueError, match="`last` must be 'mean', 'sample' or a decoder; got 'noise'"):
        ancestral(denoiser, grid, last="noise")


def test_paths_are_values_of_the_chain():
    """The path's density under the chain is that of its Gaussian increments: the states are in the chain's own order."""
    bed, grid = oracle(0.25, schedule=linear_schedule(20)), TimeGrid(20)
    x = torch.randn(6, 1).double()
    path = ancestral(bed, grid, last="sample").path(x)
    assert torch.equal(path.states[:, -1], x)
    chain = GaussianChain(bed, grid)
    assert chain.log_prob(path.states).mean() > chain.log_prob(path.states.flip(1)).mean() + 5
    assert torch.allclose(path.means[:, 0], bed.mean(path.states[:, 1], float(grid.times[1])))


def test_same_generator_same_sample():
    sampler, x = ancestral(exact(), TimeGrid(1000).respaced(6)), torch.ones(3, 1)
    first, second = (sampler(x, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, sampler(x, generator=torch.Generator().manual_seed(2)))
    assert torch.equal(ddim(exact(), sampler.grid, eta=1.0)(x, generator=torch.Generator().manual_seed(1)), first)

"""Langevin steps: the invariant law, norms of each sample by itself, what is counted and refused."""

import pytest
import torch

from probgen.diffusion.audit import affine_law
from probgen.diffusion.samplers import ancestral, annealed_langevin, predictor_corrector
from probgen.diffusion.samplers.langevin_dynamics import CorrectorStep, Predictor
from probgen.diffusion.samplers.steps import Run, State
from probgen.distributions.chains import GaussianDenoiser, TimeGrid, variance_exploding_schedule, variance_preserving_schedule
from tests.probgen.diffusion.samplers.networks import exact, oracle


def test_langevin_keeps_the_marginal_up_to_its_step_size():
    """One level, many steps: the stationary variance of x' = (1 - c) x + sqrt(r) sigma z is r sigma^2 / (1 - (1 - c)^2)."""
    bed = oracle(0.25, schedule=variance_exploding_schedule())
    grid, r = TimeGrid([0.5, 0.6]), 0.2
    law = affine_law(annealed_langevin(bed, grid, steps_per_level=300, step_size=r), bed)
    sigma2 = float(bed.schedule.sigma(0.6)) ** 2
    total = 0.25 + sigma2
    c = r / 2 * sigma2 / total
    assert float(law.std) ** 2 == pytest.approx(r * sigma2 / (1 - (1 - c) ** 2), rel=1e-6)
    assert float(law.std) ** 2 == pytest.approx(total, rel=0.06)


def test_annealing_reaches_the_data():
    bed = oracle(0.25, 0.5, schedule=variance_exploding_schedule())
    law = affine_law(annealed_langevin(bed, TimeGrid.log_snr(bed.schedule, 12), steps_per_level=150), bed)
    assert float(law.std) / 0.5 == pytest.approx(1.0, abs=0.06)  # finite steps leave 4 %
    assert float(law.mean) == pytest.approx(0.5, abs=1e-3)


def test_denoising_at_the_end_is_a_choice():
    bed, x = oracle(0.25), torch.ones(2, 1).double()
    z = torch.zeros(2, 1).double()
    grid = TimeGrid([0.0, 0.3])
    noisy = annealed_langevin(bed, grid, steps_per_level=1, denoise=False)(x, noise=lambda like: z)
    clean = annealed_langevin(bed, grid, steps_per_level=1)(x, noise=lambda like: z)
    assert torch.allclose(clean, bed.mean(noisy, 0.3))


@pytest.mark.parametrize("predictor", ["ancestral", "euler_maruyama", "ddim"])
def test_a_sample_does_not_depend_on_its_batch(predictor: Predictor):
    """Norms over the batch would couple the first sample to its neighbor, a thousand times larger here."""
    bed = GaussianDenoiser(variance_preserving_schedule(), torch.zeros(4).double(), torch.tensor(0.25).double())
    sampler = predictor_corrector(bed, TimeGrid(10), predictor=predictor)
    x = torch.randn(2, 4).double()
    z = torch.randn(2, 4).double()
    both = sampler(x * torch.tensor([[1.0], [1000.0]]), noise=lambda like: z[: len(like)])
    alone = sampler(x[:1], noise=lambda like: z[: len(like)])
    assert torch.allclose(both[:1], alone, rtol=1e-12)


def test_corrector_has_the_size_of_the_paper():
    bed = GaussianDenoiser(variance_preserving_schedule(), torch.zeros(4).double(), torch.tensor(0.25).double())
    level = bed.schedule.level(0.4)
    alpha, sigma = float(level.alpha), float(level.sigma)
    step = CorrectorStep(level, 1 / sigma, -alpha / sigma, sigma, 0.16)
    x, z = torch.randn(3, 4).double(), torch.randn(3, 4).double()
    score = bed(x, 0.4).score
    size = 2 * (0.16 * z.norm(dim=-1, keepdim=True) / score.norm(dim=-1, keepdim=True)) ** 2
    found = step(State(x), Run(bed, noise=lambda like: z)).x
    assert torch.allclose(found, x + size * score + torch.sqrt(2 * size) * z, rtol=1e-10)


@pytest.mark.statistical(false_alarm=1e-9)
def test_correctors_help_a_coarse_predictor():
    """20 steps with the smaller variance make 83 % of the spread; the spread of 32 000 numbers is known to 2.5 % (6.2 s.e.)."""
    denoiser = exact(schedule=variance_preserving_schedule(), event_shape=(16,))
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2000, 16, generator=generator).double()
    grid = TimeGrid.log_snr(denoiser.schedule, 20, stop=0.01, end_at_data=False)
    level = denoiser.schedule.level(0.01)
    truth = float(level.alpha.square() / 16 + level.sigma.square()) ** 0.5

    def ratio(sampler):
        return float(sampler(x, generator=generator).std()) / truth

    assert ratio(ancestral(denoiser, grid)) < 0.86
    assert 0.84 < ratio(predictor_corrector(denoiser, grid, signal_to_noise=0.1)) < 0.92
    assert 0.92 < ratio(predictor_corrector(denoiser, grid, corrections=4, signal_to_noise=0.1)) < 0.99


def test_settings_are_checked():
    with pytest.raises(ValueError, match="`predictor` must be one of"):
        predictor_corrector(oracle(), TimeGrid(4), predictor="none")
    with pytest.raises(ValueError, match=r"must be positive; got 0 and 0\.16"):
        predictor_corrector(oracle(), TimeGrid(4), corrections=0)
    with pytest.raises(ValueError, match=r"got 10 and 3\.0"):
        annealed_langevin(oracle(), TimeGrid(4), step_size=3.0)

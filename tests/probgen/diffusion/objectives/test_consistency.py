"""Consistency: zero loss at the exact flow map, training and distillation, sampling in one and more jumps."""

import math

import pytest
import torch

import probgen as pg
from probgen.diffusion.objectives import ConsistencyLoss, ConsistencySampler
from probgen.distributions.chains import Denoiser, GaussianDenoiser
from probgen.infer import Annealed

SCHEDULE = pg.diffusion.edm_schedule()
ORACLE = GaussianDenoiser(SCHEDULE, torch.zeros(1).double(), torch.tensor(0.25).double())


class ExactFlow(Denoiser):
    """The probability flow's map of Gaussian data to t = 0, times a power of its gain."""

    def __init__(self, power=1.0):
        super().__init__(SCHEDULE, (1,))
        self.power = torch.nn.Parameter(torch.tensor(power).double())

    def predict(self, x_t, level, context=None):
        gain = (0.25 / (0.25 * level.alpha**2 + level.sigma**2)).sqrt()
        return gain.unsqueeze(-1) ** self.power * x_t if gain.dim() else gain**self.power * x_t

    def coefficients(self, level):
        return torch.zeros_like(level.t), torch.ones_like(level.t)


def model(denoiser):
    return pg.diffusion.Diffusion(denoiser, SCHEDULE, (1,), 10)


def loss_of(denoiser, teacher=None, **options):
    """Past the check of the parameterization, which an exact map does not need."""
    network = pg.diffusion.Diffusion(torch.nn.Identity(), SCHEDULE, (1,), 10, parameterization="edm")
    loss = ConsistencyLoss(network, teacher, **options)
    loss.diffusion = model(denoiser)
    return loss


def test_distillation_is_zero_at_the_exact_map_only():
    x = ORACLE.data.sample((500,))
    values = {}
    for name, denoiser in {"exact": ExactFlow(), "mean": ORACLE, "slow": ExactFlow(0.8)}.items():
        torch.manual_seed(0)
        values[name] = float(loss_of(denoiser, ORACLE, intervals=200)(x).detach())
    assert values["exact"] < 0.02 * values["mean"]
    assert values["exact"] < 0.02 * values["slow"]


def test_training_finds_the_flow_without_a_teacher():
    # one parameter, from the posterior mean's gain (power 2) to the flow's (power 1)
    torch.manual_seed(0)
    denoiser = ExactFlow(2.0)
    loss = loss_of(denoiser, intervals=80)
    optimizer = torch.optim.Adam([denoiser.power], lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        loss(ORACLE.data.sample((500,))).backward()
        optimizer.step()
    assert abs(denoiser.power - 1) < 0.15


def test_intervals_follow_an_annealed_value():
    rising = Annealed(2.0, 4.0, steps=1)
    d = pg.diffusion.Diffusion(torch.nn.Identity(), SCHEDULE, (1,), 10, parameterization="edm")
    loss = d.consistency_loss(intervals=rising)
    t = SCHEDULE.t_of_log_snr(-2 * torch.tensor([0.0021, 1.0, 79.0]).double().log())
    lower, upper, first = loss._pairs(t)
    assert first.tolist() == [1, 1, 0]
    assert torch.allclose(lower[:2], torch.full((2,), 0.002).double())
    assert torch.allclose(upper[2], torch.tensor(80.0).double())
    rising.advance()
    assert loss._pairs(t)[2].tolist() == [1, 0, 0]


def test_the_teacher_is_frozen_and_kept():
    network = pg.nn.DenoisingMLP(1, hidden=(8,))
    d = pg.diffusion.Diffusion(network, SCHEDULE, (1,), 10, parameterization="edm")
    loss = d.consistency_loss(d.denoiser)
    loss(torch.randn(8, 1)).backward()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in loss.teacher.parameters())
    assert all(parameter.requires_grad for parameter in d.parameters())
    assert not loss.teacher.training


@pytest.mark.statistical(false_alarm=1e-8)
def test_jumps_of_the_exact_map_keep_the_law_of_the_data():
    # standard deviation 0.5 to 6 standard errors (0.011); the posterior mean would give 0.003
    for times in ((1.0,), (1.0, 0.5), (1.0, 0.7, 0.3)):
        x = ConsistencySampler(ExactFlow(), times)(80.0 * torch.randn(40_000, 1).double())
        assert abs(x.std() - 0.5) < 0.011
        assert abs(x.mean()) < 6 * 0.5 / math.sqrt(40_000)


def test_the_sampler_reproduces_with_a_generator_and_draws_nothing_for_one_jump():
    sampler, x = ConsistencySampler(ORACLE, (1.0, 0.5)), torch.randn(5, 1).double()
    draws = [sampler(x, generator=torch.Generator().manual_seed(0)) for _ in range(2)]
    assert torch.equal(*draws)
    state = torch.get_rng_state()
    ConsistencySampler(ORACLE)(x)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: model(ORACLE).consistency_loss(), "parameterization"),
        (lambda: loss_of(ORACLE, ratio_min=1.0, ratio_max=0.5), "`ratio_min`"),
        (lambda: loss_of(ORACLE)(torch.zeros(0, 1)), "at least one datum"),
        (lambda: ConsistencySampler(ORACLE, ()), "`times`"),
        (lambda: ConsistencySampler(ORACLE, (0.5, 0.5)), "`times`"),
        (lambda: ConsistencySampler(ORACLE, (1.0, 0.0)), "`times`"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()

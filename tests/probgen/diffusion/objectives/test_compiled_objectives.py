"""Objectives recorded by ``infer.compile``: loss and gradient as without it, also where the slope of the schedule is needed."""

import pytest
import torch

import probgen as pg
from probgen.distributions.chains import LearnedSchedule
from tests.cases.networks import TinyDenoisingNetwork

SCHEDULES = {
    "linear": lambda: pg.diffusion.linear_schedule(20, 0.01, 0.3),
    "cosine": pg.diffusion.cosine_schedule,
    "learned": lambda: LearnedSchedule(hidden=4, first=0.05),
}
OBJECTIVES = {
    "simple": lambda d: d.denoising_loss("simple"),
    "elbo": lambda d: d.denoising_loss("elbo"),
    "likelihood": lambda d: d.denoising_loss("likelihood"),
    "continuous bound": lambda d: d.continuous_bound_loss(),
    "score matching, exact": lambda d: d.score_matching_loss("exact"),
    "score matching, sliced": lambda d: d.score_matching_loss("sliced"),
}


def gradients(loss, x):
    torch.manual_seed(1)
    value = loss(x)
    used = [parameter for parameter in loss.parameters() if parameter.requires_grad]
    return [value, *torch.autograd.grad(value, used, allow_unused=True, materialize_grads=True)]


def check_agreement(schedule, objective, backend):
    d = pg.diffusion.Diffusion(TinyDenoisingNetwork(2), SCHEDULES[schedule](), event_shape=(2,), grid=20)
    loss = OBJECTIVES[objective](d)
    fast = pg.infer.compile(loss, backend=backend)
    for x in (torch.randn(6, 2), torch.randn(6, 2)):
        for found, expected in zip(gradients(fast, x), gradients(loss, x), strict=True):
            assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("schedule", "objective"), [("linear", "likelihood"), ("cosine", "score matching, sliced"), ("cosine", "continuous bound")]
)
def test_recorded_objectives_agree(schedule, objective):
    """Recording is what a slope by forward-mode differentiation would break; "eager" leaves it at that."""
    check_agreement(schedule, objective, "eager")


@pytest.mark.slow
@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_compiled_objectives_agree(schedule, objective):
    check_agreement(schedule, objective, "aot_eager")

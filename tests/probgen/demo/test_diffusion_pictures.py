"""Rows of images: the right shapes, what is known stays, conditions hold."""

import pytest
import torch

from probgen.demo import (
    digits_diffusion,
    forward_chain,
    guidance_strengths,
    inpainted,
    interpolations,
    progressive_generation,
    shared_states,
    super_resolved,
)


@pytest.fixture(scope="module")
def diffusion():
    torch.manual_seed(0)
    return digits_diffusion(width=8, steps=20).eval()


def test_the_forward_chain_has_the_marginals_of_the_process(diffusion):
    torch.manual_seed(1)
    rows = forward_chain(diffusion, torch.ones(500, 1, 8, 8), times=(0.3, 0.8))
    assert torch.equal(rows[:, 0], torch.ones(500, 1, 8, 8))
    for k, t in enumerate((0.3, 0.8)):
        level = diffusion.schedule.level(t)
        assert float(rows[:, k + 1].mean()) == pytest.approx(float(level.alpha), abs=0.04)
        assert float(rows[:, k + 1].std()) == pytest.approx(float(level.sigma), abs=0.03)


def test_progressive_generation_ends_in_the_sample(diffusion):
    noise = torch.randn(2, 1, 8, 8)
    rows = progressive_generation(diffusion, noise, torch.arange(2), columns=5)
    assert rows.shape == (2, 5, 1, 8, 8)
    assert torch.allclose(rows[:, -1], diffusion.ddim(8)(noise, torch.arange(2)), atol=1e-5)


def test_little_noise_leaves_little_choice(diffusion):
    x = torch.randn(1, 8, 8).clamp(-1, 1)
    rows = shared_states(diffusion, x, torch.tensor(1), (0.03, 0.9), columns=4)
    assert torch.equal(rows[:, 0], x.expand(2, 1, 8, 8))
    assert float(rows[0, 1:].std(0).mean()) < 0.3 * float(rows[1, 1:].std(0).mean())


def test_shallow_interpolations_end_near_the_data(diffusion):
    a, b = torch.zeros(2, 1, 8, 8)
    rows = interpolations(diffusion, a, b + 1, torch.tensor(10), (0.03,), columns=3)
    assert rows.shape == (1, 3, 1, 8, 8)
    assert float((rows[0, 0] - a).abs().mean()) < 0.1
    assert float((rows[0, 2] - b - 1).abs().mean()) < 0.1


def test_strength_one_is_the_conditional_model(diffusion):
    noise = torch.randn(2, 1, 8, 8)
    rows = guidance_strengths(diffusion, noise, torch.arange(2), (1.0, 3.0))
    assert torch.allclose(rows[0], diffusion.dpm_solver(20)(noise, torch.arange(2)), atol=1e-5)


def test_what_is_seen_stays(diffusion):
    x, null = torch.rand(2, 1, 8, 8) * 2 - 1, torch.tensor([10, 10])
    filled = inpainted(diffusion, x, null, draws=2)
    assert filled.shape == (4, 2, 1, 8, 8)
    assert torch.allclose(filled[2:, ..., :4, :], x[..., :4, :].expand(2, 2, 1, 4, 8), atol=0.05)
    large = super_resolved(diffusion, x, null, draws=1)
    means = torch.nn.functional.avg_pool2d(large[2], 2)
    assert torch.allclose(means, torch.nn.functional.avg_pool2d(x, 2), atol=0.05)

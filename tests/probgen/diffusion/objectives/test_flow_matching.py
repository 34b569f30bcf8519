"""Flow matching is the velocity's squared error on the straight path."""

import pytest
import torch

import probgen as pg
from probgen.diffusion.objectives import flow_matching_loss
from tests.probgen.diffusion.beds import bed


def test_it_is_the_squared_error_of_the_velocity():
    d, oracle = bed(0.25, pg.diffusion.flow_matching_schedule(), 10, dims=2)
    x = torch.randn(50, 2).double()
    loss = flow_matching_loss(d)
    torch.manual_seed(0)
    value = loss.per_datum(x)
    torch.manual_seed(0)
    t = loss.times(50).t.unsqueeze(-1)
    noise = torch.randn_like(x)
    denoised = oracle((1 - t) * x + t * noise, t.squeeze(-1))
    assert torch.allclose(value, (denoised.eps - denoised.mean - (noise - x)).square().sum(-1))


def test_a_curved_path_is_refused():
    with pytest.raises(ValueError, match="straight path"):
        bed(grid=4)[0].flow_matching_loss()

"""Divergences of a step against the divergence of the two kernels themselves."""

import pyro.distributions as dist
import pytest
import torch

from probgen.diffusion.objectives.step_divergence import step_divergence, with_constant_mean
from probgen.distributions.chains import Denoised, GaussianProcess, linear_schedule

SCHEDULE = linear_schedule(20, 0.05, 0.4)
PROCESS = GaussianProcess(SCHEDULE, (2,))


def laws():
    mean, factor = torch.randn(5, 2).double(), torch.randn(5, 2, 2).double()
    return {
        "point": dist.Delta(mean, event_dim=1),
        "normal": dist.Normal(mean, torch.rand(5, 2).double() + 0.1).to_event(1),
        "full": dist.MultivariateNormal(mean, factor @ factor.mT + 0.1 * torch.eye(2).double()),
    }


@pytest.mark.parametrize("name", ["point", "normal", "full"])
@pytest.mark.parametrize(("t", "s"), [(0.5, 0.45), (1.0, 0.05), (0.1, 0.05)])
def test_it_is_the_divergence_of_the_kernels(name, t, s):
    law = laws()[name]
    x_0, x_t = torch.randn(2, 5, 2).double()
    level, next_level = SCHEDULE.level(t), SCHEDULE.level(s)
    lost = next_level.snr - level.snr
    ours = step_divergence(law, lost.sqrt() * (law.mean - x_0), lost)
    truth, model = PROCESS.posterior(x_t, x_0, s, t), Denoised(law, x_t, level).reverse(next_level)
    if name == "full":
        truth = dist.MultivariateNormal(truth.mean, torch.diag_embed(truth.variance))
    assert torch.allclose(ours, torch.distributions.kl_divergence(truth, model), rtol=1e-8)


def test_scalar_events():
    assert torch.allclose(
        step_divergence(dist.Normal(0.0, 2.0), torch.tensor(0.0), torch.tensor(0.25)), torch.tensor(0.09657359)
    )


def test_tiny_spreads_are_not_rounded_away():
    # (log(1 + u) - u / (1 + u)) / 2 is u^2 / 4 to leading order
    law = dist.Normal(torch.zeros(1).double(), torch.full((1,), 1e-3).double()).to_event(1)
    divergence = step_divergence(law, torch.zeros(1).double(), torch.ones(()).double())
    assert abs(divergence / 2.5e-13 - 1) < 1e-3


@pytest.mark.parametrize("law", [dist.Laplace(torch.zeros(2), 1.0).to_event(1), dist.Laplace(torch.zeros(2), 1.0)])
def test_no_closed_form(law):
    with pytest.raises(NotImplementedError, match="closed form"):
        step_divergence(law, torch.zeros(2), torch.ones(()))
    with pytest.raises(TypeError, match="normal law"):
        with_constant_mean(law)


def test_constant_mean_keeps_the_gradient_of_the_scale():
    loc, scale = torch.zeros(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with_constant_mean(dist.Normal(loc, scale).to_event(1)).log_prob(torch.ones(2)).backward()
    assert loc.grad is None
    assert scale.grad is not None

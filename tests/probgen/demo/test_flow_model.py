"""A flow behind the demo's interface: the density is that of the change of variables, draws lie in the cube."""

import pytest
import torch
from torch.distributions import Independent, Normal

from probgen.demo import FlowModel, Settings, load_problem
from probgen.distributions.bijectors import Affine


@pytest.fixture(scope="module")
def problem():
    return load_problem(Settings.smoke())


def test_the_density_is_that_of_logits_and_a_known_slope(problem):
    """With the identity as flow, standardized logits are standard normal: pixels v have the density N(y) |dy / dv|."""
    model, v = FlowModel(Affine(shape=(64,)), problem.to_pixels), problem.test_v[0][:10]
    inside = 0.05 + 0.9 * v
    y = (inside.logit() - problem.loc) / problem.scale
    slope = 0.9 / (problem.scale * inside * (1 - inside))
    expected = Independent(Normal(torch.zeros(64), 1.0), 1).log_prob(y) + slope.log().sum(-1)
    torch.testing.assert_close(model.log_prob(v), expected, rtol=1e-4, atol=1e-3)


def test_draws_lie_in_the_cube_and_codes_bring_images_back(problem):
    model, v = FlowModel(Affine(shape=(64,)), problem.to_pixels), problem.test_v[0][:10]
    torch.manual_seed(0)
    draws = model.sample(50)
    assert draws.shape == (50, 64)
    assert bool(((draws >= 0) & (draws <= 1)).all())
    torch.testing.assert_close(model.decode(model.encode(v)), v, rtol=0, atol=1e-5)


def test_pictures_are_made_of_the_bijector(problem):
    flow = Affine(shape=(64,))
    assert FlowModel(flow, problem.to_pixels).pictures() == {}
    drawn = FlowModel(flow, problem.to_pixels, lambda bijector: {"At zero.": bijector(torch.zeros(1, 1, 64))}).pictures()
    torch.testing.assert_close(drawn["At zero."][0], problem.to_pixels(torch.zeros(1, 64)))


@pytest.mark.statistical(false_alarm=1e-10)
def test_completions_follow_the_conditional_law(problem):
    """With the identity as flow the pixels are independent: what is missing has its own law, whatever is seen.

    The mean logit of 300 chains is compared with its expectation, at 6.5 standard errors of independent draws and a tenth of a
    standard deviation for what chains of 60 moves have not forgotten.
    """
    model = FlowModel(Affine(shape=(64,)), problem.to_pixels)
    torch.manual_seed(0)
    v = problem.test_v[0][:1].expand(300, 64).clamp(0.01, 0.99)
    done = model.complete(v, 4, moves=60)
    assert torch.equal(done[:, :32], v[:, :32])
    z = model.encode(done.clamp(1e-4, 1 - 1e-4))[:, 32:]
    inside = problem.scale[32:] > 1  # where the cube cuts off little
    assert bool((z.mean(0)[inside].abs() < 6.5 / 300**0.5 + 0.1).all())

"""Paths between draws, means of draws and arithmetic on noise."""

import math

import pytest
import torch

from probgen.distributions import ImplicitDistribution, ImplicitLaw, standard_normal
from probgen.gan import combined_noise, draws_between, mean_noise, typical_length
from probgen.nn import MLP


def identity(dims):
    return ImplicitDistribution(standard_normal(dims), torch.nn.Identity(), (dims,))


def test_paths_end_where_they_should_and_keep_the_length():
    torch.manual_seed(0)
    start, end = torch.randn(2, 3, 200)
    path = draws_between(identity(200), start, end, [0.0, 0.25, 0.5, 1.0])
    torch.testing.assert_close(path[0], start)
    torch.testing.assert_close(path[-1], end)
    lengths = path.norm(dim=-1) / math.sqrt(200)
    assert (lengths - 1).abs().max() < 0.2
    assert draws_between(identity(200), start, end, [0.5], arc=False).norm(dim=-1).max() / math.sqrt(200) < 0.85


def test_paths_under_a_context():
    torch.manual_seed(0)
    law = ImplicitLaw(standard_normal(2), MLP(2, 3, context_features=1), (3,), context_shape=(1,))
    context, (start, end) = torch.randn(5, 1), torch.randn(2, 5, 2)
    path = draws_between(law(context), start, end, torch.linspace(0, 1, 4))
    assert path.shape == (4, 5, 3)
    torch.testing.assert_close(path[0], law.generator(start, context))


def test_mean_noise_points_where_the_score_grows():
    torch.manual_seed(0)
    direction = torch.tensor([0.6, -0.8, 0.0, 0.0])
    found = mean_noise(identity(4), lambda x: x @ direction, num_draws=4000, num_kept=400)
    assert found @ direction > 1.6  # of the best tenth: 1.755
    assert (found - (found @ direction) * direction).norm() < 0.25
    assert not found.requires_grad


def test_arithmetic_and_its_length():
    torch.manual_seed(0)
    a, b, c = torch.randn(3, 50)
    plain = combined_noise([a, b, c], [1.0, -1.0, 1.0], rescaled=False)
    torch.testing.assert_close(plain, a - b + c)
    assert plain.norm() > 1.4 * math.sqrt(50)
    torch.testing.assert_close(combined_noise([a, b, c], [1.0, -1.0, 1.0]), plain * math.sqrt(50) / plain.norm())
    assert combined_noise([torch.zeros(3, 2), torch.ones(2)], [1.0, 1.0]).shape == (3, 2)
    assert torch.equal(typical_length(torch.zeros(4)), torch.zeros(4))


def test_what_they_refuse():
    law = ImplicitLaw(standard_normal(2), MLP(2, 3, context_features=1), (3,), context_shape=(1,))
    with pytest.raises(ValueError, match="no batch shape"):
        mean_noise(law(torch.zeros(5, 1)), lambda x: x[..., 0])
    with pytest.raises(ValueError, match="`num_kept`"):
        mean_noise(identity(2), lambda x: x[:, 0], num_draws=3, num_kept=4)
    with pytest.raises(ValueError, match="as many"):
        combined_noise([torch.zeros(2)], [1.0, 2.0])


def test_a_score_is_one_number_for_each_draw():
    with pytest.raises(ValueError, match="`score` must return one number"):
        mean_noise(identity(3), lambda x: x[:, :1], num_draws=10, num_kept=2)

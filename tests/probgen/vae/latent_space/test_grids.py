"""Grids by quantiles: even in probability, in the order that is promised."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import standard_normal, standard_uniform
from probgen.vae import mlp_vae
from probgen.vae.latent_space import manifold, prior_quantiles, quantile_grid, traversals


def test_quantiles_of_independent_coordinates_are_exact():
    law = dist.Laplace(torch.tensor([0.0, 1.0]).double(), torch.tensor([1.0, 2.0]).double()).to_event(1)
    levels = torch.tensor([0.1, 0.5, 0.8]).double()
    found = prior_quantiles(law, levels)
    for unit in range(2):
        expected = dist.Laplace(float(unit), float(unit + 1)).icdf(levels)
        assert torch.allclose(found[:, unit], expected.double())
    assert torch.allclose(prior_quantiles(standard_uniform((2, 3), high=4.0), [0.25]), torch.ones(1, 2, 3))


@pytest.mark.statistical(false_alarm=1e-9)
def test_quantiles_of_other_laws_come_from_draws_and_leave_the_global_stream_alone():
    """A sample quantile of 8192 draws has a standard error of 0.022 here; 0.14 is six of them."""
    mixture = dist.MixtureSameFamily(
        dist.Categorical(torch.ones(2)), dist.Normal(torch.tensor([[-3.0], [3.0]]), 1.0).to_event(1)
    )
    state = torch.get_rng_state()
    found = prior_quantiles(mixture, [0.25, 0.75])
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.allclose(found.squeeze(), torch.tensor([-3.0, 3.0]), atol=0.14)


@pytest.mark.statistical(false_alarm=1e-9)
def test_cells_of_the_grid_hold_equal_shares_of_the_draws():
    """Each of 16 cells holds 1/16 of 40000 draws up to 48 (one sd); 300 is six of them."""
    torch.manual_seed(0)
    z = standard_normal(2).sample((40_000,))
    levels = torch.distributions.Normal(0.0, 1.0).cdf(z)
    cells = (levels * 4).long().clamp(max=3)
    counts = torch.bincount(cells[:, 0] * 4 + cells[:, 1], minlength=16)
    assert int((counts - 2500).abs().max()) < 300
    grid = torch.distributions.Normal(0.0, 1.0).cdf(quantile_grid(standard_normal(2), 4))
    assert torch.allclose((grid * 4).long()[1, 2], torch.tensor([1, 2]))


def test_other_units_stay_at_their_medians():
    grid = quantile_grid(dist.Normal(torch.tensor([1.0, 2.0, 3.0]), 1.0).to_event(1), 5, units=(2, 0))
    assert torch.equal(grid[..., 1], torch.full((5, 5), 2.0))
    assert torch.allclose(grid[:, 0, 2], grid[:, 4, 2])
    assert torch.allclose(grid[0, :, 0], grid[4, :, 0])
    assert bool((grid[:, 0, 2].diff() > 0).all())


def test_manifold_is_the_mean_of_the_decoder_with_and_without_context():
    torch.manual_seed(0)
    vae = mlp_vae((4,), 2, hidden=(8,), dropout=0.5).train()
    z, x = manifold(vae, 3)
    assert vae.training
    assert torch.allclose(x, vae.eval().decode(z).mean)
    conditional = mlp_vae((4,), 2, context_shape=(3,), hidden=(8,))
    _, x = manifold(conditional, 3, context=torch.ones(3))
    assert x.shape == (3, 3, 4)


def test_traversals_move_one_unit():
    center = torch.tensor([5.0, 6.0, 7.0])
    walks = traversals(standard_normal(3), center, 4)
    assert walks.shape == (3, 4, 3)
    moved = walks != center
    assert torch.equal(moved.any(1), torch.eye(3, dtype=torch.bool))


def test_settings_are_checked():
    with pytest.raises(ValueError, match=r"inside \(0, 1\); got \[0.0\]"):
        prior_quantiles(standard_normal(2), [0.0])
    with pytest.raises(ValueError, match=r"batch shape \(3,\)"):
        prior_quantiles(standard_normal(2).expand((3,)), [0.5])
    with pytest.raises(ValueError, match="two of the 2 units; got"):
        quantile_grid(standard_normal(2), units=(0, 2))
    with pytest.raises(ValueError, match=r"vectors; got events of shape \(2, 2\)"):
        quantile_grid(standard_normal((2, 2)))
    with pytest.raises(ValueError, match=r"`center` must have shape \(2,\); got \(3,\)"):
        traversals(standard_normal(2), torch.zeros(3))
    with pytest.raises(ValueError, match="at least 1; got 0"):
        quantile_grid(standard_normal(2), 0)

"""Grids of elements: the element's dimensions come first, everything else stays what it was."""

import pyro
import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import DiscretizedLogisticMixture, Quantization
from probgen.distributions.elements import ElementGrid

LEVELS = Quantization(4, -1.0, 1.0)


def pixels(*batch):
    shape = (*batch, 2, 3)
    return DiscretizedLogisticMixture(torch.randn(*batch, 2), torch.randn(shape), torch.rand(shape) + 0.1, LEVELS)


def test_scores_are_sums_over_pixels_and_draws_have_the_colors_first():
    law = pixels(5, 4, 6)
    images = ElementGrid(law, 2)
    assert (images.batch_shape, images.event_shape) == ((5,), (3, 4, 6))
    x = images.sample((2,))
    assert x.shape == (2, 5, 3, 4, 6)
    assert x.is_contiguous()
    assert torch.equal(images.log_prob(x), law.log_prob(x.movedim(2, -1)).sum((-1, -2)))
    assert torch.equal(images.mean, law.mean.movedim(-1, 1))


def test_draws_of_elements_land_where_their_parameters_are():
    loc = torch.arange(24.0).reshape(2, 4, 3)  # [grid, grid, colors]
    grid = ElementGrid(dist.Normal(loc, 1e-3).to_event(1), 2)
    assert torch.allclose(grid.sample(), loc.movedim(-1, 0), atol=0.1)
    assert grid.has_rsample
    assert grid.rsample((5,)).shape == (5, 3, 2, 4)
    assert torch.equal(grid.variance, torch.full((3, 2, 4), 1e-3).square())
    assert torch.equal(grid.mode, grid.mean)
    assert torch.allclose(grid.entropy(), dist.Normal(loc, 1e-3).entropy().sum())


def test_support_looks_at_every_color_of_every_pixel():
    images = ElementGrid(pixels(2, 4, 6), 2)
    x = images.sample((7,))
    assert images.support.event_dim == 3
    assert images.support.is_discrete
    assert bool(images.support.check(x).all())
    x[3, 1, 2, 0, 5] = 0.1
    valid = images.support.check(x)
    assert valid.shape == (7, 2)
    assert int((~valid).sum()) == 1
    assert not valid[3, 1]


def test_plates_expansion_and_empty_batches():
    images = ElementGrid(pixels(4, 6), 2)

    def model(size):
        with pyro.plate("data", size):
            return pyro.sample("x", images)

    assert model(3).shape == (3, 3, 4, 6)
    assert images.expand((0, 2)).log_prob(images.expand((0, 2)).sample()).shape == (0, 2)
    assert images.expand((5,)).log_prob(images.sample()).shape == (5,)


def test_errors():
    with pytest.raises(ValueError, match=r"`law` must have 3 batch dimensions for the grid; got \(4, 6\)"):
        ElementGrid(pixels(4, 6), 3)
    with pytest.raises(ValueError, match=r"must have event shape \(3, 4, 6\); got \(4, 6, 3\)"):
        ElementGrid(pixels(4, 6), 2).log_prob(torch.zeros(4, 6, 3))

"""The residual network of noisy vectors."""

import pytest
import torch
import torch.nn.functional as F

from probgen.nn import DenoisingMLP
from tests.probgen.nn.networks import awake


def test_it_is_its_formula():
    network = awake(DenoisingMLP(3, hidden=(8, 6), embedding_features=4))
    x, levels = torch.randn(5, 3), torch.randn(5)
    e = F.silu(network.noise_embedding(levels))
    h = network.first(x)
    for block in network.blocks:
        scale, shift = block.features(e).chunk(2, -1)
        skip = h if block.skip is None else block.skip(h)
        h = skip + block.outer(F.silu((1 + scale) * block.inner(F.silu(h)) + shift))
    torch.testing.assert_close(network(x, levels), network.last(F.silu(h)))
    assert [block.skip is None for block in network.blocks] == [True, False]


def test_blocks_start_as_the_identity():
    block, h = DenoisingMLP(3, hidden=(8,), embedding_features=4).blocks[0], torch.randn(5, 8)
    assert torch.equal(block(h, torch.randn(5, 4)), h)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 4, 4)])
def test_any_event_shape(shape):
    network = awake(DenoisingMLP(shape, hidden=(8,)))
    assert network(torch.randn(5, *shape), torch.zeros(5)).shape == (5, *shape)
    assert network.event_shape == shape


def test_a_number_of_features_is_a_shape_of_one_dimension():
    assert DenoisingMLP(3).event_shape == (3,)


@pytest.mark.parametrize(("shape", "out_shape"), [((3,), (6,)), ((2, 3), (6, 3))])
def test_learned_variance_has_twice_the_first_size(shape, out_shape):
    network = DenoisingMLP(shape, out_features=6)
    assert network(torch.randn(5, *shape), torch.zeros(5)).shape == (5, *out_shape)


def test_far_from_the_data_it_may_be_linear():
    """No normalization: along a ray the output keeps growing, with a slope that settles."""
    network = awake(DenoisingMLP(2, hidden=(32, 32))).double()
    ray = torch.tensor([1e5, 2e5, 3e5]).double()[:, None] * torch.tensor([0.6, -0.8]).double()
    first, second, third = network(ray, torch.zeros(3))
    torch.testing.assert_close(third - second, second - first, rtol=1e-3, atol=1e-3)
    assert (second - first).norm() > 100


@pytest.mark.parametrize("settings", [{"hidden": ()}, {"hidden": (8, 0)}, {"features": 0}, {"out_features": 0}])
def test_wrong_sizes_are_named(settings):
    with pytest.raises(ValueError, match="must be positive, and `hidden` not empty"):
        DenoisingMLP(**({"features": 2} | settings))


def test_scalars_have_no_first_size():
    with pytest.raises(ValueError, match="scalars have none; got 2"):
        DenoisingMLP((), out_features=2)

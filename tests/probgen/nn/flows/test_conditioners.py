"""What the conditioners of image flows share: ConvConditioner, ResidualConditioner, GatedConditioner, channels_together."""

import pytest
import torch
from torch import nn

from probgen.distributions._checks import ContextError
from probgen.nn.flows import ConvConditioner, GatedConditioner, ResidualConditioner
from probgen.nn.flows._memory_order import channels_together

MAKERS = {
    "conv": lambda **options: ConvConditioner(2, 6, (4, 6), hidden=8, **options),
    "residual": lambda **options: ResidualConditioner(2, 6, (4, 6), hidden=8, blocks=2, **options),
    "gated": lambda **options: GatedConditioner(2, 6, (4, 6), hidden=8, blocks=1, heads=2, **options),
}


def moved(network: nn.Module) -> nn.Module:
    """The network with a last layer that is not zero."""
    nn.init.normal_(network.output.weight, std=0.3)
    return network.eval()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", MAKERS)
def test_it_starts_at_zero_and_all_parameters_learn(name):
    network, x = MAKERS[name](context_shape=(3,)), torch.randn(5, 2, 4, 6)
    assert not network(x, torch.randn(5, 3)).any()
    moved(network)(x, torch.randn(5, 3)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize("name", MAKERS)
def test_images_of_a_batch_do_not_see_each_other(name):
    network, x = moved(MAKERS[name]()).double(), torch.randn(5, 2, 4, 6, dtype=torch.float64)
    assert torch.allclose(network(x)[3:4], network(x[3:4]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 8, 6), (2, 2, 3)])
def test_contexts_of_any_shape_matter(name, shape):
    network, x = moved(MAKERS[name](context_shape=shape)), torch.randn(5, 2, 4, 6)
    first, second = torch.randn(5, *shape), torch.randn(5, *shape)
    assert network(x, first).shape == (5, 6, 4, 6)
    assert ((network(x, first) - network(x, second)).flatten(1).norm(dim=1) > 1e-3).all()


@pytest.mark.parametrize("name", MAKERS)
def test_empty_batches(name):
    assert MAKERS[name](context_shape=(3,))(torch.zeros(0, 2, 4, 6), torch.zeros(0, 3)).shape == (0, 6, 4, 6)


@pytest.mark.parametrize("name", MAKERS)
def test_sizes_must_be_positive(name):
    kind = type(MAKERS[name]())
    with pytest.raises(ValueError, match="`hidden`"):
        kind(2, 6, (4, 6), hidden=0)


def far_slope(network: nn.Module) -> float:
    """How the output in one corner depends on the pixel in the other."""
    x = torch.randn(1, 2, 4, 6, requires_grad=True)
    network(x)[0, :, 0, 0].sum().backward()
    return float(x.grad[0, :, 3, 5].abs().sum())


def test_attention_sees_the_whole_image_where_convolutions_do_not():
    assert far_slope(moved(GatedConditioner(2, 6, (4, 6), hidden=8, blocks=1, heads=2))) > 0
    assert far_slope(moved(GatedConditioner(2, 6, (4, 6), hidden=8, blocks=1, heads=0))) == 0


def test_second_derivatives_through_attention():
    network = moved(MAKERS["gated"]())
    x = torch.randn(2, 2, 4, 6, requires_grad=True)
    slope = torch.autograd.grad(network(x).square().sum(), x, create_graph=True)[0]
    slope.square().sum().backward()
    assert x.grad.isfinite().all()


def test_the_layout_changes_no_number():
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(channels_together(x), x)
    assert channels_together(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("make", [ConvConditioner, GatedConditioner, ResidualConditioner])
def test_a_context_is_asked_for_where_it_was_declared(make):
    settings = {"hidden": 4} if make is ConvConditioner else {"hidden": 4, "blocks": 1}
    settings |= {"heads": 2} if make is GatedConditioner else {}
    x, classes = torch.zeros(2, 1, 4, 4), torch.eye(3)[:2]
    told = make(1, 1, (4, 4), context_shape=(3,), **settings)
    with pytest.raises(ContextError, match=rf"{make.__name__} needs a context with trailing shape \(3,\); got None"):
        told(x)
    with pytest.raises(ContextError, match=rf"{make.__name__} takes no context"):
        make(1, 1, (4, 4), **settings)(x, classes)
    assert torch.equal(told(x, classes.long()), told(x, classes))  # classes may be integers

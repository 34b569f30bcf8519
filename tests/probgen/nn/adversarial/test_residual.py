"""Residual generators and critics with their options."""

import pytest
import torch
import torch.nn.functional as F

from probgen.distributions import ImplicitDistribution, standard_normal
from probgen.distributions.implicit.truncation import truncated
from probgen.nn import ClassConditioning, ResidualCritic, ResidualGenerator
from probgen.nn.adversarial import ResidualDown, ResidualUp, ScaledAttention
from probgen.nn.adversarial.residual_resizing import averaged_to, repeated_to
from tests.probgen.nn.networks import awake


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 32), (9, 13), (2, 3)])
def test_any_size(size):
    generator, critic = ResidualGenerator((2, *size), 5, channels=2), ResidualCritic((2, *size), channels=2)
    x = generator(torch.randn(3, 5))
    assert x.shape == (3, 2, *size)
    assert x.abs().max() <= 1
    assert critic(x).shape == (3, 1)


def test_skips_commute_with_changes_of_resolution():
    """What stands in the module docstring, in its order, by hand."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 4).double()
    up = awake(ResidualUp(3, 5)).double()
    h = up.first(F.interpolate(torch.relu(up.first_normalization(x)), scale_factor=2))
    expected = up.skip(F.interpolate(x, scale_factor=2)) + up.second(torch.relu(up.second_normalization(h)))
    torch.testing.assert_close(up(x, (8, 8)), expected)
    down = awake(ResidualDown(3, 5)).double()
    expected = F.avg_pool2d(down.skip(x) + down.second(torch.relu(down.first(torch.relu(x)))), 2)
    torch.testing.assert_close(down(x, (2, 2)), expected)


@pytest.mark.parametrize(("fine", "coarse"), [((8, 8), (4, 4)), ((9, 13), (4, 6)), ((3, 2), (1, 1))])
def test_averages_and_repeats_keep_constants(fine, coarse):
    x = torch.full((1, 2, *fine), 3.0)
    assert torch.equal(averaged_to(x, coarse), x[..., : coarse[0], : coarse[1]])
    assert torch.equal(repeated_to(averaged_to(x, coarse), fine), x)
    every = torch.zeros(1, 1, *fine, requires_grad=True)
    averaged_to(every, coarse).sum().backward()
    assert every.grad.min() > 0  # no pixel is left out


def test_split_noise_reaches_every_level():
    """BigGAN: the coarsest part of the noise alone enters at the start, the others later."""
    torch.manual_seed(0)
    generator = awake(ResidualGenerator((1, 16, 16), 6, channels=4, split_noise=True)).eval()
    assert generator.first.in_features == 2
    z = torch.randn(1, 6)
    for part in range(3):
        moved = z.clone()
        moved[:, 2 * part] += 1
        assert (generator(moved) - generator(z)).abs().max() > 1e-4
    with pytest.raises(ValueError, match="`noise_features` must be a multiple of 3 for split noise; got 7"):
        ResidualGenerator((1, 16, 16), 7, split_noise=True)


def test_attention_stands_where_it_was_asked_for():
    generator, critic = ResidualGenerator((1, 32, 32), 4, channels=2, attention=16), ResidualCritic((1, 32, 32), attention=8)
    assert (generator.grids[generator.attention_level], critic.grids[1:][critic.attention_level]) == ((16, 16), (8, 8))
    for make in (ResidualGenerator, ResidualCritic):
        with pytest.raises(ValueError, match=r"`attention` must be the height of a grid, one of \[.*16.*\]; got 5"):
            make((1, 32, 32), attention=5)


def test_attention_sees_all_pixels_once_its_scale_moves():
    torch.manual_seed(0)
    layer = ScaledAttention(4)
    x = torch.randn(1, 4, 3, 3)
    assert torch.equal(layer(x), x)
    layer.scale.data.fill_(1.0)
    x.requires_grad_()
    for output in layer(x)[0].sum(0).flatten():
        assert torch.autograd.grad(output, x, retain_graph=True)[0].abs().amax(1).min() > 0


def test_labels_act_by_normalization_and_by_projection():
    torch.manual_seed(0)
    generator = awake(ResidualGenerator((1, 8, 8), 4, channels=4, conditioning=ClassConditioning(3, 4))).eval()
    critic = awake(ResidualCritic((1, 8, 8), channels=4, conditioning=ClassConditioning(3, 4))).eval()
    x = generator(torch.zeros(3, 4), torch.arange(3))
    assert (x[0] - x[1]).abs().max() > 1e-3
    outputs = critic(x[:1].expand(3, -1, -1, -1), torch.arange(3))
    assert outputs.std() > 1e-3


def test_truncation_is_a_matter_of_the_noise():
    """A generator trained with normal noise is drawn from with truncated noise: another law, the same network."""
    torch.manual_seed(0)
    generator = awake(ResidualGenerator((1, 8, 8), 4, channels=4)).eval()
    q = ImplicitDistribution(standard_normal(4), generator, event_shape=(1, 8, 8))
    spread = [law.sample((200,)).var(0).mean() for law in (q, truncated(q, 0.5))]
    assert spread[1] < 0.7 * spread[0]

"""Networks that grow: fading, and what stays as it was."""

import copy

import pytest
import torch

from probgen.distributions import ImplicitLaw, standard_normal
from probgen.infer import Adversarial, Annealed, Wasserstein, fit
from probgen.nn import ProgressiveCritic, ProgressiveGenerator
from probgen.nn.adversarial import GrowingNetwork
from probgen.nn.adversarial.residual_resizing import averaged_to, repeated_to
from tests.probgen.nn.networks import awake

SHAPE = (2, 16, 16)


def pair():
    torch.manual_seed(0)
    generator, critic = ProgressiveGenerator(SHAPE, 5, channels=4), ProgressiveCritic(SHAPE, channels=4, deviation_group=0)
    return awake(generator), awake(critic)


def test_a_new_network_is_fully_grown():
    generator, critic = pair()
    for network in (generator, critic):
        assert isinstance(network, GrowingNetwork)
        assert (network.stage, network.stages, network.resolution, network.fade.item()) == (2, 3, (16, 16), 1.0)


@pytest.mark.parametrize("stage", [1, 2])
def test_at_zero_the_generator_is_that_of_the_stage_before(stage):
    generator, _ = pair()
    z = torch.randn(3, 5)
    generator.grow(stage - 1)
    before = generator(z)
    generator.grow(stage, 0.0)
    assert torch.equal(generator(z), before)
    generator.grow(stage, 0.3)
    assert not torch.equal(generator(z), before)


@pytest.mark.parametrize("stage", [1, 2])
def test_at_zero_the_critic_is_that_of_the_stage_before(stage):
    _, critic = pair()
    x = torch.randn(3, *SHAPE)
    critic.grow(stage - 1)
    before = critic(x)
    critic.grow(stage, 0.0)
    torch.testing.assert_close(critic(x), before, rtol=1e-5, atol=1e-6)
    critic.grow(stage, 1.0)
    assert (critic(x) - before).abs().max() > 1e-3


@pytest.mark.parametrize("stage", [1, 2])
def test_at_one_the_stage_before_takes_no_part(stage):
    """Neither its way to images nor its way from them."""
    generator, critic = pair()
    z, x = torch.randn(3, 5), torch.randn(3, *SHAPE)
    for network, inputs, heads in ((generator, z, "to_image"), (critic, x, "from_image")):
        network.grow(stage)
        outputs = network(inputs)
        with torch.no_grad():
            for value in getattr(network, heads)[stage - 1].parameters():
                value.add_(1.0)
        assert torch.equal(network(inputs), outputs)
        network.grow(stage, 0.5)
        assert not torch.equal(network(inputs), outputs)


def test_between_it_is_a_mixture():
    generator, _ = pair()
    z = torch.randn(3, 5)
    images = []
    for fade in (0.0, 0.25, 1.0):
        generator.grow(2, fade)
        images.append(generator(z))
    torch.testing.assert_close(images[1], 0.75 * images[0] + 0.25 * images[2])


def test_images_have_the_resolution_of_the_stage():
    generator, _ = pair()
    z = torch.randn(3, 5)
    for stage, side in enumerate((4, 8, 16)):
        generator.grow(stage)
        x = generator(z)
        assert x.shape == (3, *SHAPE)
        torch.testing.assert_close(repeated_to(averaged_to(x, (side, side)), (16, 16)), x)


def test_growing_keeps_weights_and_what_comes_later_waits():
    generator, _ = pair()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    generator.grow(0)
    generator(torch.randn(3, 5)).sum().backward()
    assert all(value.grad is None for value in generator.blocks.parameters())
    assert all(value.grad is not None for value in generator.start.parameters())
    generator.grow(1, 0.5)
    after = generator.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items() if name not in ("fade", "_extra_state"))


def test_the_state_holds_stage_and_fade():
    generator, _ = pair()
    generator.grow(1, torch.tensor(0.25))
    fresh = ProgressiveGenerator(SHAPE, 5, channels=4)
    fresh.load_state_dict(generator.state_dict())
    z = torch.randn(3, 5)
    assert (fresh.stage, fresh.fade.item()) == (1, 0.25)
    torch.testing.assert_close(fresh(z), generator(z), rtol=0, atol=0)
    torch.testing.assert_close(copy.deepcopy(generator)(z), generator(z), rtol=0, atol=0)


def test_a_schedule_fades_in_while_it_is_trained():
    """`fit` advances the schedule that generator and critic share: once a step."""
    generator, critic = pair()
    fade = Annealed(0.0, 1.0, steps=8)
    for network in (generator, critic):
        network.grow(1, fade)
    loss = Adversarial(Wasserstein(gradient_penalty=1.0))(ImplicitLaw(standard_normal(5), generator, SHAPE), critic)
    fit(loss, [torch.randn(4, *SHAPE)] * 4, steps=4, progress=False)
    assert fade().item() == 0.5
    z = torch.randn(3, 5)
    shown = generator(z)
    generator.grow(1, 0.5)
    torch.testing.assert_close(shown, generator(z))


def test_it_learns_stage_by_stage():
    """Constant images of random brightness: at every stage the generator's draws come to have their spread."""
    torch.manual_seed(0)
    shape = (1, 8, 8)
    generator, critic = ProgressiveGenerator(shape, 4, channels=4), ProgressiveCritic(shape, channels=4)
    loss = Adversarial(Wasserstein(gradient_penalty=1.0))(ImplicitLaw(standard_normal(4), generator, shape), critic)
    data = [1 + 2 * torch.rand(32, 1, 1, 1).expand(-1, *shape) for _ in range(60)]
    start = generator(torch.randn(200, 4)).mean().item()
    for stage in range(generator.stages):
        for network in (generator, critic):
            network.grow(stage)
        optimizers = lambda values: torch.optim.Adam(values, lr=2e-2, betas=(0.0, 0.99))  # noqa: E731
        fit(loss, data, optimizer=optimizers, steps=60, progress=False)
    x = generator(torch.randn(500, 4))
    assert abs(start - 2) > 1
    assert abs(x.mean().item() - 2) < 0.6


def test_wrong_stages_are_named():
    generator, _ = pair()
    for stage in (-1, 3):
        with pytest.raises(ValueError, match=r"`stage` must be one of 0, ..., 2; got"):
            generator.grow(stage)
    with pytest.raises(ValueError, match=r"`fade` must lie in \[0, 1\]; got 1.5"):
        generator.grow(1, 1.5)

"""Generator and critic by Radford's rules."""

import pytest
import torch
from torch import nn

from probgen.infer import GradientPenalty
from probgen.nn import ClassConditioning, DCGANCritic, DCGANGenerator


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 32), (64, 64), (9, 13), (2, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size(size, channels):
    generator, critic = DCGANGenerator((channels, *size), 5, channels=2), DCGANCritic((channels, *size), channels=2)
    x = generator(torch.randn(3, 5))
    assert x.shape == (3, channels, *size)
    assert x.abs().max() <= 1
    assert critic(x).shape == (3, 1)


def test_the_rules():
    """Strided convolutions, no pooling; batch normalization but for the ends; ReLU and LeakyReLU; N(0, 0.02^2)."""
    torch.manual_seed(0)
    generator, critic = DCGANGenerator((3, 64, 64), 100, channels=16), DCGANCritic((3, 64, 64), channels=16)
    assert [(up.in_channels, up.out_channels, up.stride) for up in generator.ups] == [
        (16, 3, (2, 2)), (32, 16, (2, 2)), (64, 32, (2, 2)), (128, 64, (2, 2))
    ]  # fmt: skip
    assert [(down.out_channels, down.stride) for down in critic.downs] == [(16 * 2**k, (2, 2)) for k in range(4)]
    assert [type(part) for part in generator.normalizations] == [nn.BatchNorm2d] * 4
    assert [type(part) for part in critic.normalizations] == [nn.Identity] + [nn.BatchNorm2d] * 3
    weights = torch.cat([up.weight.flatten() for up in generator.ups] + [down.weight.flatten() for down in critic.downs])
    assert abs(weights.std() - 0.02) < 2e-4
    assert not any("Pool" in type(part).__name__ for network in (generator, critic) for part in network.modules())


def test_number_of_parameters_of_the_usual_network():
    """64 x 64 colors, 100 numbers of noise, 64 channels: 3 576 704 weights, as in the widely used implementation."""
    generator = DCGANGenerator((3, 64, 64), 100)
    bias = generator.ups[0].bias.numel()
    assert sum(value.numel() for value in generator.parameters()) - bias == 3_576_704


@pytest.mark.parametrize(("output", "low", "high"), [("tanh", -1, 1), ("sigmoid", 0, 1), ("identity", -1e9, 1e9)])
def test_range(output, low, high):
    torch.manual_seed(0)
    generator = DCGANGenerator((1, 8, 8), 5, channels=4, output=output)
    with torch.no_grad():
        generator.ups[0].weight.mul_(1e4)
    x = generator(torch.randn(50, 5))
    assert x.min() >= low
    assert x.max() <= high
    assert x.abs().max() > 1 or output != "identity"


def test_a_gradient_penalty_is_not_one_of_each_example_under_batch_normalization():
    """The gradient at an example with respect to itself and to the sum of all outputs differ; without, they agree."""
    torch.manual_seed(0)
    x = torch.randn(4, 1, 16, 16)
    differ = {}
    for normalization in ("batch", "layer", "none"):
        critic = DCGANCritic((1, 16, 16), channels=4, normalization=normalization)
        with torch.no_grad():
            for part in critic.downs:
                part.weight.mul_(10)
        own, of_sum = x.clone().requires_grad_(), x.clone().requires_grad_()
        critic(own)[0].sum().backward()
        critic(of_sum).sum().backward()
        differ[normalization] = ((own.grad - of_sum.grad)[0].norm() / of_sum.grad[0].norm()).item()
    assert differ["batch"] > 0.05
    assert max(differ["layer"], differ["none"]) < 1e-4


def test_a_packed_critic_sees_the_channels_side_by_side():
    critic = DCGANCritic((2 * 3, 8, 8), channels=4, normalization="layer")
    assert GradientPenalty(1.0)(critic, torch.randn(5, 6, 8, 8), torch.randn(5, 6, 8, 8)).isfinite()


def test_wrong_settings_are_named():
    for settings, message in [
        ({"channels": 0}, "`channels`"),
        ({"normalization": "group"}, "`normalization`"),
        ({"noise_features": 0}, "`noise_features`"),
        ({"output": "relu"}, "`output`"),
    ]:
        with pytest.raises(ValueError, match=message):
            DCGANGenerator((1, 8, 8), **settings)


def test_classes_are_compared_with_the_mean_over_the_grid():
    torch.manual_seed(0)
    conditioning = ClassConditioning(3, features=2)
    critic = DCGANCritic((1, 8, 8), channels=4, multipliers=(1, 2), normalization="none", conditioning=conditioning)
    seen = {}
    critic.output.register_forward_hook(lambda _, inputs, __: seen.update(h=inputs[0], condition=inputs[1]))
    x, labels = torch.randn(5, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1])
    outputs = critic(x, labels)
    pooled = seen["h"].unflatten(1, (8, 4)).mean(-1)
    term = (critic.output.embedding(seen["condition"]) * pooled).sum(1, keepdim=True)
    torch.testing.assert_close(outputs, critic.output.linear(seen["h"]) + term)
    assert term.abs().min() > 0

"""A critic's two losses on given draws agree with those of the adversarial objective."""

import pytest
import torch

from probgen.distributions import ImplicitLaw, standard_normal
from probgen.gan import CriticLosses
from probgen.infer import Adversarial, Hinge, NonSaturating, Wasserstein
from probgen.nn import MLP


@pytest.mark.parametrize("divergence", [NonSaturating(), Hinge(), Wasserstein(gradient_penalty=10.0), Wasserstein(clip=0.01)])
def test_losses_are_those_of_adversarial(divergence):
    torch.manual_seed(0)
    law = ImplicitLaw(standard_normal(2), MLP(2, 3, context_features=1), (3,), context_shape=(1,))
    critic = MLP(3, 1, context_features=1)
    losses, adversarial = CriticLosses(critic, divergence), Adversarial(divergence)(law, critic)
    x, context = torch.randn(6, 3), torch.randn(6, 1)
    for player, of in (("critic", losses.of_critic), ("generator", losses.of_generator)):
        torch.manual_seed(1)
        wanted = adversarial(x, context, player=player)
        torch.manual_seed(1)
        drawn = law(context).rsample()
        found = of(x, drawn, context) if player == "critic" else of(drawn, x, context)
        torch.testing.assert_close(found, wanted)
        assert (torch.autograd.grad(found, law.generator.layers[0].weight, allow_unused=True)[0] is None) == (
            player == "critic"
        )


def test_what_it_refuses():
    with pytest.raises(TypeError, match="`critic`"):
        CriticLosses(lambda x: x, Hinge())
    with pytest.raises(TypeError, match="`divergence`"):
        CriticLosses(MLP(3, 1), "hinge")
    with pytest.raises(ValueError, match="outputs for each"):
        CriticLosses(torch.nn.Flatten(0), Hinge()).of_critic(torch.zeros(4, 2), torch.zeros(4, 2))

"""Pix2pix: its loss term by term, and that the energy score keeps the spread that the distance destroys."""

from functools import partial

import pytest
import torch

from probgen.distributions import ImplicitLaw, standard_normal
from probgen.gan import NoiseFree, Pix2Pix, conditional_diversity, deterministic_law
from probgen.infer import LeastSquares, fit
from probgen.nn import MLP


def model(**options):
    torch.manual_seed(0)
    generator, critic = MLP(2, 3, context_features=4), MLP(3, 1, context_features=4)
    return Pix2Pix(ImplicitLaw(standard_normal(2), generator, (3,), context_shape=(4,)), critic, **options)


def pairs(number=6):
    return torch.randn(number, 4), torch.randn(number, 3)


def test_losses_are_the_sums_of_their_terms():
    made, (source, target) = model(divergence=LeastSquares(), distance_weight=7.0), pairs()
    torch.manual_seed(1)
    found = made(source, target, player="generator")
    torch.manual_seed(1)
    drawn = made.law_ab(source).rsample()
    critic = made.losses.critic
    wanted = ((critic(drawn, source) - 1) ** 2).mean() / 2 + 7.0 * (drawn - target).abs().mean()
    torch.testing.assert_close(found, wanted)
    torch.manual_seed(1)
    of_critic = made(source, target, player="critic")
    wanted = ((critic(target, source) - 1) ** 2).mean() / 2 + (critic(drawn, source) ** 2).mean() / 2
    torch.testing.assert_close(of_critic, wanted)


def test_two_draws_give_the_energy_score():
    made, (source, target) = model(divergence=LeastSquares(), distance_weight=7.0, draws=2), pairs()
    torch.manual_seed(1)
    found = made(source, target)
    torch.manual_seed(1)
    first, second = made.law_ab(source.repeat(2, 1)).rsample().split(6)
    outputs = torch.cat([made.losses.critic(drawn, source) for drawn in (first, second)])
    norms = [apart.square().mean(1).sqrt().mean() for apart in (first - target, second - target, first - second)]
    score = (norms[0] + norms[1] - norms[2]) / 2
    torch.testing.assert_close(found, ((outputs - 1) ** 2).mean() / 2 + 7.0 * score)


@pytest.mark.parametrize(("draws", "spread"), [(1, (0.0, 0.1)), (2, (0.8, 1.2))])
def test_distance_makes_a_function_and_energy_score_a_law(draws, spread):
    """Targets are the source plus 0 or 1 or 2, evenly: a function keeps the median; E|Y - Y'| of the law is 8/9."""
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(20, 128, 1, generator=generator)
    target = source + torch.randint(3, source.shape, generator=generator)
    torch.manual_seed(0)
    law = ImplicitLaw(standard_normal(1), MLP(1, 1, hidden=(32, 32), context_features=1), (1,), context_shape=(1,))
    made = Pix2Pix(law, MLP(1, 1, hidden=(16,), context_features=1), draws=draws)
    fit(
        made,
        list(zip(source, target, strict=True)),
        partial(torch.optim.Adam, lr=5e-3),
        steps=400,
        schedule=lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda k: 1 - k / 201),
        progress=False,
    )
    torch.manual_seed(0)
    found = float(conditional_diversity(made.law_ab(source[0]), 50).mean())
    assert spread[0] <= found <= spread[1]


def test_a_function_as_a_law():
    network = torch.nn.Linear(4, 3)
    made = Pix2Pix(deterministic_law(network, (3,), (4,)), MLP(3, 1, context_features=4))
    source, target = pairs()
    made(source, target).backward()
    assert network.weight.grad is not None
    assert torch.equal(NoiseFree(network)(torch.zeros(6, 0), source), network(source))
    assert {name: len(player.parameters) for name, player in made.players.items()} == {"critic": 6, "generator": 2}


def test_what_it_refuses():
    with pytest.raises(ValueError, match="`distance_weight`"):
        model(distance_weight=-1.0)
    with pytest.raises(ValueError, match="`draws` at least 1"):
        model(draws=0)
    with pytest.raises(ValueError, match="'critic' or 'generator'"):
        model()(*pairs(), player="critics")


@pytest.mark.parametrize("draws", [1, 2])
@pytest.mark.parametrize("player", ["critic", "generator"])
def test_targets_that_do_not_belong_to_the_sources_are_named(player, draws):
    made, (source, target) = model(draws=draws), pairs()
    for wrong in (target[:1], target[:, :2]):
        with pytest.raises(ValueError, match="`target` must be like the law's draws"):
            made(source, wrong, player=player)

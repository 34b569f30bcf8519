"""CycleGAN: its loss term by term, whose gradients, checkpoints and what it refuses."""

import pytest
import torch
from torch import nn

from probgen.gan import CycleGAN, deterministic_law
from probgen.infer import Hinge, LeastSquares, LeCamPenalty, NonSaturating, fit
from probgen.infer.objective import only_player
from probgen.nn import MLP


def model(a=(2,), b=(3,), **options):
    torch.manual_seed(0)
    there, back = nn.Linear(a[0], b[0]), nn.Linear(b[0], a[0])
    made = CycleGAN(deterministic_law(there, b, a), deterministic_law(back, a, b), MLP(a[0], 1), MLP(b[0], 1), **options)
    return made, there, back


def batch(a=(2,), b=(3,)):
    return torch.randn(6, *a), torch.randn(4, *b)


def test_generator_loss_is_the_sum_of_its_terms():
    made, there, back = model((2,), (2,), cycle_weight=3.0, identity_weight=0.5)
    a, b = batch((2,), (2,))
    fake_a, fake_b = back(b), there(a)
    adversarial = sum(
        ((losses.critic(fake) - 1) ** 2).mean() / 2 for losses, fake in ((made.losses_a, fake_a), (made.losses_b, fake_b))
    )
    cycle = (back(fake_b) - a).abs().mean() + (there(fake_a) - b).abs().mean()
    identity = (there(b) - b).abs().mean() + (back(a) - a).abs().mean()
    torch.testing.assert_close(made(a, b, player="generators"), adversarial + 3.0 * cycle + 0.5 * identity)


def test_critics_see_their_own_kind_and_draws_of_it():
    made, there, back = model(divergence=NonSaturating(), pool_size=0)
    a, b = batch()
    divergence = NonSaturating()
    wanted = divergence.critic_loss(made.losses_a.critic(a), made.losses_a.critic(back(b)))
    wanted = wanted + divergence.critic_loss(made.losses_b.critic(b), made.losses_b.critic(there(a)))
    torch.testing.assert_close(made(a, b, player="critics"), wanted)


@pytest.mark.parametrize("player", ["critics", "generators"])
def test_each_player_moves_its_own_parameters(player):
    made, *_ = model()
    with only_player(made, made.players[player]):
        made(*batch(), player=player).backward()
    own = {id(p) for p in made.players[player].parameters}
    assert all((p.grad is not None) == (id(p) in own) for p in made.parameters())
    assert len(own) == 4 if player == "generators" else len(own) == 12


def test_laws_are_distributions_of_the_other_kind():
    made, there, back = model()
    a, b = batch()
    assert torch.equal(made.law_ab(a).sample(), there(a))
    assert made.law_ba(b).batch_shape == (4,)
    distances = made.cycle_distance(a, b)
    torch.testing.assert_close(distances[0], (back(there(a)) - a).abs().mean(1))
    torch.testing.assert_close(distances[1], (there(back(b)) - b).abs().mean(1))


def test_a_run_that_is_resumed_is_the_same_run(tmp_path):
    torch.manual_seed(2)
    data = [(torch.randn(4, 2), torch.randn(4, 3)) for _ in range(8)]
    ends = []
    for stops in ((8,), (3, 8)):
        made, *_ = model(pool_size=6)
        for count, steps in enumerate(stops):
            if count:
                made, *_ = model(pool_size=6)
            torch.manual_seed(3)
            fit(made, data, steps=steps, checkpoint=tmp_path / str(len(stops)), resume=True, progress=False)
        ends.append(made.state_dict())
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
    assert int(ends[0]["pool_a.count"]) == 6


def test_evaluation_leaves_the_pools_alone():
    made, *_ = model()
    made.eval()(*batch(), player="critics")
    assert int(made.pool_a.count) == int(made.pool_b.count) == 0


def test_double_precision_and_a_pair_of_divergences():
    made, *_ = model(divergence=(Hinge(), LeastSquares()))
    made.double()
    a, b = batch()
    assert made(a.double(), b.double(), player="critics").dtype == torch.float64


def test_what_it_refuses():
    with pytest.raises(ValueError, match="`cycle_weight`"):
        model(cycle_weight=-1.0)
    with pytest.raises(TypeError, match="`event_shape`"):
        CycleGAN(nn.Linear(2, 3), nn.Linear(3, 2), MLP(2, 1), MLP(3, 1))
    made, *_ = model(identity_weight=1.0)
    with pytest.raises(ValueError, match="`identity_weight` must be 0"):
        made(*batch())
    with pytest.raises(ValueError, match="'critics' or 'generators'"):
        made(*batch(), player="critic")


def test_the_critics_share_no_state_of_a_penalty():
    game, _, _ = model(b=(2,), penalties=[LeCamPenalty(0.3)])
    (first,), (second,) = game.losses_a.penalties, game.losses_b.penalties
    assert first is not second
    x = torch.randn(4, 2)
    game(x, x, player="critics")
    assert first.of_real != second.of_real

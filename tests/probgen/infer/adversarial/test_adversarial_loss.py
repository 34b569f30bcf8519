"""The two losses: their gradients by closed forms, and who gets one."""

import copy

import pyro.distributions as dist
import pytest
import torch
from torch import nn

import probgen as pg
from probgen.distributions import ImplicitDistribution, TransformedDistribution, standard_normal
from probgen.distributions._checks import ContextError
from probgen.infer import (
    R1,
    Adversarial,
    AdversarialLoss,
    EnergyDistance,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Relativistic,
    Wasserstein,
    fit,
)
from probgen.infer.divergences.divergence import Divergence
from probgen.infer.objective import constant
from tests.probgen.infer.adversarial.games import Grid, Joined, Shift, gradients, plane_game, plane_law


def line_game(divergence):
    """p = N(0, 1) and q = N(1, 1), both as grids, with the best critic, v = 1/2 - x."""
    critic = nn.Linear(1, 1).double()
    with torch.no_grad():
        critic.weight.fill_(-1.0)
        critic.bias.fill_(0.5)
    return Adversarial(divergence)(ImplicitDistribution(Grid(), Shift(), (1,)), critic)


GRID = Grid().rsample(torch.Size((20_000,)))


@pytest.mark.parametrize(("divergence", "slope"), [(Minimax(), 0.39797287), (NonSaturating(), 0.60202713)])
def test_the_generators_gradient_is_the_analytic_one(divergence, slope):
    loss = line_game(divergence)
    found = gradients(loss, "generator", GRID)
    assert abs(found["law.parts.0.theta"].item() - slope) < 2e-7


def test_the_best_critic_has_no_gradient_and_the_value_is_the_divergence():
    loss = line_game(Minimax())
    found = gradients(loss, "critic", GRID)
    assert max(found["critic.weight"].abs().item(), found["critic.bias"].abs().item()) < 2e-5  # the grid's tails
    assert found["law.parts.0.theta"] is None
    assert abs(loss.estimate(GRID).item() - 0.1114214822) < 1e-5
    assert abs(loss(GRID, player="critic").item() - 1.1634513968) < 1e-5


@pytest.mark.parametrize(
    "divergence", [Minimax(), NonSaturating(), Hinge(), LeastSquares(), Wasserstein(10.0), Relativistic(NonSaturating())]
)
def test_a_turn_touches_its_own_player_only(divergence):
    loss = plane_game(Adversarial(divergence, penalties=[R1(1.0)]))
    x = torch.randn(6, 2)
    own = {player: {id(p) for p in loss.players[player].parameters} for player in loss.players}
    assert own["critic"] | own["generator"] == {id(p) for p in loss.parameters()}
    for player in own:
        with constant([p for p in loss.parameters() if id(p) not in own[player]]):
            found = gradients(loss, player, x)
        biases = {"critic.net.2.bias"}  # the mean of all outputs does not matter to differences
        for name, parameter in loss.named_parameters():
            if id(parameter) not in own[player]:
                assert found[name] is None
            elif name not in biases:
                assert found[name].abs().sum() > 0


def flow():
    return TransformedDistribution(standard_normal(2), pg.flows.neural_spline_coupling(features=2, layers=2, hidden=(8,)))


class NormalLaw(nn.Module):
    """A decoder's law: what Pyro would call a program's likelihood, given a context."""

    def __init__(self, kind):
        super().__init__()
        self.net = nn.Linear(1, 4)
        self.kind = kind

    def forward(self, context=None):
        loc, log_scale = self.net(torch.zeros(1) if context is None else context).chunk(2, -1)
        if self.kind == "normal":
            return dist.Normal(loc, log_scale.exp()).to_event(1)
        return dist.MixtureOfDiagNormals(torch.stack([loc, -loc], -2), log_scale.exp().expand(2, 2), torch.zeros(2))


@pytest.mark.parametrize("law", [flow, lambda: NormalLaw("normal"), lambda: NormalLaw("mixture")])
def test_every_reparameterized_law_is_trained(law):
    torch.manual_seed(0)
    loss = Adversarial(NonSaturating())(law(), Joined(2, 1))
    before = copy.deepcopy(loss.law.state_dict())
    history = fit(loss, [torch.randn(8, 2)], steps=4, progress=False, accelerator="cpu")
    assert history.players == ["critic", "generator"] * 2
    assert any(not torch.equal(value, before[name]) for name, value in loss.law.state_dict().items())


def test_a_decoders_law_takes_its_context():
    loss = Adversarial(NonSaturating())(NormalLaw("normal"), Joined(3, 1))
    assert all(g is not None for g in gradients(loss, "generator", torch.randn(5, 2), torch.randn(5, 1)).values())


def test_a_law_without_gradients_is_refused():
    with pytest.raises(ValueError, match=r"has_rsample.*Bernoulli is not"):
        Adversarial(NonSaturating())(dist.Bernoulli(torch.zeros(())), nn.Linear(1, 1))

    class Coin(nn.Linear):
        def forward(self):
            return dist.Bernoulli(logits=self.bias).to_event(1)

    loss = Adversarial(NonSaturating())(Coin(1, 2), nn.Linear(2, 1))
    assert loss(torch.zeros(4, 2), player="critic").isfinite()  # a critic can look at any law
    with pytest.raises(ValueError, match=r"has_rsample.*Independent is not"):
        loss(torch.zeros(4, 2), player="generator")


def test_kernel_divergences_need_no_critic():
    torch.manual_seed(0)
    loss = Adversarial(EnergyDistance())(plane_law())
    assert list(loss.players) == ["generator"]
    x = torch.randn(64, 2) + 1
    history = fit(loss, [x], lambda p: torch.optim.Adam(p, 0.02), steps=60, progress=False, accelerator="cpu")
    assert history.players == ["generator"] * 60
    assert loss.estimate(x) < 0.3 < history.losses[0]
    with pytest.raises(TypeError, match="NonSaturating and penalties need a critic"):
        Adversarial(NonSaturating())(plane_law())
    with pytest.raises(TypeError, match="need a critic"):
        Adversarial(EnergyDistance(), penalties=[R1()])(plane_law())
    with pytest.raises(ValueError, match=r"one of \['generator'\]; got 'critic'"):
        loss(x, player="critic")


def test_fixed_features_take_no_turns():
    loss = Adversarial(EnergyDistance())(plane_law(), nn.Linear(2, 5).requires_grad_(False))
    assert list(loss.players) == ["generator"]
    assert gradients(loss, "generator", torch.randn(4, 2))["critic.weight"] is None


def test_an_estimate_changes_nothing():
    critic = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    loss = Adversarial(NonSaturating())(plane_law(), critic)
    before = copy.deepcopy(loss.state_dict())
    x = torch.randn(64, 2)
    assert not loss.estimate(x).requires_grad
    assert all(torch.equal(value, before[name]) for name, value in loss.state_dict().items())
    assert loss.critic.training


def test_data_and_draws_are_batches_of_their_own():
    seen = []

    class Watch(nn.Linear):
        def forward(self, x):
            seen.append(x.detach())
            return super().forward(x)

    loss = Adversarial(NonSaturating())(plane_law(), Watch(2, 1))
    x = torch.randn(6, 2)
    loss(x, player="critic")
    assert [len(batch) for batch in seen] == [6, 6]
    assert torch.equal(seen[0], x)


def test_patch_critics_and_empty_batches():
    class Patches(nn.Linear):
        def forward(self, x):
            return super().forward(x).reshape(-1, 1, 2, 2)

    loss = Adversarial(Hinge(), penalties=[R1(1.0)], penalty_share=0.5, top_k=0.5)(plane_law(), Patches(2, 4))
    for player in loss.players:
        assert loss(torch.randn(5, 2), player=player).shape == ()
        assert loss(torch.zeros(0, 2), player=player) == 0.0


def test_half_precision_layers_give_a_loss_in_full_precision():
    loss = Adversarial(Wasserstein(10.0))(plane_law(), Joined(2, 1))
    x = torch.randn(8, 2)
    for player in loss.players:
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(x, player=player)
        assert value.dtype == torch.float32
        value.backward()


class Scores(nn.Linear):
    def forward(self, x):
        return super().forward(x).sum()


class Two(nn.Linear):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    ("make", "batch", "error", "message"),
    [
        (lambda: (plane_law(), Scores(2, 1)), (torch.zeros(4, 2),), ValueError, r"a tensor \[4, ...\].*returned \(\)"),
        (lambda: (plane_law(), Two(2, 1)), (torch.zeros(4, 2),), ValueError, "returned tuple"),
        (lambda: (plane_law(), nn.Linear(2, 1)), (torch.zeros(4, 3),), ValueError, r"like the data, \(4, 3\) on cpu; it drew"),
        (lambda: (plane_law(), nn.Linear(2, 1)), (torch.zeros(4, 2, device="meta"),), ValueError, "on meta; it drew .* on cpu"),
        (lambda: (plane_law((1,)), nn.Linear(2, 1)), (torch.zeros(4, 2),), ContextError, "context"),
        (lambda: (plane_law((1,)), Joined(3, 1)), (torch.zeros(4, 2), torch.zeros(3, 1)), ValueError, "a row for each of 4"),
        (lambda: (plane_law(), Joined(3, 1)), (torch.zeros(4, 2), torch.zeros(4, 1)), ContextError, "takes no context"),
        (lambda: (plane_law(), torch.tanh), (), TypeError, "`critic` must be a torch.nn.Module"),
        (lambda: ("law", nn.Linear(2, 1)), (), TypeError, "`law` must be a distribution or a module"),
    ],
)
def test_what_does_not_fit_is_named(make, batch, error, message):
    with pytest.raises(error, match=message):
        Adversarial(NonSaturating())(*make())(*batch, player="critic")


def test_a_player_that_does_not_exist():
    with pytest.raises(ValueError, match=r"one of \['critic', 'generator'\]; got 'judge'"):
        plane_game()(torch.zeros(2, 2), player="judge")


def test_state_is_advanced_in_training_only():
    class Counting(Divergence):
        def __init__(self):
            super().__init__()
            self.count = 0

        def critic_loss(self, real, fake):
            return real.mean() - fake.mean()

        def generator_loss(self, fake, real=None):
            return fake.mean()

        def advance(self, real, fake):
            assert not real.requires_grad
            self.count += 1

    loss: AdversarialLoss = Adversarial(Counting())(plane_law(), Joined(2, 1))
    for player in ("critic", "generator"):
        loss(torch.zeros(2, 2), player=player)
    loss.eval()(torch.zeros(2, 2), player="critic")
    assert loss.divergence.count == 1


@pytest.mark.parametrize("player", ["critic", "generator"])
def test_data_and_contexts_that_do_not_fit_are_named(player):
    with pytest.raises(ValueError, match=r"`x` must have the dtype of the law's draws, torch\.float32"):
        plane_game()(torch.zeros(4, 2, dtype=torch.int64), player=player)
    with pytest.raises(ValueError, match="`x` must have the dtype"):
        plane_game()(torch.zeros(4, 2).double(), player=player)
    loss = Adversarial(NonSaturating())(plane_law((3,)), Joined(5, 1))
    for wrong in (torch.zeros(3, 3), torch.zeros(3), torch.zeros(1, 3), torch.zeros(4, 1, 3)):
        with pytest.raises(ValueError, match="`context` must have shape"):
            loss(torch.zeros(4, 2), wrong, player=player)

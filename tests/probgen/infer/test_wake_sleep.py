"""Reweighted wake-sleep: its gradients, its players, and the truth as its fixed point."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.nn import PyroModule
from torch import nn

from probgen.infer import IWAE, WakeSleep, WakeSleepLoss, compile, fit
from tests.probgen.infer.programs import Decoder, Encoder, ScalarGuide, ScalarModel
from tests.probgen.infer.test_compile import step


class Mixture(PyroModule):
    """k ~ Bernoulli(sigmoid(weight)), x ~ N(centers[k], 1)."""

    def __init__(self, weight=0.0, centers=(-1.0, 1.0)):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.centers = nn.Parameter(torch.tensor(centers))

    def forward(self, x):
        with pyro.plate("data", len(x)):
            k = pyro.sample("k", dist.Bernoulli(logits=self.weight))
            pyro.sample("x", dist.Normal(torch.where(k > 0.5, self.centers[1], self.centers[0]), 1.0), obs=x)


class Classifier(PyroModule):
    """q(k = 1 | x) = sigmoid(slope x + offset): holds the posterior of Mixture."""

    def __init__(self, slope=0.0, offset=0.0):
        super().__init__()
        self.slope, self.offset = nn.Parameter(torch.tensor(slope)), nn.Parameter(torch.tensor(offset))

    def forward(self, x):
        with pyro.plate("data", len(x)):
            pyro.sample("k", dist.Bernoulli(logits=self.slope * x + self.offset))


def posterior(mixture):
    """Slope and offset of the exact posterior."""
    low, high = mixture.centers.detach()
    return (high - low).item(), (mixture.weight.detach() + (low**2 - high**2) / 2).item()


def drawn(mixture, count):
    with torch.no_grad():
        k = torch.bernoulli(mixture.weight.sigmoid().expand(count)).long()
        return mixture.centers[k] + torch.randn(count)


def test_the_models_gradient_is_that_of_the_importance_weighted_bound():
    x, model, guide = torch.randn(6, 5), Decoder(30), Encoder(30)
    found = []
    for objective in (IWAE(4), WakeSleep(4)):
        torch.manual_seed(1)
        found.append(torch.autograd.grad(objective(model, guide)(x), model.parameters()))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


def test_wake_gradients_by_hand_and_each_player_alone():
    x, model, guide = torch.randn(16), ScalarModel(160), ScalarGuide(size=160)
    loss = WakeSleep(3)(model, guide)
    torch.manual_seed(1)
    z = 0.3 + 0.9 * torch.randn(3, 16)
    q = dist.Normal(guide.loc, guide.log_scale.exp())
    joint = dist.Normal(0.0, 1.0).log_prob(z) + dist.Normal(z + model.shift, 1.0).log_prob(x)
    weights = (joint - q.log_prob(z)).softmax(0).detach()
    expected = {"model": -10 * (weights * joint).sum(), "guide": -10 * (weights * q.log_prob(z)).sum()}
    assert list(loss.players) == ["model", "guide"]
    for vectorize in (True, False):
        loss = WakeSleep(3, vectorize=vectorize)(model, guide)
        for player, value in expected.items():
            torch.manual_seed(1)
            torch.testing.assert_close(loss(x, player=player), value)
        torch.manual_seed(1)
        both = torch.autograd.grad(loss(x), loss.parameters())
        alone = torch.autograd.grad(sum(expected.values()), loss.parameters(), retain_graph=True)
        for a, b in zip(both, alone, strict=True):
            torch.testing.assert_close(a, b)


def test_a_chain_of_latents_is_scored_at_constant_draws():
    """q(b | a) at a drawn a must not send a gradient through a to the law of a."""

    class Chain(PyroModule):
        def __init__(self):
            super().__init__()
            self.loc = nn.Parameter(torch.tensor(0.5))

        def forward(self):
            a = pyro.sample("a", dist.Normal(self.loc, 1.0))
            pyro.sample("b", dist.Normal(a, 1.0))

    def model():
        pyro.sample("b", dist.Normal(pyro.sample("a", dist.Normal(0.0, 1.0)), 1.0))

    guide = Chain()
    torch.manual_seed(0)
    WakeSleep(1)(model, guide)().backward()
    torch.manual_seed(0)
    a = 0.5 + torch.randn(())
    torch.testing.assert_close(guide.loc.grad, -(a - 0.5))


@pytest.mark.statistical(false_alarm=6e-8)
@pytest.mark.parametrize("update", ["wake", "sleep", "both"])
def test_the_truth_is_a_fixed_point(update):
    """At the true model with its posterior as the guide the expected gradients are zero; a guide with half the slope, or an
    offset that is off by 1.5, has gradients above the tolerance."""
    torch.manual_seed(0)
    mixture = Mixture(0.4, (-1.0, 1.5))
    x = drawn(mixture, 40000)

    def gradient_a_datum(guide):
        loss = WakeSleep(3, update)(mixture, guide)
        found = torch.autograd.grad(loss(x), guide.parameters())
        return torch.stack(found) / len(x)

    slope, offset = posterior(mixture)
    # the gradient of one datum is at most 1 in the offset, |x| < 5 in the slope; their deviations are below 0.5 and 0.8
    bound = 5.8 * torch.tensor([0.8, 0.5]) / 40000**0.5
    assert bool((gradient_a_datum(Classifier(slope, offset)).abs() < bound).all())
    wrong = torch.stack([gradient_a_datum(Classifier(slope / 2, offset)), gradient_a_datum(Classifier(slope, offset + 1.5))])
    assert bool((wrong.abs().amax(1) > bound.max()).all())


@pytest.mark.statistical(false_alarm=1e-8)
def test_training_with_two_players_finds_model_and_posterior():
    torch.manual_seed(0)
    x = drawn(Mixture(0.5, (-2.0, 2.0)), 2000)
    mixture, guide = Mixture(0.0, (-0.5, 0.5)), Classifier()
    loss = WakeSleep(5)(mixture, guide)
    history = fit(loss, [x], lambda parameters: torch.optim.Adam(parameters, lr=0.1), epochs=500, progress=False)
    assert {*history.players} == {"model", "guide"}
    slope, offset = posterior(mixture)
    # the likelihood of 2000 data locates centers to 0.03 and the logit to 0.05 (standard errors); training started 1.5 away
    assert mixture.centers.tolist() == pytest.approx([-2.0, 2.0], abs=0.25)
    assert mixture.weight.item() == pytest.approx(0.5, abs=0.35)
    assert guide.slope.item() == pytest.approx(slope, abs=0.8)
    assert guide.offset.item() == pytest.approx(offset, abs=0.6)


def test_programs_of_one_module_have_one_player():
    class Both(PyroModule):
        def __init__(self):
            super().__init__()
            self.mixture, self.classifier = Mixture(), Classifier()

        def model(self, x):
            return self.mixture(x)

        def guide(self, x):
            return self.classifier(x)

    both = Both()
    loss = WakeSleep(3)(both.model, both.guide)
    assert [len(player.parameters) for player in loss.players.values()] == [4]
    loss(torch.randn(5)).backward()
    assert all(parameter.grad is not None for parameter in both.parameters())


@pytest.mark.parametrize("player", ["model", "guide"])
def test_recorded_steps_follow(player):
    loss = WakeSleep(3, "both")(Decoder(), Encoder())
    x = torch.randn(4, 5)
    slow, fast = step(loss, x, player=player), step(compile(loss, backend="eager"), x, player=player)
    torch.testing.assert_close(slow[0], fast[0])
    for a, b in zip(slow[1], fast[1], strict=True):
        torch.testing.assert_close(a if a is not None else torch.zeros(()), b if b is not None else torch.zeros(()))


def test_errors_say_what_is_missing():
    x = torch.randn(3)
    with pytest.raises(ValueError, match="'wake', 'sleep' or 'both'; got 'dream'"):
        WakeSleep(2, "dream")
    loss = WakeSleep(2, "sleep")(Mixture(), Classifier())
    assert isinstance(loss, WakeSleepLoss)
    with pytest.raises(ValueError, match="'model' or 'guide'; got 'critic'"):
        loss(x, player="critic")

    def shifted(x):
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(pyro.sample("k", dist.Bernoulli(0.5)), 1.0), obs=x + 1)

    with pytest.raises(ValueError, match=r"the data of the sites \['x'\] are not among the arguments"):
        WakeSleep(2, "sleep")(shifted, Classifier())(x)

    def with_factor(x):
        with pyro.plate("data", len(x)):
            pyro.factor("f", pyro.sample("k", dist.Bernoulli(0.5)))

    with pytest.raises(ValueError, match="factor 'f' cannot be drawn"):
        WakeSleep(2, "sleep")(with_factor, Classifier())(x)


@pytest.mark.parametrize("update", ["wake", "sleep", "both"])
def test_the_guides_loss_has_no_gradient_in_the_model(update):
    """Dreams and weights are constants, also where the model's draws are reparameterized and nobody froze its parameters."""
    model, guide = Decoder(), Encoder()
    value = WakeSleep(3, update)(model, guide)(torch.randn(4, 5), player="guide")
    assert not any(g is not None for g in torch.autograd.grad(value, model.parameters(), retain_graph=True, allow_unused=True))
    assert any(g.any() for g in torch.autograd.grad(value, guide.parameters()))

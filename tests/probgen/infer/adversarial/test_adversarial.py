"""The options of adversarial training: each changes the two losses as its formula says."""

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from probgen.distributions import ImplicitLaw, standard_normal
from probgen.infer import (
    R1,
    Adversarial,
    Annealed,
    Divergence,
    EnergyDistance,
    GradientPenalty,
    Hinge,
    NonSaturating,
    Penalty,
    Relativistic,
    Wasserstein,
    compile,
    fit,
)
from tests.probgen.infer.adversarial.games import Joined, gradients, plane_game, plane_law


def seeded(loss, *batch, player, seed=0):
    torch.manual_seed(seed)
    return loss(*batch, player=player)


def draws(loss, *context, number, seed=0):
    """The draws that the loss makes under a seed."""
    torch.manual_seed(seed)
    return loss.law(*context).sample(() if context else (number,))


def test_rounds_have_the_asked_for_steps():
    loss = plane_game(Adversarial(Hinge(), critic_steps=3))
    history = fit(loss, [torch.randn(4, 2)] * 9, progress=False, accelerator="cpu")
    assert history.players == (["critic"] * 3 + ["generator"]) * 2 + ["critic"]


def test_packs_are_judged_together():
    loss = plane_game(Adversarial(NonSaturating(), packing=2))
    x = torch.randn(6, 2)
    y = draws(loss, number=6)
    real, fake = (torch.cat([part[0::2], part[1::2]], 1) for part in (x, y))
    expected = softplus(-loss.critic(real)).mean() + softplus(loss.critic(fake)).mean()
    torch.testing.assert_close(seeded(loss, x, player="critic"), expected)
    with pytest.raises(ValueError, match=r"N a multiple of 2; got \(5, 2\): drop incomplete batches"):
        loss(torch.randn(5, 2), player="critic")
    with pytest.raises(ValueError, match=r"N a multiple of 2; got \(1, 2\)"):
        loss(torch.randn(1, 2), player="generator")


@pytest.mark.parametrize(("shape", "context"), [((), torch.arange(6)), ((3,), torch.randn(6, 3))])
def test_packs_carry_their_contexts(shape, context):
    width = 1 if shape == () else 3
    loss = Adversarial(Hinge(), packing=2, penalties=[R1(1.0)])(plane_law(shape), Joined(2 * (2 + width), 1))
    seen = []
    loss.critic.register_forward_pre_hook(lambda module, given: seen.append(given[1]))
    for player in loss.players:
        assert loss(torch.randn(6, 2), context, player=player).isfinite()
    expected = context.reshape(6, -1)
    for given in seen:
        assert torch.equal(given, torch.cat([expected[0::2], expected[1::2]], 1))


def test_top_k_takes_the_best_draws():
    loss = plane_game(Adversarial(NonSaturating(), top_k=0.25))
    scores = loss.critic(draws(loss, number=8))[:, 0]
    expected = softplus(-scores.topk(2).values).mean()
    torch.testing.assert_close(seeded(loss, torch.zeros(8, 2), player="generator"), expected)
    whole = plane_game(Adversarial(NonSaturating(), top_k=1.0))
    plain = plane_game(Adversarial(NonSaturating()))
    plain.load_state_dict(whole.state_dict())
    for player in ("critic", "generator"):
        x = torch.randn(8, 2)
        torch.testing.assert_close(seeded(whole, x, player=player), seeded(plain, x, player=player))


def test_top_k_follows_a_schedule_also_when_compiled():
    method = Adversarial(NonSaturating(), top_k=Annealed(1.0, 0.25, steps=2))
    loss = plane_game(method)
    fast = compile(loss, backend="eager")
    scores = loss.critic(draws(loss, number=8))[:, 0].detach()
    for kept in (8, 5, 2, 2):
        expected = softplus(-scores.topk(kept).values).mean()
        torch.testing.assert_close(seeded(loss, torch.zeros(8, 2), player="generator").detach(), expected)
        torch.testing.assert_close(seeded(fast, torch.zeros(8, 2), player="generator").detach(), expected)
        loss.top_k.advance()
    assert fast.recordings == 1
    fit(loss, [torch.zeros(8, 2)] * 3, progress=False, accelerator="cpu")
    assert loss.top_k.step == 7
    assert "top_k.step" in loss.state_dict()


def test_wrong_contexts_count_as_half_of_the_draws():
    loss = Adversarial(NonSaturating(), mismatched=True)(plane_law((1,)), Joined(3, 1))
    x, context = torch.randn(5, 2), torch.arange(5.0)[:, None]
    fake = draws(loss, context, number=5)
    right, wrong = loss.critic(x, context), loss.critic(x, context[[4, 0, 1, 2, 3]])
    terms = softplus(-right) + softplus(loss.critic(fake, context)) / 2 + softplus(wrong) / 2
    torch.testing.assert_close(seeded(loss, x, context, player="critic"), terms.mean())
    same = torch.ones(5, 1)
    plain = softplus(-loss.critic(x, same)) + softplus(loss.critic(draws(loss, same, number=5), same))
    torch.testing.assert_close(seeded(loss, x, same, player="critic"), plain.mean())
    with pytest.raises(ValueError, match="`mismatched` needs a context"):
        plane_game(Adversarial(NonSaturating(), mismatched=True))(x, player="critic")


class Mean(Penalty):
    """The critic's output on data: what is penalized is seen in the value."""

    def __init__(self):
        super().__init__(1.0)

    def terms(self, critic, real, fake):
        assert len(real) == len(fake)
        return critic(real).flatten()


class Zero(Divergence):
    """No game at all: the penalty is alone."""

    def critic_loss(self, real, fake):
        return 0.0 * real.sum()


def test_a_share_of_the_penalty_is_right_on_average():
    """Each of the N subsets of one example has the same chance, so the mean over them is the whole penalty."""
    x = torch.tensor([[1.0, 0.0], [2.0, 0.0], [4.0, 0.0], [8.0, 0.0]])
    critic = nn.Linear(2, 1, bias=False)
    nn.init.ones_(critic.weight)
    loss = Adversarial(Zero(), penalties=[Mean()], penalty_share=0.25)(plane_law(), critic)
    found = {seeded(loss, x, player="critic", seed=seed).item() for seed in range(100)}
    assert found == {1.0, 2.0, 4.0, 8.0}  # missing one has probability 1e-12
    half = Adversarial(Zero(), penalties=[Mean()], penalty_share=0.5)(plane_law(), critic)
    found = [seeded(half, x, player="critic", seed=seed).item() for seed in range(100)]
    assert set(found) == {1.5, 2.5, 3.0, 4.5, 5.0, 6.0}
    whole = Adversarial(Zero(), penalties=[Mean()])(plane_law(), critic)
    assert whole(x, player="critic").item() == sum(set(found)) / 6 == 3.75


def test_shares_keep_examples_draws_and_contexts_together():
    class Together(Penalty):
        def terms(self, critic, real, fake):
            assert torch.equal(real[:, :1], fake[:, :1])
            return (critic(real)[:, 0] - real[:, 0] - 10 * real[:, 0]).abs()

    class Copy(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, z, context):
            return torch.cat([context, z + self.weight], 1)

    class Sum(nn.Linear):
        def forward(self, x, context):
            return x[:, :1] + 10 * context + 0.0 * super().forward(x)

    law = ImplicitLaw(standard_normal(1), Copy(), (2,), context_shape=(1,))
    loss = Adversarial(Zero(), penalties=[Together(1.0)], penalty_share=0.4)(law, Sum(2, 1))
    context = torch.arange(10.0)[:, None]
    assert loss(torch.cat([context, torch.randn(10, 1)], 1), context, player="critic") == 0.0


def test_several_penalties_add_up():
    x = torch.randn(6, 2)
    critic = Joined(2, 1)
    law = plane_law()
    whole = Adversarial(Wasserstein(), penalties=[R1(1.0), R1(2.0)])(law, critic)
    single = Adversarial(Wasserstein(), penalties=[R1(3.0)])(law, critic)
    torch.testing.assert_close(seeded(whole, x, player="critic"), seeded(single, x, player="critic"))
    assert len(Adversarial(Wasserstein(10.0), penalties=[GradientPenalty()])(law, critic).penalties) == 2


def test_the_generator_may_be_penalized():
    def size(law):
        return 0.5 * sum(parameter.square().sum() for parameter in law.parameters())

    method = Adversarial(NonSaturating(), generator_penalty=size)
    loss, plain = plane_game(method), plane_game(Adversarial(NonSaturating()))
    plain.load_state_dict(loss.state_dict())
    x = torch.zeros(4, 2)
    torch.manual_seed(0)
    found = gradients(loss, "generator", x)
    torch.manual_seed(0)
    without = gradients(plain, "generator", x)
    for name, parameter in loss.law.named_parameters():
        torch.testing.assert_close(found[f"law.{name}"], without[f"law.{name}"] + parameter.detach())
    torch.testing.assert_close(seeded(loss, x, player="critic"), seeded(plain, x, player="critic"))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Adversarial("js"), TypeError, "`divergence` must be a Divergence.*got 'js'"),
        (lambda: Adversarial(NonSaturating(), critic_steps=0), ValueError, "at least 1; got 0 and 1"),
        (lambda: Adversarial(NonSaturating(), packing=0), ValueError, "at least 1; got 1 and 0"),
        (lambda: Adversarial(NonSaturating(), penalty_share=0.0), ValueError, r"`penalty_share` must be a share in \(0, 1\]"),
        (lambda: Adversarial(NonSaturating(), top_k=1.5), ValueError, r"`top_k` must be a share in \(0, 1\]; got 1.5"),
        (lambda: Adversarial(NonSaturating(), top_k=Annealed(1.0, 0.0, 5)), ValueError, "`top_k` must be a share"),
        (lambda: Adversarial(Relativistic(Hinge()), top_k=0.5), TypeError, "PointwiseDivergence.*got Relativistic"),
        (lambda: Adversarial(EnergyDistance(), top_k=0.5), TypeError, "PointwiseDivergence.*got EnergyDistance"),
    ],
)
def test_wrong_options_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_penalties_and_counts_of_the_wrong_kind_are_named():
    for wrong in (R1(1.0), [10.0], [nn.Identity()]):
        with pytest.raises(TypeError, match="`penalties` must be a sequence of Penalty"):
            Adversarial(NonSaturating(), penalties=wrong)
    with pytest.raises(ValueError, match="integers, at least 1"):
        Adversarial(NonSaturating(), critic_steps=1.5)

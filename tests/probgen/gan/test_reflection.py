"""The reflection that cycle consistency leaves open: the loss in closed form, both signs found, a symmetry of real images."""

import math

import pytest
import torch
from torch import nn

from probgen.data import load_digits, negative
from probgen.gan import (
    CycleGAN,
    LinearMap,
    QuadraticCritic,
    deterministic_law,
    linear_cycle_gan,
    linear_cycle_loss,
)
from probgen.infer import Wasserstein, fit
from probgen.nn import MLPCritic


class Slope(nn.Module):
    """The best 1-Lipschitz critic between centered normal laws: |x| or -|x|."""

    def __init__(self, sign):
        super().__init__()
        self.sign = sign

    def forward(self, x):
        return self.sign * x.abs()


@pytest.mark.statistical(false_alarm=1e-9)
@pytest.mark.parametrize(("a", "c"), [(2.0, 0.5), (-2.0, -0.5), (1.0, 1.0), (0.7, -0.4), (-3.0, 0.5)])
def test_the_closed_form_is_what_the_objective_computes(a, c):
    """With the best critics the objective's terms are those of the formula; detects a deviation of 1 %."""
    torch.manual_seed(0)
    scale, number = 2.0, 200_000
    x, y = torch.randn(number, 1, dtype=torch.float64), scale * torch.randn(number, 1, dtype=torch.float64)
    best = Slope(1.0 if abs(c) * scale < 1 else -1.0), Slope(1.0 if abs(a) < scale else -1.0)
    there, back = (deterministic_law(LinearMap(slope), (1,), (1,)) for slope in (a, c))
    options = {"divergence": Wasserstein(), "cycle_weight": 3.0, "identity_weight": 0.5, "pool_size": 0}
    judged = CycleGAN(there, back, *best, **options).double()
    unjudged = CycleGAN(there, back, Slope(0.0), Slope(0.0), **options).double()
    with torch.no_grad():  # a critic minimizes minus the distance; without critics the other terms are left
        found = unjudged(x, y, player="generators") - judged(x, y, player="critics")
    wanted = linear_cycle_loss(a, c, scale, cycle_weight=3.0, identity_weight=0.5)
    spread = (1 + abs(a) + scale * (1 + abs(c))) * (1 + 3.0 * abs(a * c - 1) + 0.5 * (abs(a - 1) + abs(c - 1)))
    assert abs(float(found - wanted)) < 6.2 * spread / math.sqrt(number)


def test_exactly_two_points_have_zero_loss():
    slopes = torch.cat([-(10 ** torch.linspace(-1, 1, 201)), 10 ** torch.linspace(-1, 1, 201)]).double()
    scale = float(slopes[250])
    loss = linear_cycle_loss(slopes[:, None], (1 / slopes)[None, :], scale)
    zero = {(round(float(slopes[i]), 6), round(float(1 / slopes[j]), 6)) for i, j in (loss < 1e-9).nonzero().tolist()}
    assert zero == {(round(s, 6), round(1 / s, 6)) for s in (scale, -scale)}


def test_identity_term_prefers_the_positive_map_but_is_not_zero_there():
    plus, minus = (float(linear_cycle_loss(a, 1 / a, 2.0, identity_weight=5.0)) for a in (2.0, -2.0))
    assert 0 < plus < minus
    assert plus == pytest.approx(5 * math.sqrt(2 / math.pi) * (2 * 1 + 0.5))


@pytest.mark.parametrize(("seed", "sign"), [(7, 1), (4, -1)])
def test_training_finds_either_map(seed, sign):
    generator = torch.Generator().manual_seed(1)
    data = [(torch.randn(128, 1, generator=generator), 2 * torch.randn(128, 1, generator=generator)) for _ in range(50)]
    model = linear_cycle_gan(seed)
    torch.manual_seed(0)
    rates = {"critics": 0.1, "generators": 0.05}
    fit(
        model,
        data,
        {name: lambda p, rate=rate: torch.optim.Adam(p, lr=rate, betas=(0.5, 0.9)) for name, rate in rates.items()},
        steps=500,
        schedule=lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda k: 1 - k / 251),
        progress=False,
    )
    ones = torch.ones(1, 1)
    a, c = model.law_ab(ones).sample().item(), model.law_ba(ones).sample().item()
    assert a == pytest.approx(sign * 2, abs=0.15)
    assert a * c == pytest.approx(1, abs=0.05)


def test_on_images_with_their_negatives_copying_and_inverting_have_one_loss():
    digits = load_digits().train.x[:50].float().unsqueeze(1) / 8 - 1
    a, b = (torch.cat([half, negative(half)]) for half in digits.split(25))
    torch.manual_seed(0)
    critics = MLPCritic((1, 8, 8)), MLPCritic((1, 8, 8))
    losses = []
    for slope in (1.0, -1.0):
        there, back = (deterministic_law(LinearMap(slope), (1, 8, 8), (1, 8, 8)) for _ in range(2))
        model = CycleGAN(there, back, *critics, pool_size=0)
        losses.append(torch.stack([model(a, b, player=player) for player in model.players]))
    torch.testing.assert_close(losses[0], losses[1])


def test_the_quadratic_critic_is_the_logit_of_two_normal_laws():
    critic = QuadraticCritic()
    with torch.no_grad():
        critic.coefficients.copy_(torch.tensor([math.log(2.0), 0.0, 1 / 8 - 1 / 2]))
    x = torch.linspace(-3, 3, 7).unsqueeze(1)
    first, second = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(0.0, 2.0)
    torch.testing.assert_close(critic(x), first.log_prob(x) - second.log_prob(x))

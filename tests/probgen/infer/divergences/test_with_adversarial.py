"""Every divergence trains through ``Adversarial`` and ``fit``, and the estimate falls as the generator comes nearer."""

import pytest
import torch
from torch import nn

from probgen.distributions import ImplicitLaw, standard_normal
from probgen.infer import R1, Adversarial, ConsistencyPenalty, ReconstructionCritic, fit
from tests.probgen.infer.divergences.cases import CASES


class Shift(nn.Module):
    """Noise moved by a parameter: the law N(shift, 1)."""

    def __init__(self, start):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor([start]))

    def forward(self, noise):
        return noise + self.shift


def critic_for(name):
    if name == "boundary_equilibrium":
        return ReconstructionCritic(nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)))
    return nn.Sequential(nn.Linear(1, 16), nn.Softplus(), nn.Linear(16, 1))


def factory(rate):
    return lambda parameters: torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.9))


@pytest.mark.parametrize("name", CASES)
def test_generator_moves_towards_the_data(name):
    # Data N(0, 1), draws N(2, 1). Thirty rounds bring every divergence a part of the way; none may lead away.
    divergence = CASES[name].make()
    law = ImplicitLaw(standard_normal(1), Shift(2.0), event_shape=(1,))
    critic = critic_for(name) if divergence.needs_critic else None
    penalties = [] if critic is None or divergence.penalties else [R1(0.1)]
    loss = Adversarial(divergence, penalties=penalties)(law, critic)
    batches = [torch.randn(64, 1) for _ in range(60)]
    rates = {"critic": factory(0.05), "generator": factory(0.03)} if critic is not None else factory(0.03)
    history = fit(loss, batches, rates, steps=60, progress=False)
    assert torch.tensor(history.losses).isfinite().all()
    assert law.generator.shift.item() < 1.8


def test_consistency_goes_with_any_divergence():
    law = ImplicitLaw(standard_normal(1), Shift(2.0), event_shape=(1,))
    penalty = ConsistencyPenalty(lambda x: x + 0.1 * torch.randn_like(x), balanced=True)
    loss = Adversarial(CASES["hinge"].make(), penalties=[penalty])(law, critic_for("hinge"))
    assert loss(torch.randn(8, 1), player="critic").isfinite()

"""Learned noise between the integers: dequantization_noise, DequantizationNoise."""

import pytest
import torch
from torch import nn

from probgen.distributions import DequantizedLaw
from probgen.distributions.bijectors import Affine, ConditionalElementwise, Reshape
from probgen.flows import DequantizationNoise, dequantization_noise, glow


def test_it_starts_as_uniform_noise():
    torch.manual_seed(0)
    noise = dequantization_noise((1, 4, 4), levels=256, steps=2, hidden=8)
    x = torch.randint(256, (3, 1, 4, 4)).float()
    u, log_q = noise(x).rsample_and_log_prob((200,))
    assert log_q.abs().max() < 1e-3
    u = u.detach()
    assert u.shape == (200, 3, 1, 4, 4)
    assert 0.48 < float(u.mean()) < 0.52  # 9600 draws: seven standard errors


def test_trained_noise_tightens_the_bound():
    """A density that lives in the lower half of each cell: uniform noise pays for the upper half, learned noise avoids it."""

    class LowerHalf(torch.distributions.Distribution):
        arg_constraints = {}
        support = torch.distributions.constraints.independent(torch.distributions.constraints.real, 3)

        def log_prob(self, y):
            return (-20.0 * (y - y.floor()).clamp(min=0.5).sub(0.5)).sum((-3, -2, -1))

    torch.manual_seed(0)
    noise, density = dequantization_noise((1, 2, 2), levels=4, steps=1, hidden=8), LowerHalf()
    x = torch.randint(4, (16, 1, 2, 2)).float()
    optimizer = torch.optim.Adam(noise.parameters(), lr=0.1)

    def bound():
        u, log_q = noise(x).rsample_and_log_prob()
        return (density.log_prob(x + u) - log_q).mean()

    before = float(bound().detach())
    for _ in range(30):
        optimizer.zero_grad()
        (-bound()).backward()
        optimizer.step()
    assert before < -8.0
    assert float(bound().detach()) > before + 3.0


def test_both_parts_of_a_law_are_trained():
    torch.manual_seed(0)
    noise = dequantization_noise((1, 4, 4), levels=8, steps=1, hidden=4)
    law = DequantizedLaw(glow((1, 4, 4), levels=1, steps=1, hidden=4), levels=8, noise=noise)
    torch.nn.init.normal_(law.bijector.parts[1].conditioner.output.weight)
    (-law().log_prob(torch.randint(8, (5, 1, 4, 4)))).sum().backward()
    assert noise.bijector.parts[2].conditioner.output.weight.grad.any()
    assert all(parameter.grad is not None for parameter in law.parameters())


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="`bijector` must take an event"):
        DequantizationNoise(Reshape((4,), (1, 2, 2)), 8)
    with pytest.raises(ValueError, match="`levels` must be at least 2; got 1"):
        dequantization_noise((1, 4, 4), 1, steps=1, hidden=4)
    with pytest.raises(ValueError, match="`steps` must be positive; got 0"):
        dequantization_noise((1, 4, 4), 8, steps=0)


def test_the_levels_are_seen_from_minus_one_to_one():
    seen = []

    class Spy(nn.Module):
        def forward(self, context):
            seen.append(context)
            return torch.zeros(*context.shape[:-1], 4)

    noise = DequantizationNoise(ConditionalElementwise(Affine(), Spy(), (2,), (2,)), levels=5)
    noise(torch.tensor([[0.0, 4.0], [2.0, 1.0]])).sample()
    torch.testing.assert_close(seen[0], torch.tensor([[-1.0, 1.0], [0.0, -0.5]]))

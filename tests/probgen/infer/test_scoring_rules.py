"""The energy score against direct sums, enumeration, the normal law's closed form and the energy distance."""

import itertools
import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from torch import nn

from probgen.distributions import ImplicitDistribution, standard_normal
from probgen.infer import ELBO, EnergyDistance, energy_score
from probgen.infer.scoring_rules import mean_difference


def root_mean_square(x, event_dim):
    return x.abs() if event_dim == 0 else x.square().flatten(x.dim() - event_dim).mean(-1).sqrt()


@pytest.mark.parametrize("event_dim", [0, 1, 2])
@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_energy_score_is_the_double_sum(number, event_dim):
    torch.manual_seed(0)
    draws, target = torch.randn(number, 5, 4, 3, dtype=torch.float64), torch.randn(5, 4, 3, dtype=torch.float64)
    pairs = [root_mean_square(draws[i] - draws[j], event_dim) for i, j in itertools.permutations(range(number), 2)]
    between = sum(pairs) / (2 * number * (number - 1)) if pairs else 0.0
    wanted = root_mean_square(draws - target, event_dim).mean(0) - between
    torch.testing.assert_close(energy_score(draws, target, event_dim), wanted)


def test_the_score_of_whole_events_sees_how_coordinates_hang_together():
    """Targets (s, s) with a random sign s: draws with one sign for both beat draws with a sign for each."""
    signs = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    target, together, apart = signs[:1], signs[[0, 1]], signs
    by_event = [
        sum(float(energy_score(torch.stack([a, b])[:, None], target, 1)) for a in law for b in law) / len(law) ** 2
        for law in (together, apart)
    ]
    by_coordinate = [
        sum(float(energy_score(torch.stack([a, b])[:, None], target).mean()) for a in law for b in law) / len(law) ** 2
        for law in (together, apart)
    ]
    assert by_event[0] < by_event[1] - 0.05
    assert by_coordinate[0] == pytest.approx(by_coordinate[1])


@pytest.mark.statistical(false_alarm=1e-9)
def test_energy_score_is_proper_where_the_distance_is_not():
    """For targets N(0, 1) the score is lower with draws N(0, 1) than with draws 0; the distance says the opposite."""
    torch.manual_seed(0)
    target, draws = torch.randn(100_000, dtype=torch.float64), torch.randn(2, 100_000, dtype=torch.float64)
    gap = energy_score(draws, target) - energy_score(torch.zeros_like(draws), target)
    exact = 1 / math.sqrt(math.pi) - math.sqrt(2 / math.pi)  # E|Y - y| - E|Y - Y'|/2 = 1/sqrt(pi), against E|y|
    assert abs(float(gap.mean()) - exact) < 6.2 * float(gap.std()) / math.sqrt(100_000)
    assert exact < 0 < float(((draws - target).abs().mean(0) - target.abs()).mean())


def test_energy_score_has_the_gradient_of_its_terms():
    draws = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: energy_score(y, torch.tensor(0.1, dtype=torch.float64)), draws)


def test_energy_score_is_unbiased():
    """The mean over all equally likely triples of draws is the score of the law; the estimate of one triple is not."""
    law, y = torch.tensor([-1.0, 0.5, 0.5, 4.0]).double(), torch.tensor([0.0, 2.0]).double()
    exact = (law[:, None] - y).abs().mean(0) - (law[:, None] - law).abs().mean() / 2
    triples = torch.cartesian_prod(law, law, law).mT
    torch.testing.assert_close(energy_score(triples.unsqueeze(1), y[:, None]).mean(-1), exact)
    biased = (triples[:, None] - y[:, None]).abs().mean(0) - (triples[:, None] - triples).abs().mean((0, 1)) / 2
    assert (biased.mean(-1) - exact).abs().min() > 0.05


def test_the_score_of_a_normal_law():
    """E|Y - y| - E|Y - Y'|/2 = s (2 phi(d) + d (2 Phi(d) - 1) - 1/sqrt(pi)) with d = (y - mean) / s."""
    y, mean, s = torch.linspace(-6, 6, 25).double(), 0.7, 1.6
    quantiles = mean + s * math.sqrt(2) * torch.erfinv(2 * (torch.arange(20_000).double() + 0.5) / 20_000 - 1)
    unit, d = dist.Normal(torch.zeros(()).double(), 1.0), (y - mean) / s
    exact = s * (2 * unit.log_prob(d).exp() + d * (2 * unit.cdf(d) - 1) - 1 / math.sqrt(math.pi))
    torch.testing.assert_close(energy_score(quantiles.unsqueeze(1), y), exact, atol=1e-3, rtol=0)
    assert float(mean_difference(quantiles)) == pytest.approx(2 * s / math.sqrt(math.pi), abs=1e-3)


@pytest.mark.parametrize("event_dim", [0, 1])
def test_mean_score_is_half_the_energy_distance_and_a_constant_of_the_data(event_dim):
    torch.manual_seed(0)
    draws, data = torch.randn(6, 1, *(3,) * event_dim).double(), torch.randn(5, *(3,) * event_dim).double()
    size = math.sqrt(3) if event_dim else 1.0  # the score's norm is the root of a mean
    distance = EnergyDistance().estimate(data, draws[:, 0]) / size
    constant = torch.stack([root_mean_square(a - b, event_dim) for a, b in itertools.permutations(data, 2)]).mean()
    torch.testing.assert_close(energy_score(draws, data, event_dim).mean(), (distance + constant) / 2)


def test_a_broadcast_score_is_that_of_every_datum():
    torch.manual_seed(0)
    draws, data = torch.randn(4, 1, 3, 2), torch.randn(7, 3, 2)
    for event_dim in (0, 1):
        each = torch.stack([energy_score(draws[:, 0], y, event_dim) for y in data])
        torch.testing.assert_close(energy_score(draws, data, event_dim), each)


def test_no_data_and_other_dtypes():
    assert energy_score(torch.zeros(3, 1, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)).shape == (0,)
    assert energy_score(torch.zeros(3, dtype=torch.float64), torch.zeros((), dtype=torch.float64)).dtype == torch.float64


class Locations(nn.Module):
    """y ~ theta + noise by draws only, for several groups; w is the weight of the score."""

    def __init__(self, groups, weight):
        super().__init__()
        self.loc, self.log_scale = (nn.Parameter(torch.zeros(groups).double()) for _ in range(2))
        self.weight = weight

    def model(self, y):
        with pyro.plate("groups", y.shape[1]):
            theta = pyro.sample("theta", dist.Normal(torch.zeros(()).double(), 10.0))
            law = ImplicitDistribution(standard_normal(()), lambda z, t: t + z, event_shape=(), context_shape=(), context=theta)
            pyro.factor("y", -self.weight * energy_score(law.rsample((8,)).unsqueeze(1), y).sum(0))

    def guide(self, y):
        with pyro.plate("groups", y.shape[1]):
            pyro.sample("theta", dist.Normal(self.loc, self.log_scale.exp()))


def test_the_elbo_of_a_program_with_a_score_is_the_generalized_one():
    """Its mean over draws is w E_q S + KL(q || prior), S of theta ~ N(m, s^2) being that of N(m, 1 + s^2) and a bit more:
    E|Y - y| takes the wider law, E|Y - Y'| stays 2 / sqrt(pi)."""
    torch.manual_seed(0)
    y = torch.randn(12, 2000, dtype=torch.float64)[:, :1].expand(-1, 2000).contiguous()  # one group, two thousand times
    programs = Locations(2000, weight=1.7)
    with torch.no_grad():
        programs.loc += 0.4
        programs.log_scale -= 0.5
        values = torch.stack([ELBO()(programs.model, programs.guide)(y) / 2000 for _ in range(30)])
    spread, unit = math.sqrt(1 + math.exp(-1.0)), dist.Normal(torch.zeros(()).double(), 1.0)
    d = (y[:, 0] - 0.4) / spread
    distance = spread * (2 * unit.log_prob(d).exp() + d * (2 * unit.cdf(d) - 1))
    prior = dist.Normal(torch.zeros(()).double(), 10.0)
    divergence = torch.distributions.kl_divergence(dist.Normal(torch.tensor(0.4).double(), math.exp(-0.5)), prior)
    exact = 1.7 * (distance - 1 / math.sqrt(math.pi)).sum() + divergence
    torch.testing.assert_close(values.mean(), exact, rtol=0.01, atol=0.0)

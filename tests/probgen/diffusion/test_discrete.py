"""Discrete diffusion end to end: the bound and its estimates against enumeration, training, sampling, contexts."""

import itertools
import math

import pytest
import torch
from pyro.infer import Trace_ELBO

import probgen as pg
from probgen.diffusion import CategoricalDiffusion, CategoricalLoss, CategoricalTerm, categorical_bound_terms, categorical_term
from probgen.distributions.chains import TimeGrid


class Small(torch.nn.Module):
    """One-hot states of all coordinates to logits of all coordinates."""

    def __init__(self, values, states, size, hidden=64, context_shape=None):
        super().__init__()
        self.values, self.states, self.context_shape = values, states, context_shape
        extra = 1 + (context_shape[0] if context_shape else 0)
        self.body = torch.nn.Sequential(
            torch.nn.Linear(states * size + extra, hidden), torch.nn.SiLU(), torch.nn.Linear(hidden, values * size)
        )

    def forward(self, x, log_snr, context=None):
        one_hot = torch.nn.functional.one_hot(x.flatten(1), self.states).flatten(1).float()
        inputs = [one_hot, torch.tanh(log_snr / 4)[:, None]] + ([] if context is None else [context])
        return self.body(torch.cat(inputs, 1)).reshape(*x.shape, self.values)


def model(kind="absorbing", grid=4, **options):
    torch.manual_seed(0)
    states = 3 if kind == "absorbing" else 2
    return CategoricalDiffusion(Small(2, states, 3, **options), 2, (3,), kind, grid=grid)


@pytest.mark.statistical(false_alarm=1e-10)
@pytest.mark.parametrize("kind", ["absorbing", "uniform", "gaussian"])
def test_three_estimates_of_the_bound_agree(kind):
    """One random step, all steps, and whole trajectories; detects a difference of 7 standard errors, about 0.05 nats."""
    d = model(kind)
    x = torch.tensor([[0, 1, 1]]).expand(20_000, 3)
    with torch.no_grad():
        terms = categorical_bound_terms(d, x)
        path = d.chain().posterior(x).sample()
        trajectory = d.chain().posterior(x).log_prob(path) - d.chain().log_prob(torch.cat([x.unsqueeze(1), path], 1))
        steps = len(d.grid) * categorical_term(d, x, torch.randint(1, 5, (len(x),))).nats + terms[:, -1]
    truth = terms.sum(1)
    assert isinstance(categorical_term(d, x[:2], torch.tensor([1, 2])), CategoricalTerm)
    for estimate in (trajectory, steps):
        error = (truth.var() / len(x) + estimate.var() / len(x)).sqrt()
        assert abs(truth.mean() - estimate.mean()) < 7 * error
    assert 7 * error < 0.2
    loss = torch.stack([d.loss(auxiliary=0.0)(x) for _ in range(3)]).mean()
    assert abs(loss - truth.mean()) < 7 * steps.std() / len(x) ** 0.5 + 7 * truth.std() / len(x) ** 0.5


def test_auxiliary_term_is_the_cross_entropy():
    d = model(grid=1)  # everything is masked, so a step is a guess at the data, and both parts of the loss are the same
    x = torch.tensor([[0, 1, 1], [1, 1, 0]])
    plain, both = CategoricalLoss(d, 0.0)(x), CategoricalLoss(d, 0.5)(x)
    torch.testing.assert_close(both, 1.5 * plain)
    with pytest.raises(ValueError, match="`auxiliary` must be at least 0"):
        d.loss(-1.0)


@pytest.mark.statistical(false_alarm=1e-9)
def test_learns_a_correlated_law_and_draws_from_it():
    """Three coins that are equal 90 % of the time. Detects a probability that is off by 0.06 (7 standard errors)."""
    torch.manual_seed(0)
    table = torch.full((8,), 0.1 / 6)
    table[0] = table[7] = 0.45
    states = torch.tensor(list(itertools.product(range(2), repeat=3)))

    def draw(n):
        return states[torch.multinomial(table, n, replacement=True)]

    d = CategoricalDiffusion(Small(2, 3, 3), 2, (3,), grid=20)
    batches = [draw(256) for _ in range(400)]
    pg.infer.fit(d.loss(), batches, lambda p: torch.optim.Adam(p, lr=1e-2), progress=False)
    entropy = -(table * table.log()).sum()
    bound = categorical_bound_terms(d, draw(4000)).sum(1).mean()
    assert entropy - 0.1 < bound < entropy + 0.25, "nats; a model of independent coins needs 2.08"
    drawn = d.sample((4000,))
    shares = (drawn[:, None] == states).all(-1).float().mean(0)
    assert float((shares - table).abs().max()) < 0.12
    fewer = d.sample((50,), grid=d.grid.respaced(5))
    assert fewer.shape == (50, 3)


def test_contexts_and_programs():
    d = model(context_shape=(2,))
    x, c = torch.randint(2, (5, 3)), torch.randn(5, 2)
    assert math.isfinite(Trace_ELBO().loss(d.model, d.guide, x, c))
    assert d.loss()(x, c).shape == ()
    assert d.sample((7,), c).shape == (7, 5, 3)
    assert d.model(None, c, size=5).shape == (5, 3)
    assert isinstance(d.grid, TimeGrid)

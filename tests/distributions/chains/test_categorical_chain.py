"""Categorical chains against enumeration: masses, bounds, exact models, and the chain that is an autoregressive model."""

import itertools
import math

import pytest
import torch
from pyro.infer import Trace_ELBO
from torch.distributions import kl_divergence

from probgen.distributions.chains import (
    CategoricalChain,
    CategoricalDenoiser,
    CategoricalProcess,
    IndependentValues,
    OrderedMasking,
    TimeGrid,
    cosine_schedule,
)

KINDS = ["uniform", "absorbing", "gaussian"]


class TableNetwork(torch.nn.Module):
    """Any smooth function of states and noise: a linear map of the one-hot states of all coordinates."""

    def __init__(self, values, states, size, scale=1.0):
        super().__init__()
        self.values, self.states, self.size = values, states, size
        self.linear = torch.nn.Linear(states * size + 1, values * size)
        torch.nn.init.normal_(self.linear.weight, std=scale)

    def forward(self, x, log_snr, context=None):
        one_hot = torch.nn.functional.one_hot(x.flatten(1), self.states).flatten(1).to(self.linear.weight)
        logits = self.linear(torch.cat([one_hot, torch.tanh(log_snr / 4).to(one_hot)[:, None]], 1))
        return logits.reshape(*x.shape, self.values)


def enumerated(values, size):
    """All vectors of ``size`` coordinates with ``values`` values, ``[values ** size, size]``."""
    return torch.tensor(list(itertools.product(range(values), repeat=size)))


def all_paths(chain, size):
    """All paths of a small chain ``[n, N + 1, size]``."""
    states, values = chain.process.states, chain.process.values
    data, noisy = enumerated(values, size), enumerated(states, size)
    parts = [data, *[noisy] * len(chain.grid)]
    index = torch.cartesian_prod(*[torch.arange(len(part)) for part in parts])
    return torch.stack([part[index[:, i]] for i, part in enumerate(parts)], 1)


def random_chain(kind, values=2, size=2, steps=2, schedule=None):
    torch.manual_seed(0)
    process = CategoricalProcess(values, (size,), kind, schedule).double()
    network = TableNetwork(values, process.states, size).double()
    return CategoricalChain(CategoricalDenoiser(network, process), TimeGrid(steps))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("schedule", [None, cosine_schedule(terminal_log_snr=-3.0)], ids=["nothing left", "something left"])
def test_all_paths_have_mass_one(kind, schedule):
    chain = random_chain(kind, schedule=schedule)
    paths = all_paths(chain, 2)
    assert abs(float(chain.log_prob(paths).detach().logsumexp(0))) < 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_is_below_the_enumerated_likelihood_and_the_gap_is_the_divergence(kind):
    chain = random_chain(kind, schedule=cosine_schedule(terminal_log_snr=-3.0))
    paths = all_paths(chain, 2)
    joint = chain.log_prob(paths).detach()
    for x_0 in enumerated(2, 2):
        mine = (paths[:, 0] == x_0).all(1)
        log_p = joint[mine].logsumexp(0)
        log_q = chain.posterior(x_0.expand(int(mine.sum()), 2)).log_prob(paths[mine, 1:])
        q = log_q.exp()
        assert abs(float(q.sum()) - 1) < 1e-9
        weighed = torch.where(q > 0, q * (joint[mine] - log_q), 0.0)
        bound = weighed.sum()
        posterior = joint[mine] - log_p
        gap = torch.where(q > 0, q * (log_q - posterior), 0.0).sum()
        assert bound < log_p - 1e-6
        torch.testing.assert_close(log_p - bound, gap)


@pytest.mark.parametrize("kind", KINDS)
def test_bound_is_constant_at_the_exact_model(kind):
    torch.manual_seed(0)
    process = CategoricalProcess(3, (2,), kind).double()
    oracle = IndependentValues(process, torch.tensor([[0.7, 0.2, 0.1], [0.05, 0.15, 0.8]]).double().log())
    chain = CategoricalChain(CategoricalDenoiser(oracle, process), TimeGrid(4))
    x = torch.tensor([[0, 2], [2, 0], [1, 1]])
    exact = -float(oracle.data.log_prob(x).sum())
    losses = torch.tensor([Trace_ELBO().loss(chain.model, chain.guide, x) for _ in range(20)])
    torch.testing.assert_close(losses, torch.full_like(losses, exact), rtol=1e-6, atol=1e-6)
    forward = torch.tensor([Trace_ELBO().loss(chain.model, chain.forward_guide, x) for _ in range(20)])
    torch.testing.assert_close(forward, losses, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_last_kernel_is_the_limit_of_the_others(kind):
    chain = random_chain(kind, values=3, steps=3)
    x = torch.tensor([[0, 1], [2, 2], [1, 0]])
    denoised = chain.denoiser(x, 0.3)
    limit = denoised.reverse(chain.process.schedule.level(0.0))
    torch.testing.assert_close(limit.probs[..., :3], denoised.log_probs.exp())


def test_generated_paths_are_integers_in_the_support():
    chain = random_chain("absorbing", values=4, size=3, steps=5)
    paths = chain.sample((50,))
    assert paths.dtype == torch.int64
    assert paths.shape == (50, 6, 3)
    assert bool(chain.support.check(paths).all())
    assert bool((paths[:, -1] == 4).all()), "nothing is left of the data at the end"
    bad = paths.clone()
    bad[:, 0] = 4
    assert not bool(chain.support.check(bad).any()), "the mask is no datum"


class AutoregressiveLogits(torch.nn.Module):
    """Logits of every coordinate given those before it in an order: a table over all prefixes, as general as can be."""

    def __init__(self, values, order):
        super().__init__()
        self.values, self.order = values, order
        self.tables = torch.nn.ParameterList(
            [torch.nn.Parameter(torch.randn((values,) * d + (values,)).double()) for d in range(len(order))]
        )

    def forward(self, x, log_snr, context=None):
        known = x.clamp(max=self.values - 1)  # whatever a mask is read as: it is never before the coordinate that is drawn
        logits = torch.zeros(*x.shape, self.values).double()
        for d, place in enumerate(self.order):
            logits[:, place] = self.tables[d][tuple(known[:, p] for p in self.order[:d])]
        return logits

    def log_prob(self, x):
        logits = self(x, None).log_softmax(-1)
        return logits.gather(-1, x.unsqueeze(-1)).squeeze(-1).sum(-1)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_masking_in_order_is_an_autoregressive_model(order):
    torch.manual_seed(0)
    process = CategoricalProcess(3, (3,), OrderedMasking(3, (3,), order)).double()
    model = AutoregressiveLogits(3, order)
    chain = CategoricalChain(CategoricalDenoiser(model, process), TimeGrid(3))
    x = enumerated(3, 3)
    assert abs(float(model.log_prob(x).detach().logsumexp(0))) < 1e-12
    path = chain.posterior(x).sample()  # the forward process is deterministic: there is one path for each datum
    joint = chain.log_prob(torch.cat([x.unsqueeze(1), path], 1))
    torch.testing.assert_close(chain.posterior(x).log_prob(path), torch.zeros(27).double())
    torch.testing.assert_close(joint, model.log_prob(x))
    for _ in range(3):
        loss = Trace_ELBO().loss(chain.model, chain.guide, x)
        assert math.isclose(loss, -float(model.log_prob(x).detach().sum()), rel_tol=1e-6)


def test_divergences_are_finite_and_differentiable_with_impossible_states():
    chain = random_chain("absorbing", values=3, steps=4)
    x_0 = torch.tensor([[0, 2], [1, 1]])
    times = chain.grid.times
    x_t = torch.tensor([[3, 2], [3, 3]])
    q = chain.process.posterior(x_t, x_0, float(times[1]), float(times[2]))
    p = chain.kernel(x_t, 2)
    divergence = kl_divergence(q, p)
    divergence.sum().backward()
    assert bool(divergence.isfinite().all())
    assert bool((divergence >= 0).all())
    assert bool(chain.denoiser.network.linear.weight.grad.isfinite().all())

"""Autoregressive laws against known entropies: exact where they are exact, and from above where they are trained."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from probgen.distributions import Autoregressive, AutoregressiveLaw
from probgen.distributions.elements import BernoulliElement, NormalElement
from probgen.distributions.testing import mean_test
from probgen.metrics import bits_per_dim
from probgen.nn import MADE
from probgen.nn.causal import CausalNetwork
from tests.distributions.autoregressive.targets import fitted, flip_chain, gaussian_chain, ising, ising_energy

FLIP_RATE = 0.32508297  # nats a bit, -.1 log .1 - .9 log .9
GAUSS_RATE = 0.58857293  # nats a value, log(2 pi e (1 - .9^2)) / 2
ISING = {3: (7.26765277, 5.09129368, -5.44089773), 4: (13.18657342, 8.66342512, -11.30787075)}


class Persistent(CausalNetwork):
    """The flip chain itself: the logit of a bit is that of the bit before, kept with probability .9."""

    def __init__(self, length):
        super().__init__((length,), 1)
        self.logit = nn.Parameter(torch.tensor(math.log(9.0), dtype=torch.float64))

    def _run(self, canvas, context, stream):
        before = nn.functional.pad(canvas, (1, -1))
        known = (torch.arange(canvas.shape[-1]) > 0).to(canvas)
        logits = self.logit * (2 * before - 1) * known
        return logits if stream is None else logits[..., stream.position]


def test_the_flip_chain_has_its_entropy_rate():
    chains = {length: flip_chain(length) for length in (7, 8)}
    assert chains[8].entropy - chains[7].entropy == pytest.approx(FLIP_RATE, abs=5e-9)
    assert FLIP_RATE / math.log(2) == pytest.approx(0.46899559, abs=5e-9)
    law = Autoregressive(Persistent(8).double(), (8,), BernoulliElement())
    torch.testing.assert_close(law.log_prob(chains[8].states), chains[8].log_prob, rtol=0, atol=1e-12)


@pytest.mark.statistical(false_alarm=1e-9)
def test_draws_of_the_flip_chain_cost_its_entropy():
    """The mean of 4000 draws; a rate that is wrong by .02 nats a bit (of .325) moves it by twelve standard errors."""
    law = Autoregressive(Persistent(40).double(), (40,), BernoulliElement())
    with torch.no_grad():
        nats = -law.log_prob(law.sample((4000,)))
    entropy = math.log(2) + 39 * -(0.1 * math.log(0.1) + 0.9 * math.log(0.9))
    assert mean_test(nats, entropy, 1e-9).passed
    assert not mean_test(nats + 0.02 * 39, entropy, 1e-9).passed


@pytest.mark.parametrize("size", ISING)
def test_the_ising_model_has_its_published_constants(size):
    log_z, entropy, energy = ISING[size]
    target = ising(size)
    energies = ising_energy(target.states)
    assert float((-0.4 * energies).logsumexp(0)) == pytest.approx(log_z, abs=5e-9)
    assert target.entropy == pytest.approx(entropy, abs=5e-9)
    assert float((target.log_prob.exp() * energies).sum()) == pytest.approx(energy, abs=5e-9)


@pytest.mark.parametrize(
    ("target", "entropy", "gap"),
    [
        pytest.param(flip_chain(8), math.log(2) + 7 * FLIP_RATE, 0.01, id="flip chain"),
        pytest.param(ising(3), ISING[3][1], 0.01, id="ising 3x3"),
        pytest.param(ising(4), ISING[4][1], 0.03, id="ising 4x4"),
    ],
)
def test_a_trained_law_approaches_the_entropy_from_above(target, entropy, gap):
    """KL(p || q) by listing all states: zero at least up to rounding, and small after a second of training.

    Independent fair bits, and the untrained network, are more than a nat away.
    """
    shape = tuple(target.states.shape[1:])
    torch.manual_seed(1)
    model = AutoregressiveLaw(MADE(math.prod(shape), 1, hidden=(64,)), shape, BernoulliElement())
    before = target.cross_entropy(model()) - entropy
    law = fitted(model, lambda: target.sample(256).float(), steps=300, rate=2e-2)
    after = target.cross_entropy(law) - entropy
    assert -1e-5 <= after <= gap
    assert before > 1


@pytest.mark.statistical(false_alarm=2e-9)
def test_a_trained_gaussian_chain_approaches_the_entropy_rate_from_above():
    """The divergence of each conditional in closed form at draws of the chain, so that every term is positive.

    The chain is in the class, so what is left is the noise of training: two hundredths of a nat in all six values.
    The mean cost of 4000 draws is the entropy plus that divergence, up to six standard errors (.16 nats).
    """
    rho, length = 0.9, 6
    assert 0.5 * math.log(2 * math.pi * math.e * (1 - rho**2)) == pytest.approx(GAUSS_RATE, abs=5e-9)
    torch.manual_seed(2)
    model = AutoregressiveLaw(MADE(length, 2, hidden=(48,), activation=nn.Tanh), (length,), NormalElement())
    law = fitted(model, lambda: gaussian_chain(256, length), steps=300)
    values = gaussian_chain(4000, length)
    before = nn.functional.pad(values, (1, -1))
    exact = Normal(rho * before, torch.tensor([1.0] + [math.sqrt(1 - rho**2)] * (length - 1)))
    with torch.no_grad():
        learned = law.element(law.network(values))
        terms = kl_divergence(exact, Normal(learned.mean, learned.stddev))
        nats = -law.log_prob(values)
    assert float(terms.min()) >= -1e-6
    assert 0 <= float(terms.sum(-1).mean()) < 0.03
    entropy = 0.5 * math.log(2 * math.pi * math.e) + (length - 1) * GAUSS_RATE
    assert float(nats.mean()) == pytest.approx(entropy + float(terms.sum(-1).mean()), abs=6 * float(nats.std()) / 4000**0.5)


def test_bits_per_dimension_of_known_laws():
    assert bits_per_dim(torch.full((2,), -784 * math.log(256), dtype=torch.float64), 784).mean == pytest.approx(8.0, abs=1e-12)
    assert 784 * math.log(2) == pytest.approx(543.4274, abs=5e-5)
    coin = Autoregressive(Silent(784), (784,), BernoulliElement())
    assert coin.log_prob(torch.zeros(784)).item() == pytest.approx(-543.4274, abs=5e-4)
    assert bits_per_dim(torch.full((2,), -79.20), 784).mean == pytest.approx(0.14574, abs=5e-6)


class Silent(CausalNetwork):
    """Logits of zero, whatever it sees."""

    def __init__(self, length):
        super().__init__((length,), 1)
        self.zero = nn.Parameter(torch.zeros(()))

    def _run(self, canvas, context, stream):
        return self.zero * canvas if stream is None else self.zero * canvas[..., stream.position]

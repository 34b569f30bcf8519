"""Autoregressive laws against enumeration, hand-written chains and known entropies."""

import itertools
import math

import pytest
import torch
from scipy.stats import chi2
from torch import nn

from probgen.distributions import Autoregressive, OneHotEmbedding, ScaledEmbedding
from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import Affine, IncrementalNetwork, MaskedAutoregressive
from probgen.distributions.elements import BernoulliElement, CategoricalElement, Element, NormalElement
from probgen.nn import MADE
from tests.distributions.autoregressive.examples import Told


class Chain(IncrementalNetwork):
    """The logit of a binary Markov chain: stay with probability 1 - flip."""

    def __init__(self, features, flip):
        super().__init__()
        self.features, self.num_outputs = features, 1
        self.logit = nn.Parameter(torch.tensor(math.log((1 - flip) / flip), dtype=torch.float64))

    @property
    def levels(self):
        return tuple((k,) for k in range(self.features))

    def forward(self, values, context=None):
        before = torch.nn.functional.pad(2 * values[..., :-1] - 1, (1, 0))
        return (self.logit * before).unsqueeze(-1)

    def init_state(self, batch_shape, context=None):
        return torch.zeros(*batch_shape, 0), self.logit.new_zeros(*batch_shape, 1, 1)

    def step(self, state, values):
        return state, (self.logit * (2 * values - 1)).unsqueeze(-1)


def binary(order=None):
    network = MADE(9, 1, hidden=(24,), order=order)
    torch.nn.init.normal_(network.layers[-1].weight)
    return Autoregressive(network.double(), (3, 3), BernoulliElement())


def codes(context=0):
    network = MADE(3, 4, num_inputs=4, hidden=(32,), context_features=context).double()
    return Autoregressive(network, (3,), CategoricalElement(4), embedding=OneHotEmbedding(4))


@pytest.mark.parametrize("order", [None, (4, 0, 8, 2, 6, 1, 3, 5, 7)])
def test_a_binary_law_has_mass_one(order):
    states = torch.tensor(list(itertools.product((0.0, 1.0), repeat=9)), dtype=torch.float64).reshape(-1, 3, 3)
    log_prob = binary(order).log_prob(states)
    assert abs(log_prob.exp().sum() - 1) < 1e-12
    assert log_prob.std() > 0.5  # not the uniform law


def test_codes_have_mass_one_and_depend_on_each_other():
    p = codes()
    states = torch.tensor(list(itertools.product(range(4), repeat=3)))
    mass = p.log_prob(states).exp()
    assert abs(mass.sum() - 1) < 1e-12
    table = mass.reshape(4, 4, 4)
    assert (table - table.sum((1, 2))[:, None, None] * table.sum((0, 2))[:, None] * table.sum((0, 1))).abs().max() > 1e-4
    assert torch.equal(p.enumerate_support(), states)


@pytest.mark.statistical(false_alarm=1e-9)
def test_draws_follow_the_law():
    """Chi-square over 64 states, 20 000 draws: a total variation of 0.04 is found with near certainty."""
    p = codes()
    states = p.enumerate_support()
    drawn = p.sample((20_000,))
    number = (drawn * torch.tensor([16, 4, 1])).sum(-1)
    counts = torch.bincount(number, minlength=64).double()
    expected = 20_000 * p.log_prob(states).exp().detach()
    statistic = float(((counts - expected).square() / expected).sum())
    assert chi2.sf(statistic, 63) > 1e-9


@pytest.mark.parametrize("element", [BernoulliElement(), CategoricalElement(4), NormalElement()])
def test_a_network_that_says_nan_is_an_error(element):
    network = MADE(3, element.num_parameters, hidden=(4,))
    with torch.no_grad():
        next(network.parameters()).fill_(torch.nan)
    with pytest.raises(
        (ValueError, RuntimeError), match=r"`network` must give parameters of a law|Expected p_in >= 0|std >= 0"
    ):
        Autoregressive(network, (3,), element).sample((2,))


def test_what_is_drawn_step_by_step_is_what_the_parallel_pass_says():
    """Reparameterized draws with fixed noise, inverted by the bijector of the same network."""
    network = MADE(5, 2, hidden=(16, 16), order=(3, 1, 4, 0, 2), activation=nn.Tanh).double()
    p = Autoregressive(network, (5,), NormalElement())
    torch.manual_seed(3)
    x = p.rsample((7,))
    torch.manual_seed(3)
    noise = torch.cat([torch.randn(7, 1, dtype=torch.float64) for _ in range(5)], 1)
    params = network(x)
    expected = (x - params[..., 0]) / params[..., 1].exp()
    torch.testing.assert_close(expected[:, [3, 1, 4, 0, 2]], noise)
    (gradient,) = torch.autograd.grad(x.sum(), network.layers[0].weight)
    assert gradient.abs().max() > 0
    assert p.has_rsample


def test_a_normal_chain_is_the_masked_autoregressive_flow():
    """A location and a scale of one network: as a law of elements, and as a bijector of noise."""
    network = MADE(3, 2, hidden=(8,)).double()
    flow = MaskedAutoregressive(Affine(), network, input_bound=1e6)
    x = torch.randn(6, 3, dtype=torch.float64) * 0.1
    z, log_det = flow.inverse_and_log_det(x)
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1) + log_det
    # the flow's scale levels off at a factor of 1000, so exp(s) agrees to s^3 / 3 / log(1000)^2
    torch.testing.assert_close(Autoregressive(network, (3,), NormalElement()).log_prob(x), expected, atol=2e-2, rtol=0)


def test_the_entropy_of_a_binary_chain():
    p = Autoregressive(Chain(12, 0.1), (12,), BernoulliElement())
    states = p.enumerate_support()
    log_prob = p.log_prob(states).detach()
    rate = -(0.1 * math.log(0.1) + 0.9 * math.log(0.9))
    assert rate == pytest.approx(0.32508297)
    assert float(-(log_prob.exp() * log_prob).sum()) == pytest.approx(math.log(2) + 11 * rate, abs=1e-12)


@pytest.mark.parametrize("batch", [(), (7,), (2, 3)])
@pytest.mark.parametrize("sample_shape", [(), (4,), (2, 5)])
def test_every_draw_has_the_context_of_its_own_row(batch, sample_shape):
    torch.manual_seed(0)
    bits = torch.randint(2, (*batch, 6)).float()
    p = Autoregressive(Told(6), (6,), BernoulliElement(), context=2 * bits - 1)
    wanted = bits.expand(*sample_shape, *batch, 6)
    assert torch.equal(p.sample(sample_shape), wanted)
    assert torch.equal(p.expand((3, *batch)).sample(sample_shape), bits.expand(*sample_shape, 3, *batch, 6))
    torch.testing.assert_close(p.log_prob(wanted), torch.zeros((*sample_shape, *batch)))
    for observed in (2, torch.arange(6) == 3):  # exactly, and by particles
        assert torch.equal(p.given(bits, observed).sample(sample_shape), wanted)


def test_contexts_give_the_batch_and_broadcast():
    family = codes(context=2)
    assert family.context_shape == (2,)
    with pytest.raises(ContextError, match="needs a context"):
        family.log_prob(torch.zeros(3, dtype=torch.long))
    context = torch.randn(5, 2, dtype=torch.float64)
    p = family.condition(context)
    assert p.batch_shape == (5,)
    assert p.context_shape is None
    x = p.sample((7,))
    assert x.shape == (7, 5, 3)
    one = [family.condition(context[k]).log_prob(x[:, k]) for k in range(5)]
    torch.testing.assert_close(p.log_prob(x), torch.stack(one, 1))
    torch.testing.assert_close(p.expand((2, 5)).log_prob(x[0]), p.log_prob(x[0]).expand(2, 5))
    assert p.expand((2, 5)).sample((3,)).shape == (3, 2, 5, 3)
    with pytest.raises(ContextError, match="takes no context"):
        codes().condition(context)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (1, 2, 3)])
def test_batches_of_any_shape(shape):
    for p in (binary(), codes(), Autoregressive(MADE(2, 2, hidden=(4,)), (2,), NormalElement())):
        x = p.sample(shape)
        assert x.shape == (*shape, *p.event_shape)
        assert p.log_prob(x).shape == shape


class Pair(Element):
    """Two numbers: a normal one, and one around it."""

    num_parameters = 2
    event_shape = (2,)

    def _law(self, parameters):
        mean = torch.stack([parameters[..., 0], parameters[..., 0] + parameters[..., 1]], -1)
        return torch.distributions.Independent(torch.distributions.Normal(mean, 1.0), 1)


def test_elements_may_be_small_groups_which_come_first():
    network = MADE(4, 2, num_inputs=2, hidden=(16,)).double()
    p = Autoregressive(network, (2, 2, 2), Pair())
    x = p.sample((5,))
    assert x.shape == (5, 2, 2, 2)
    rows = x.movedim(1, -1).reshape(5, 4, 2)
    expected = Pair()(network(rows.reshape(5, 8))).log_prob(rows).sum(-1)
    torch.testing.assert_close(p.log_prob(x), expected)
    assert not p.has_enumerate_support


def test_what_does_not_fit_is_refused():
    made = MADE(4, 1, hidden=(8,))
    with pytest.raises(ValueError, match="must have 6 positions, see 1 numbers of each and give 1"):
        Autoregressive(made, (6,), BernoulliElement())
    with pytest.raises(ValueError, match="give 2 for NormalElement; it has 4, sees 1 and gives 1"):
        Autoregressive(made, (4,), NormalElement())
    with pytest.raises(ValueError, match="see 2 numbers of each"):
        Autoregressive(made, (4,), CategoricalElement(2), embedding=OneHotEmbedding(2))
    with pytest.raises(TypeError, match="`network` must be an instance of IncrementalNetwork; got Linear"):
        Autoregressive(nn.Linear(4, 4), (4,), BernoulliElement())
    with pytest.raises(ValueError, match="must begin with the element's shape"):
        Autoregressive(made, (4,), Pair())
    with pytest.raises(NotImplementedError, match="use `sample`"):
        Autoregressive(made, (4,), BernoulliElement()).rsample()
    wide = Autoregressive(MADE(40, 1, hidden=(8,)), (40,), BernoulliElement(), embedding=ScaledEmbedding(0.5, 0.5))
    with pytest.raises(NotImplementedError, match="more than 65536 states"):
        wide.enumerate_support()
    with pytest.raises(ValueError, match="support"):
        Autoregressive(made, (4,), BernoulliElement()).log_prob(torch.full((4,), 0.5))


def test_a_density_does_not_ask_for_the_order():
    """A law is made anew at every training step; listing the levels of a long sequence would cost more than the network."""

    class Silent(Chain):
        @property
        def levels(self):
            raise AssertionError("asked for the levels")

    p = Autoregressive(Silent(6, 0.1), (6,), BernoulliElement())
    assert p.log_prob(torch.zeros(3, 6, dtype=torch.float64)).shape == (3,)

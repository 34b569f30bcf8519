"""Completing a prefix, against enumeration."""

import copy
import pickle

import pytest
import torch

from probgen.distributions import Autoregressive, Quantization
from probgen.distributions._checks import ContextError
from probgen.distributions.autoregressive import Completion, ExactCompletion, ParticleCompletion
from probgen.distributions.autoregressive.completion import require_bound
from probgen.distributions.autoregressive.exact_completion import is_prefix
from probgen.distributions.elements import BernoulliElement, DiscretizedLogisticMixtureElement, NormalElement
from probgen.nn import MADE
from tests.distributions.autoregressive.examples import MIXED, binary, codes, consistent, two_levels


@pytest.mark.parametrize("length", [0, 1, 4, 9])
def test_a_prefix_is_exact(length):
    p = binary()
    x = p.sample()
    states = p.enumerate_support()
    rest = p.given(x, length)
    assert isinstance(rest, ExactCompletion)
    observed = torch.zeros(9, dtype=torch.bool)
    observed[list(MIXED[:length])] = True
    assert torch.equal(rest.observed.flatten(), observed)
    joint, fits = p.log_prob(states), consistent(states, x, observed.reshape(3, 3))
    evidence = joint[fits].logsumexp(0)
    found = rest.log_evidence()
    assert found.kind == "exact"
    torch.testing.assert_close(found.value, evidence, atol=1e-12, rtol=0)
    wanted = torch.where(fits, joint - evidence, -torch.inf)
    torch.testing.assert_close(rest.log_prob(states[fits]), wanted[fits], atol=1e-12, rtol=0)
    with_wrong = ExactCompletion(p, x, rest.observed, validate_args=False)
    torch.testing.assert_close(with_wrong.log_prob(states), wanted, atol=1e-12, rtol=0)
    if length:
        with pytest.raises(ValueError, match="with the observed values"):
            ExactCompletion(p, x, rest.observed, validate_args=True).log_prob(states)
    draws = rest.sample((50,))
    assert consistent(draws, x, rest.observed).all()
    assert length == 9 or (draws != draws[0]).any()


@pytest.mark.statistical(false_alarm=1e-9)
def test_draws_follow_the_conditional_law():
    """Frequencies of the 32 completions of four pixels, 20 000 draws: six standard errors each, 0.02 is found."""
    p = binary()
    rest = p.given(p.sample(), 4)
    draws = rest.sample((20_000,)).flatten(1)
    states = p.enumerate_support()[rest.agrees(p.enumerate_support())]
    counts = (draws[:, None] == states.flatten(1)).all(-1).double().mean(0)
    wanted = rest.log_prob(states).exp()
    assert (counts - wanted).abs().max() < 6.5 * (0.25 / 20_000) ** 0.5


def test_positions_of_one_level_may_be_observed_in_part():
    p = two_levels()
    x = p.sample()
    mask = torch.zeros(9, dtype=torch.bool)
    mask[[1, 4, 7, 2, 8]] = True
    assert is_prefix(p, mask.reshape(3, 3))
    states = p.enumerate_support()
    fits = consistent(states, x, mask.reshape(3, 3))
    found = p.given(x, mask.reshape(3, 3)).log_evidence().value
    torch.testing.assert_close(found, p.log_prob(states)[fits].logsumexp(0), atol=1e-12, rtol=0)
    mask[4] = False
    assert not is_prefix(p, mask.reshape(3, 3))


def test_what_is_unknown_may_be_nan_and_masks_may_differ():
    p = codes(order=(0, 1, 2, 3))
    x = p.sample((3,)).double()
    mask = torch.tensor([[True, False, False, False], [True, True, True, False], [False] * 4])
    holes = torch.where(mask, x, torch.nan)
    rest = p.given(holes)
    assert isinstance(rest, ExactCompletion)
    assert rest.batch_shape == (3,)
    one = [p.given(x[k], int(mask[k].sum())).log_evidence().value for k in range(3)]
    torch.testing.assert_close(rest.log_evidence().value, torch.stack(one), atol=1e-12, rtol=0)
    draws = rest.sample((4,))
    assert draws.shape == (4, 3, 4)
    assert torch.equal(draws[:, mask], x.long().expand(4, 3, 4)[:, mask])


def test_one_row_that_is_no_prefix_is_enough():
    p = binary(order=None)
    mask = torch.zeros(2, 3, 3, dtype=torch.bool)
    mask[0, 0], mask[1, 2] = True, True  # the first row of pixels, and the last
    x = p.sample((2,))
    assert is_prefix(p, mask[:1])
    assert not is_prefix(p, mask)
    assert isinstance(p.given(x, mask), ParticleCompletion)
    with pytest.raises(ValueError, match="prefix of the network"):
        ExactCompletion(p, x, mask)


def test_contexts_batches_expansion_and_copies():
    p = codes(context=2, order=None).condition(torch.randn(5, 2, dtype=torch.float64))
    x = p.sample()
    rest = p.given(x, 2)
    assert rest.batch_shape == (5,)
    wanted = p._factors(x)[:, 2:].sum(-1)
    torch.testing.assert_close(rest.log_prob(x), wanted)
    wide = rest.expand((2, 5))
    assert wide.sample((3,)).shape == (3, 2, 5, 4)
    torch.testing.assert_close(wide.log_prob(x), rest.log_prob(x).expand(2, 5))
    for twin in (copy.deepcopy(rest), pickle.loads(pickle.dumps(rest))):
        torch.testing.assert_close(twin.log_prob(x), rest.log_prob(x))
    assert p.given(x.expand(0, 5, 4), 2).sample((2,)).shape == (2, 0, 5, 4)
    with pytest.raises(ContextError, match="needs a context"):
        require_bound(codes(context=2))


def test_gradients_reach_parameters_and_observed_values():
    network = MADE(4, 2, hidden=(16,)).double()
    p = Autoregressive(network, (4,), NormalElement())
    x = torch.randn(4, dtype=torch.float64, requires_grad=True)
    rest = p.given(x, 2)
    drawn = rest.rsample((6,))
    gradient, by_x = torch.autograd.grad(drawn[:, 3].sum(), [network.layers[0].weight, x])
    assert gradient.abs().max() > 0
    assert by_x[:2].abs().min() > 0
    assert (by_x[2:] == 0).all()
    total = rest.log_prob(drawn.detach()) + rest.log_evidence().value
    torch.testing.assert_close(total, p.log_prob(drawn.detach()), atol=1e-12, rtol=0)
    with pytest.raises(NotImplementedError, match="use `sample`"):
        binary().given(torch.zeros(3, 3), 2).rsample()


def test_pixels_of_dependent_colors():
    element = DiscretizedLogisticMixtureElement(Quantization(4, 0.0, 1.0), components=2, channels=3)
    p = Autoregressive(MADE(4, element.num_parameters, num_inputs=3, hidden=(16,)), (3, 2, 2), element)
    x = p.sample((2,))
    holes = x.clone()
    holes[:, :, 1] = torch.nan
    rest = p.given(holes)
    draws = rest.sample((3,))
    assert draws.shape == (3, 2, 3, 2, 2)
    assert torch.equal(draws[..., 0, :], x[..., 0, :].expand(3, 2, 3, 2))
    torch.testing.assert_close(rest.log_prob(x) + rest.log_evidence().value, p.log_prob(x))
    torch.testing.assert_close(rest.log_prob(x.double()), rest.log_prob(x), check_dtype=False)
    holes[0, 1, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="all numbers of an element or none"):
        p.given(holes)


def test_what_does_not_fit_is_refused():
    p = binary()
    x = torch.zeros(3, 3, dtype=torch.float64)
    assert issubclass(ExactCompletion, Completion)
    with pytest.raises(ValueError, match="prefix of the network"):
        ExactCompletion(p, x, torch.eye(3, dtype=torch.bool).flip(1))
    with pytest.raises(ValueError, match="0 to 9; got 10"):
        p.given(x, 10)
    with pytest.raises(TypeError, match="got bool"):
        p.given(x, True)
    with pytest.raises(TypeError, match=r"must be boolean; got torch\.float64"):
        ExactCompletion(p, x, x)
    with pytest.raises(ValueError, match="must end with the grid of positions"):
        ExactCompletion(p, x, torch.zeros(9, dtype=torch.bool))
    with pytest.raises(ValueError, match="event shape"):
        p.given(torch.zeros(9), 2)
    checked = Autoregressive(p.network, (3, 3), BernoulliElement(), validate_args=True)
    with pytest.raises(ValueError, match="support"):
        checked.given(torch.full((3, 3), 0.5, dtype=torch.float64), 3)
    checked.given(torch.full((3, 3), 0.5, dtype=torch.float64), 0)  # what is not observed is ignored

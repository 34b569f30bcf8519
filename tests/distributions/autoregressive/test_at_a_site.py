"""Autoregressive laws where distributions are used: plates, masks, mixtures, predictive draws, reports, odd inputs."""

import copy
import math
import pickle

import pyro
import pytest
import torch
from pyro import poutine
from pyro.infer import Predictive
from torch import nn
from torch.distributions import constraints

from probgen.distributions import Autoregressive, Mixture, Quantization
from probgen.distributions.autoregressive.entropy import entropy_estimate
from probgen.distributions.autoregressive.enumeration import MOST_STATES, all_events, finite_values, is_listable
from probgen.distributions.autoregressive.factorized import FactorizedLaw
from probgen.distributions.autoregressive.positions import Positions
from probgen.distributions.elements import (
    BernoulliElement,
    CategoricalElement,
    DiscretizedLogisticElement,
    DiscretizedLogisticMixtureElement,
    NormalElement,
    TopKElement,
)
from probgen.distributions.testing.validation import validation
from probgen.nn import MADE
from tests.distributions.autoregressive.examples import binary, codes


def test_plates_masks_and_predictive():
    p = binary()
    x, keep = p.sample((6,)), torch.tensor([True, False, True, True, False, False])

    def model(x=None):
        with pyro.plate("data", 6), poutine.mask(mask=keep):
            return pyro.sample("x", p, obs=x)

    trace = poutine.trace(model).get_trace(x)
    torch.testing.assert_close(torch.as_tensor(trace.log_prob_sum()), p.log_prob(x)[keep].sum())
    assert Predictive(model, num_samples=5)()["x"].shape == (5, 6, 3, 3)
    assert Predictive(model, num_samples=5, parallel=True)()["x"].shape == (5, 6, 3, 3)
    masked = p.expand((6,)).mask(keep)
    torch.testing.assert_close(masked.log_prob(x), torch.where(keep, p.log_prob(x), 0.0))
    torch.testing.assert_close(p.expand((6,)).to_event(1).log_prob(x), p.log_prob(x).sum())


def test_mixtures_of_autoregressive_laws():
    parts = [binary(seed=0), binary(seed=1, order=None)]
    mixture = Mixture(parts, torch.tensor([0.2, -0.3], dtype=torch.float64))
    states = parts[0].enumerate_support()
    assert abs(mixture.log_prob(states).exp().sum() - 1) < 1e-12
    assert mixture.sample((4,)).shape == (4, 3, 3)


def test_entropy_and_its_estimate():
    torch.manual_seed(0)
    p = codes()
    states = p.enumerate_support()
    log_prob = p.log_prob(states).detach()
    torch.testing.assert_close(p.entropy().detach(), -(log_prob.exp() * log_prob).sum())
    found = p.entropy_estimate(4000)
    assert found.kind == "unbiased"
    assert abs(found.value - p.entropy()) < 6 * found.stderr
    draws = -p.log_prob(p.sample((4000,)))
    assert found.stderr < draws.std() / 4000**0.5  # entropies of conditionals vary less than scores
    normal = Autoregressive(MADE(3, 1, hidden=(4,)), (3,), NormalElement(1.0))
    torch.testing.assert_close(entropy_estimate(normal).value, torch.tensor(1.5 * math.log(2 * math.pi * math.e)))
    assert binary().top_k(1).entropy() == 0
    with pytest.raises(NotImplementedError, match="use `entropy_estimate`"):
        normal.entropy()
    with pytest.raises(ValueError, match="`num_draws`"):
        p.entropy_estimate(0)
    mixed = DiscretizedLogisticMixtureElement(Quantization(4, 0.0, 1.0), 2, channels=None)
    p = Autoregressive(MADE(2, 6, hidden=(4,)), (2,), mixed)  # its conditionals know no entropy
    found = p.entropy_estimate(2000)
    assert abs(found.value - p.entropy()) < 6 * found.stderr


def test_reports_copies_and_odd_inputs():
    p = binary()
    x = p.sample((64,))
    report = p.report(x)
    assert report.kind == "exact"
    assert report.num_coordinates == 9
    for twin in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        torch.testing.assert_close(twin.log_prob(x), p.log_prob(x))
    for dtype in (torch.float16, torch.bfloat16, torch.int64, torch.bool):
        loose = Autoregressive(p.network, (3, 3), BernoulliElement(), validate_args=False)
        torch.testing.assert_close(loose.log_prob(x.to(dtype)), p.log_prob(x), check_dtype=False)
    broken = x[0].clone()
    broken[2, 1] = torch.nan
    with validation(enabled=False):
        assert loose.log_prob(broken).isnan()
        assert loose.log_prob(x[0] + 7) == -torch.inf
    normal = Autoregressive(MADE(3, 2, hidden=(8,)), (3,), NormalElement())
    huge = torch.full((3,), 1e6, requires_grad=True)
    (slope,) = torch.autograd.grad(normal.log_prob(huge), huge)
    assert slope.isfinite().all()
    with pytest.raises(ValueError, match="event shape"):
        p.log_prob(x.flatten(1))


@pytest.mark.parametrize(
    ("element", "outputs"),
    [
        (BernoulliElement(), 1),
        (CategoricalElement(3), 3),
        (CategoricalElement(Quantization(3, 0.0, 2.0)), 3),
        (DiscretizedLogisticElement(Quantization(3, 0.0, 2.0)), 2),
        (DiscretizedLogisticMixtureElement(Quantization(3, 0.0, 2.0), 2, channels=None), 6),
        (TopKElement(CategoricalElement(3), 2), 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_law_that_does_not_validate_scores_what_is_impossible(element, outputs):
    torch.manual_seed(0)
    loose = Autoregressive(MADE(2, outputs, hidden=(8,)), (2,), element, validate_args=False)
    scores = loose.log_prob(torch.tensor([[0.0, 7.0], [0.5, 1.0], [-1.0, 0.0]]))
    assert (scores == -torch.inf).all()
    strict = Autoregressive(loose.network, (2,), element, validate_args=True)
    with pytest.raises(ValueError, match=r"support|centers"):
        strict.log_prob(torch.tensor([0.0, 7.0]))


def test_float16_networks_are_scored_in_float32():
    torch.manual_seed(0)
    p = Autoregressive(MADE(4, 3, hidden=(8,)).bfloat16(), (4,), CategoricalElement(3))
    x = p.sample((5,))
    assert p.log_prob(x).dtype == torch.float32


def test_supports_that_can_be_listed():
    levels = CategoricalElement(Quantization(3, -1.0, 1.0))
    p = Autoregressive(MADE(3, 3, hidden=(8,)).double(), (3,), levels)
    assert p.has_enumerate_support
    assert abs(p.log_prob(p.enumerate_support()).exp().sum() - 1) < 1e-12
    pixels = DiscretizedLogisticMixtureElement(Quantization(2, 0.0, 1.0), 2, channels=3)
    p = Autoregressive(MADE(2, pixels.num_parameters, num_inputs=3, hidden=(8,)).double(), (3, 1, 2), pixels)
    assert p.enumerate_support().shape == (64, 3, 1, 2)
    assert abs(p.log_prob(p.enumerate_support()).exp().sum() - 1) < 1e-12
    assert finite_values(nn.Identity()) is None
    assert is_listable(torch.arange(1), 10**6)
    assert is_listable(torch.arange(MOST_STATES), 1)
    assert not is_listable(torch.arange(MOST_STATES + 1), 1)
    assert all_events(torch.arange(3), torch.Size([2])).shape == (9, 2)


def test_positions():
    positions = Positions((2, 3, 4), (2,), [[3, 1], [k for k in range(12) if k not in (1, 3)]])
    x = torch.randn(5, 2, 3, 4)
    rows = positions.rows(x)
    assert torch.equal(rows[:, 7], x[:, :, 1, 3])
    assert torch.equal(positions.events(rows), x)
    assert torch.equal(positions.unsorted(rows[:, positions.order]), rows)
    assert positions.depth().tolist() == [1, 0, 1, 0] + [1] * 8
    assert issubclass(Autoregressive, FactorizedLaw)
    with pytest.raises(ValueError, match="must begin with the element's shape"):
        Positions((3, 4), (2,))


def test_values_of_a_finite_law_are_where_they_are_wanted():
    for support in (constraints.boolean, constraints.integer_interval(0, 3)):
        assert finite_values(support, device="meta").device.type == "meta"

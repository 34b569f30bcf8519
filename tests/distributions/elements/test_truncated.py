"""Truncated elements: digits of the reference, mass one, minus infinity outside."""

import copy

import pytest
import torch

from probgen.distributions import Autoregressive, OneHotEmbedding, Quantization
from probgen.distributions.elements import (
    BernoulliElement,
    CategoricalElement,
    DiscretizedLogisticElement,
    MinPElement,
    NormalElement,
    TemperedElement,
    TopKElement,
    TopPElement,
    TruncatedElement,
)
from probgen.nn import MADE

LOGITS = torch.tensor([0.5, 0.25, 0.15, 0.1], dtype=torch.float64).log()


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda e: TopKElement(e, 1), (1.0, 0, 0, 0)),
        (lambda e: TopKElement(e, 2), (2 / 3, 1 / 3, 0, 0)),
        (lambda e: TopKElement(e, 9), (0.5, 0.25, 0.15, 0.1)),
        (lambda e: TopPElement(e, 0.8), (5 / 9, 2.5 / 9, 1.5 / 9, 0)),
        (lambda e: TopPElement(e, 0.75), (2 / 3, 1 / 3, 0, 0)),
        (lambda e: TopPElement(e, 1e-9), (1.0, 0, 0, 0)),
        (lambda e: TopPElement(e, 1.0), (0.5, 0.25, 0.15, 0.1)),
        (lambda e: MinPElement(e, 0.3), (5 / 9, 2.5 / 9, 1.5 / 9, 0)),
        (lambda e: MinPElement(e, 1.0), (1.0, 0, 0, 0)),
    ],
)
def test_known_digits_in_any_order(make, wanted):
    element, turn = make(CategoricalElement(4)), torch.tensor([2, 0, 3, 1])
    wanted = torch.tensor(wanted, dtype=torch.float64)
    torch.testing.assert_close(element(LOGITS).probs, wanted, atol=1e-12, rtol=0)
    torch.testing.assert_close(element(LOGITS[turn]).probs, wanted[turn], atol=1e-12, rtol=0)
    assert isinstance(element, TruncatedElement)


def test_of_equal_values_the_lower_stay():
    assert TopKElement(CategoricalElement(4), 2)(torch.zeros(4)).probs.tolist() == [0.5, 0.5, 0, 0]
    assert TopPElement(CategoricalElement(4), 0.5)(torch.zeros(4)).probs.tolist() == [0.5, 0.5, 0, 0]


@pytest.mark.parametrize("element", [BernoulliElement(), DiscretizedLogisticElement(Quantization(8, 0.0, 1.0))])
def test_values_outside_have_no_mass_and_pass_validation(element):
    torch.manual_seed(0)
    params = torch.randn(20, element.num_parameters)
    law = TopKElement(element, 1)(params)
    values = law.enumerate_support()
    log_prob = law.log_prob(values)
    assert ((log_prob == -torch.inf).sum(0) == len(values) - 1).all()
    assert torch.equal(law.sample(), law.mode)
    torch.testing.assert_close(law.mode, element(params).mode if element.num_parameters > 1 else (params[:, 0] > 0).float())
    assert copy.deepcopy(law).sample((0,)).shape == (0, 20)


def test_laws_of_events():
    torch.manual_seed(0)
    p = Autoregressive(
        MADE(3, 4, num_inputs=4, hidden=(16,)).double(), (3,), CategoricalElement(4), embedding=OneHotEmbedding(4)
    )
    states = p.enumerate_support()
    for law in (p.top_k(2), p.top_p(0.6), p.min_p(0.9), p.tempered(0.5).top_k(3)):
        log_prob = law.log_prob(states)
        assert abs(log_prob.exp().sum() - 1) < 1e-12
        assert (log_prob == -torch.inf).any()
        assert law.log_prob(law.sample((50,))).isfinite().all()
        scored = log_prob[log_prob > -torch.inf].sum()
        assert torch.autograd.grad(scored, p.network.layers[0].weight)[0].isfinite().all()
    assert (p.top_k(2).log_prob(states) > -torch.inf).sum() == 2**3
    greedy = p.top_k(1).sample()
    assert torch.equal(greedy, p.top_k(1).sample())
    assert p.top_k(1).log_prob(greedy) == 0
    binary = Autoregressive(MADE(4, 1, hidden=(8,)), (2, 2), BernoulliElement()).top_k(1)
    assert binary.log_prob(binary.enumerate_support()).exp().sum() == 1
    assert binary.given(binary.sample(), 2).sample().shape == (2, 2)


def test_what_cannot_be_truncated_is_refused():
    for wrong in (TopKElement(BernoulliElement(), 1), BernoulliElement()):
        for k in (0, 1.5):
            with pytest.raises(ValueError, match=f"`k` must be an integer and at least 1; got {k}"):
                TopKElement(wrong, k)
        with pytest.raises(ValueError, match="`p` must lie in"):
            TopPElement(wrong, 0.0)
        with pytest.raises(ValueError, match="`p` must lie in"):
            MinPElement(wrong, 1.5)
    with pytest.raises(TypeError, match="NormalElement has not"):
        TopKElement(NormalElement(), 3)
    with pytest.raises(TypeError, match="TemperedElement has not"):
        TopKElement(TemperedElement(NormalElement(), 2.0), 3)

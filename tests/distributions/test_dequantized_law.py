import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import DequantizedLaw, TransformedDistribution, standard_normal
from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import Affine, ConditionalElementwise, Exp


def flow():
    return ConditionalElementwise(Affine(), torch.nn.Linear(3, 4), context_shape=(3,), event_shape=(2,))


def test_it_is_the_bound_of_the_pushed_forward_base():
    torch.manual_seed(0)
    law, context, x = DequantizedLaw(flow(), 8), torch.randn(5, 3), torch.randint(8, (5, 2))
    assert law.context_shape == (3,)
    torch.manual_seed(1)
    found = law(context).log_prob(x)
    torch.manual_seed(1)
    y = x + torch.rand(1, 5, 2)
    wanted = TransformedDistribution(standard_normal(2), law.bijector.condition(context)).log_prob(y)[0]
    assert torch.allclose(found, wanted)


def test_without_a_context_and_with_a_base():
    base = dist.Logistic(0.0, 1.0).expand([2]).to_event(1)
    law = DequantizedLaw(Affine(loc=4.0, scale=1.0), 8, base=base)
    assert law().log_prob_kind == "lower"
    ends = base.base_dist.log_prob(torch.tensor([[-4.0, -4.0], [-3.0, -3.0]])).sum(-1)  # of the cell of zero
    assert ends[0] <= law().log_prob(torch.zeros(2)) <= ends[1]
    assert law().sample((5,)).shape == (5, 2)


def test_a_base_is_asked_for_where_it_cannot_be_guessed():
    with pytest.raises(ValueError, match="`base` must be given"):
        DequantizedLaw(Exp(), 8)


def test_wrong_arguments_are_found_at_once():
    with pytest.raises(ValueError, match="`levels` must be at least 1; got 0"):
        DequantizedLaw(Affine(0.0, 1.0), 0, base=standard_normal(2))
    with pytest.raises(TypeError, match="`bijector` must be a Bijector; got Linear"):
        DequantizedLaw(torch.nn.Linear(2, 2))
    flow = ConditionalElementwise(Affine(), torch.nn.Linear(3, 4), context_shape=(3,), event_shape=(2,))
    with pytest.raises(ContextError, match=r"DequantizedLaw needs a context with trailing shape \(3,\); got None"):
        DequantizedLaw(flow, 4)()
